"""``checklist.performance.sizing``: what a pod carries, and whether the HPA adds pods before users notice. Pure.

The document's HPA adds pods when their CPU or memory passes a share of what they ask for (自動スケーリング（HPA）).
A size is founded when, at the knee of each number of pods that the HPA may still add to, one of its metrics has passed
its target by more than Kubernetes tolerates: else p95 breaks while the HPA sees no reason to act.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from harness.control.hpa.grouping import Settings
from harness.judge.claimed import claimed, not_exercised
from harness.judge.pod_resources import PodAsks, asked
from harness.model.autoscaling import Hpa, MetricKind
from harness.model.judgement import Judgement
from harness.model.message import Message, Told, message
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.types import Knee, Sized, StepFigures, StepResult

CLAIM = "checklist.performance.sizing"
_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What the pods used of a metric's request, and the HPA's target of it; whole percents, as Kubernetes cuts them."""

    metric: str
    used: int
    target: int

    @property
    def of_target(self) -> float:
        """1 at the target."""
        return self.used / self.target

    @property
    def asks(self) -> bool:
        """Whether the HPA adds pods for it."""
        return self.of_target > 1 + Settings().tolerance


def uses(hpa: Hpa, figures: StepFigures, pods: int, each_asks: PodAsks) -> list[Use]:
    """What can be compared of the HPA's metrics: shares of the requests of whole pods."""
    read = {"cpu": (figures.pods_cpu_cores, each_asks.cpu), "memory": (figures.pods_memory_bytes, each_asks.memory)}
    found = []
    for spec in hpa.metrics:
        used, request = read.get(spec.name, (None, None))
        if spec.kind is MetricKind.RESOURCE and spec.average_utilization and used is not None and request:
            share = math.floor(round(used / pods / request * 100, 6))
            found.append(Use(metric=spec.name, used=share, target=spec.average_utilization))
    return found


def sizing(steps: Sequence[StepResult], knees: Sequence[Knee], found: Sized) -> Judgement:
    """What a pod carries at each knee, and whether the HPA acts before it."""
    plain = [knee for knee in knees if not knee.photos_per_s]
    if not plain:
        return not_exercised("", CLAIM, message("no knee was searched"))
    each_asks = asked(found.searched)
    judged = [_one_size(steps, knee, found.hpa, each_asks) for knee in plain]
    told = [part for _, parts in judged for part in parts]
    verdicts = [verdict for verdict, _ in judged if verdict is not Verdict.NOT_EXERCISED]
    worst = min(verdicts, key=_WORST_FIRST.index, default=Verdict.NOT_EXERCISED)
    return claimed("", CLAIM, worst, *told, shown=tuple(map(_carries, plain)))


def grows(knees: Sequence[Knee]) -> Judgement:
    """``decision.future``: whether the most pods carry a rate that the fewest did not. How far it has to grow the
    document does not say; the factor is told."""
    claim, plain = "decision.future", sorted((each for each in knees if not each.photos_per_s), key=lambda k: k.pods)
    if len(plain) < 2:
        return not_exercised("", claim, message("the knees of fewer than two numbers of pods were searched"))
    shown = tuple(map(_carries, plain))
    fewest, most = plain[0], plain[-1]
    if open_ := [each for each in (fewest, most) if each.verdict is not Verdict.PASS]:
        first, *more = open_[0].told
        why = message("{pods} pods: {why}", pods=str(open_[0].pods), why=first)
        return claimed("", claim, Verdict.INCONCLUSIVE, why, *more, shown=shown)
    assert fewest.rate_per_s and fewest.broken_per_s and most.rate_per_s  # both are known of a knee that passed
    factor = most.rate_per_s / fewest.rate_per_s
    told = message(
        "{pods} pods carry {factor} times what {fewest} pods do",
        pods=str(most.pods),
        factor=f"{factor:.1f}",
        fewest=str(fewest.pods),
    )
    verdict = Verdict.PASS if most.rate_per_s >= fewest.broken_per_s else Verdict.FAIL
    return claimed("", claim, verdict, told, shown=shown, value=factor)


def _carries(knee: Knee) -> Message:
    if not knee.rate_per_s:
        return message("{pods} pods: none", pods=str(knee.pods))
    return message("{pods} pods {rate}/s", pods=str(knee.pods), rate=f"{knee.rate_per_s:.1f}")


def _one_size(steps: Sequence[StepResult], knee: Knee, hpa: Hpa | None, each_asks: PodAsks) -> tuple[Verdict, Told]:
    """Of one number of pods: inconclusive without its knee, not exercised where no HPA could add pods."""
    pods = str(knee.pods)
    if knee.verdict is not Verdict.PASS or knee.rate_per_s is None:
        first, *more = knee.told
        return Verdict.INCONCLUSIVE, (message("{pods} pods: {why}", pods=pods, why=first), *more)
    size = message("{pods} pods: {rate}/s a pod", pods=pods, rate=f"{knee.rate_per_s / knee.pods:.1f}")
    if hpa is None:
        return Verdict.NOT_EXERCISED, (message("{size}; the manifests have no autoscaler", size=size),)
    kept = sorted((each for each in steps if _kept_below(each, knee)), key=lambda each: each.step.rate_per_s)
    at = [uses(hpa, each.figures, knee.pods, each_asks) for each in kept]
    if not at or not at[-1]:
        return Verdict.INCONCLUSIVE, (message("{size}; what the pods used was not read", size=size),)
    shown = ", ".join(f"{each.metric} {each.used} % ({each.target} %)" for each in at[-1])
    found = message("{size}, using of its requests (the HPA's target): {uses}", size=size, uses=shown)
    if knee.pods >= hpa.max_replicas:
        return Verdict.NOT_EXERCISED, (message("{found}; the HPA has no more pods to add", found=found),)
    return _acts(found, kept, at, unread=len(hpa.metrics) - len(at[-1]))


def _kept_below(step: StepResult, knee: Knee) -> bool:
    assert knee.rate_per_s is not None
    searched = step.step.of_search and not step.step.photos_per_s and step.pods == knee.pods
    return searched and step.verdict is Verdict.PASS and step.step.rate_per_s <= knee.rate_per_s


def _acts(found: Message, kept: Sequence[StepResult], at: Sequence[list[Use]], *, unread: int) -> tuple[Verdict, Told]:
    """``at`` are the uses of each step of ``kept``, the knee's last; ``unread`` metrics could not be compared."""
    asking = {each.metric for each in at[-1] if each.asks}
    for step, its in zip(kept, at, strict=True):
        passed = [each for each in its if each.asks and each.metric in asking]
        if passed:
            metric, rate = max(passed, key=lambda each: each.of_target).metric, f"{step.step.rate_per_s:.1f}"
            acts = message(
                "{found}; the HPA acts before the limit: {metric} passes its target first, at {rate}/s",
                found=found,
                metric=metric,
                rate=rate,
            )
            return Verdict.PASS, (acts,)
    if unread:
        return Verdict.INCONCLUSIVE, (message("{found}; not all of the HPA's metrics were read", found=found),)
    return Verdict.FAIL, (message("{found}; the HPA would not have acted yet", found=found),)
