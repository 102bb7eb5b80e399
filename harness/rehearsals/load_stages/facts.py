"""The facts of a run of the load stages: of its steps, its knees and Apache Bench. Pure.

What a pod carries at its knee, and whether the HPA adds pods before users notice. Pure.

The document's HPA adds pods when their CPU or memory passes a share of what they ask for (自動スケーリング（HPA）).
A size is founded when, at the knee of each number of pods that the HPA may still add to, one of its metrics has passed
its target by more than Kubernetes tolerates: else p95 breaks while the HPA sees no reason to act.
The search for the knee: the highest rate that keeps the limits. Pure: results so far in, next rate or answer out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from harness.base.message import gettext_noop
from harness.control.hpa.grouping import Settings
from harness.load.population.arrivals import due_of_step
from harness.model.autoscaling import Hpa, MetricKind
from harness.model.evidence import Side
from harness.model.judgement import Expected, Kind, Verdict
from harness.model.message import Message, Told, message
from harness.model.scenario import CAPACITY, RATE_LIMIT_PER_MIN, Arrivals, Step
from harness.rehearsals.load_stages.facts_steps import figures, limited_times, of_steps, why_mute, window_of
from harness.rehearsals.load_stages.types import (
    Benched,
    ContainerResources,
    KneePlan,
    LoadStagesPlan,
    MadeStep,
    Sized,
    StepFigures,
    StepResult,
)
from harness.report.words import VERDICT
from harness.rules.engine import judged
from harness.rules.ledger import Ledger, of_plan
from harness.rules.planned import lost_words
from harness.rules.pod_resources import PodAsks, asked
from harness.rules.rule import Fact, FactsOf, Rules


class RequestUse(NamedTuple):
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


class KneeSize(NamedTuple):
    """One number of pods at its knee. The HPA asked for no more pods before it: ``unasked`` is 1, or 0 where it did, or
    both where nobody knows; () where it could add none."""

    unasked: tuple[int, ...]
    told: Told


def uses(hpa: Hpa, figures: StepFigures, pods: int, each_asks: PodAsks) -> list[RequestUse]:
    """What can be compared of the HPA's metrics: shares of the requests of whole pods."""
    read = {"cpu": (figures.pods_cpu_cores, each_asks.cpu), "memory": (figures.pods_memory_bytes, each_asks.memory)}
    found = []
    for spec in hpa.metrics:
        used, request = read.get(spec.name, (None, None))
        if spec.kind is MetricKind.RESOURCE and spec.average_utilization and used is not None and request:
            share = math.floor(round(used / pods / request * 100, 6))
            found.append(RequestUse(spec.name, share, spec.average_utilization))
    return found


def sizes(
    fact: FactsOf, steps: Sequence[StepResult], plain: Sequence[Knee], found: Sized, *, wanted: int
) -> Iterator[Fact]:
    """At how many knees, of ``plain`` searches and those that were ``wanted``, the HPA had not asked for more pods."""
    each_asks = asked(found.searched)
    each = [_one_size(steps, knee, found.hpa, each_asks) for knee in plain]
    told = tuple(words for size in each for words in size.told)
    exercised, lost = [size.unasked for size in each if size.unasked], wanted - len(plain)
    if not exercised and not lost:
        yield from fact.none("sizes.unasked", lacks=told or (message("no knee was searched"),))
        return
    low, high = sum(map(min, exercised)), sum(map(max, exercised))
    yield fact("sizes.unasked", low, high=high + lost, of=len(plain), besides=told)


def _one_size(steps: Sequence[StepResult], knee: Knee, hpa: Hpa | None, each_asks: PodAsks) -> KneeSize:
    pods = str(knee.pods)
    if not knee.known or knee.rate_per_s is None:
        return KneeSize((0, 1), (message("{pods} pods: {why}", pods=pods, why=knee.words[0]), *knee.words[1:]))
    size = message("{pods} pods: {rate}/s a pod", pods=pods, rate=f"{knee.rate_per_s / knee.pods:.1f}")
    if hpa is None:
        return KneeSize((), (message("{size}; the manifests have no autoscaler", size=size),))
    kept = sorted((each for each in steps if _kept_below(each, knee)), key=lambda each: each.step.rate_per_s)
    at = [uses(hpa, each.figures, knee.pods, each_asks) for each in kept]
    if not at or not at[-1]:
        return KneeSize((0, 1), (message("{size}; what the pods used was not read", size=size),))
    shown = ", ".join(f"{each.metric} {each.used} % ({each.target} %)" for each in at[-1])
    read = message("{size}, using of its requests (the HPA's target): {uses}", size=size, uses=shown)
    if knee.pods >= hpa.max_replicas:
        return KneeSize((), (message("{found}; the HPA has no more pods to add", found=read),))
    return _acts(read, kept, at, unread=len(hpa.metrics) - len(at[-1]))


def _kept_below(step: StepResult, knee: Knee) -> bool:
    searched = step.step.of_search and not step.step.photos_per_s and step.pods == knee.pods
    return searched and step.verdict is Verdict.PASS and step.step.rate_per_s <= (knee.rate_per_s or 0.0)


def _acts(read: Message, kept: Sequence[StepResult], at: Sequence[list[RequestUse]], *, unread: int) -> KneeSize:
    """``at`` are the uses of each step of ``kept``, the knee's last; ``unread`` metrics could not be compared."""
    asking = {each.metric for each in at[-1] if each.asks}
    for step, its in zip(kept, at, strict=True):
        passed = [each for each in its if each.asks and each.metric in asking]
        if passed:
            metric, rate = max(passed, key=lambda each: each.of_target).metric, f"{step.step.rate_per_s:.1f}"
            acts = message(
                "{found}; the HPA acts before the limit: {metric} passes its target first, at {rate}/s",
                found=read,
                metric=metric,
                rate=rate,
            )
            return KneeSize((0,), (acts,))
    if unread:
        return KneeSize((0, 1), (message("{found}; not all of the HPA's metrics were read", found=read),))
    return KneeSize((1,), (message("{found}; the HPA would not have acted yet", found=read),))


def growth(fact: FactsOf, plain: Sequence[Knee], *, wanted: int) -> Iterator[Fact]:
    """Whether the most pods carry a rate that the fewest did not. How far it has to grow the document does not say; the
    factor is told."""
    in_order = sorted(plain, key=lambda each: each.pods)
    if len(plain) < max(2, wanted):
        counts = {"some": str(len(plain)), "all": str(wanted)}
        few = (message("{some} of {all} knees were searched; all of them are needed, and two at least", **counts),)
        yield fact.every(void=few) if len(plain) < wanted else fact.every(lacks=few)
        return
    fewest, most = in_order[0], in_order[-1]
    for each in (fewest, most):
        if not each.known:
            words = message("{pods} pods: {why}", pods=str(each.pods), why=each.words[0])
            yield fact.every(void=(words, *each.words[1:]))
            return
    rate, broken, least = most.rate_per_s or 0.0, fewest.broken_per_s or 0.0, fewest.rate_per_s or 1.0
    yield fact("growth", rate / least, of=len(plain), pods=str(most.pods), fewest=str(fewest.pods))
    yield fact("most_qps", rate, pods=str(most.pods), rate=f"{rate:.1f}")
    yield fact("fewest.broken_qps", broken, pods=str(fewest.pods), rate=f"{broken:.1f}")


#: A rate has broken when it was not kept in so many tries.
TRIES = 2


class Knee(msgspec.Struct, frozen=True, kw_only=True):
    """The knee of a number of pods: ``rate_per_s`` is the highest rate that passed, ``None`` where none was kept,
    ``broken_per_s`` the lowest that did not in two tries. ``void`` says why it is not known."""

    pods: int
    rate_per_s: float | None
    broken_per_s: float | None
    told: Told
    void: Told = ()
    photos_per_s: float = 0.0

    @property
    def known(self) -> bool:
        """Whether a rate was kept, and the one that was not lies near it."""
        return not self.void and self.rate_per_s is not None

    @property
    def words(self) -> Told:
        """All of it."""
        return (*self.void, *self.told)


def next_rate(plan: KneePlan, first_rate_per_s: float, tried: Sequence[StepResult]) -> float | None:
    """The next rate to try, in requests/s, from ``first_rate_per_s`` on; ``None`` when the search is over.

    A rate that was not kept is tried once more before it bounds: pods that have just started, or a hiccup of the
    machine, break a short step at any rate. A step that cannot tell counts as not kept: the knee is what was shown, not
    what was hoped for.
    """
    if not tried:
        return first_rate_per_s
    # On a shared machine one hiccup is no limit; twice in a row it is
    if tried[-1].mute and (len(tried) > 1 and tried[-2].mute is not None):
        return None
    if tried[-1].mute or _tried_once(tried):
        return tried[-1].step.rate_per_s
    good, broken = _bracket(tried)
    if broken is None:
        return None if good is None or good >= plan.most_rate_per_s else min(2 * good, plan.most_rate_per_s)
    if good is None:  # not even the first rate is kept: go down, to a tenth of it at most
        return broken / 2 if broken > first_rate_per_s / 10 else None
    return None if broken / good <= 1 + plan.precision else math.sqrt(good * broken)


def _tried_once(tried: Sequence[StepResult]) -> bool:
    """Whether the last rate was not kept, and not yet as often as bounds."""
    return tried[-1].verdict is not Verdict.PASS and len(_verdicts(tried)[tried[-1].step.rate_per_s]) < TRIES


def knees_of(plan: LoadStagesPlan, steps: Sequence[StepResult], cpu_factor: float) -> list[Knee]:
    """The knee of every search that was made to its end, in the order of the searches."""
    searched = [each for each in steps if each.step.of_search]
    found = []
    for (pods, photos_per_s), its in itertools.groupby(searched, key=lambda each: (each.pods, each.step.photos_per_s)):
        tried = [*its]
        if next_rate(plan.knee, plan.capacity.rate_per_s, tried) is None:
            found.append(knee(plan.knee, pods, photos_per_s, tried, cpu_factor))
    return found


def knee(plan: KneePlan, pods: int, photos_per_s: float, tried: Sequence[StepResult], cpu_factor: float = 1.0) -> Knee:
    """What the finished search found, and under what; it made one try at least."""
    good, broken = _bracket(tried)
    told = [_kept(good, tried)]
    void: Told = ()
    if tried[-1].mute is not None:
        void = (message("the search ended early: {why}", why=tried[-1].mute),)
    elif broken is None:
        void = (message("nothing above {most}/s was tried", most=f"{plan.most_rate_per_s:g}"),)
    elif good is not None:
        told.append(message("{rate}/s did not in {tries} tries", rate=f"{broken:.1f}", tries=str(TRIES)))
    if photos_per_s:
        told.append(message("while {rate} photos/s are uploaded", rate=f"{photos_per_s:g}"))
    if cpu_factor != 1:
        told.append(message("CPU limits were multiplied by {factor}", factor=f"{cpu_factor:.3f}"))
    return Knee(
        pods=pods, photos_per_s=photos_per_s, rate_per_s=good, broken_per_s=broken, void=void, told=tuple(told)
    )  # fmt: skip


def _kept(good: float | None, tried: Sequence[StepResult]) -> Message:
    if good is not None:
        return message("{rate}/s kept the limits", rate=f"{good:.1f}")
    if tried[-1].mute is not None:
        return message("no rate was shown")
    return message("no rate down to {rate}/s kept the limits", rate=f"{min(t.step.rate_per_s for t in tried):.1f}")


def _bracket(tried: Sequence[StepResult]) -> tuple[float | None, float | None]:
    """The lowest rate not kept in any try, and the highest kept below it: a noisy pass above that is not the knee."""
    told = _verdicts(tried)
    broken = min((rate for rate, verdicts in told.items() if _broken(verdicts)), default=None)
    kept = (rate for rate, verdicts in told.items() if Verdict.PASS in verdicts)
    return max((rate for rate in kept if broken is None or rate < broken), default=None), broken


def _broken(verdicts: Sequence[Verdict]) -> bool:
    return len(verdicts) >= TRIES and Verdict.PASS not in verdicts


def _verdicts(tried: Sequence[StepResult]) -> dict[float, list[Verdict]]:
    """What the steps that say something told of each rate."""
    told: dict[float, list[Verdict]] = {}
    for attempt in tried:
        if attempt.mute is None:
            told.setdefault(attempt.step.rate_per_s, []).append(attempt.verdict)
    return told


TARGET, STAGES, ERRATUM = "load.target_qps", "load.stages", "load.ab_meets_rate_limit"
CAPACITY_CLAIM, OF_TARGET = "load.pod_capacity", "load.pod_capacity.of_target"
#: The program of Apache Bench.
AB = "ab"
#: Each fact, in a sentence.
PHRASES = {
    "p95_ms": gettext_noop("p95 {seen}"),
    "errors_ratio": gettext_noop("{failed} of {of} failed"),
    "worst.errors_ratio": gettext_noop("most errors in a step: {seen}"),
    "pods.unknown": gettext_noop(
        "only {some} of {of} answers name their pod, so whether {seen} pods answered is not known"
    ),
    "good_qps": gettext_noop("{seen} were answered well"),
    "answered_qps": gettext_noop("{seen} were answered"),
    "limited.answers": gettext_noop("in the other reading the rate limiter answered {seen} of {of} times"),
    "connections.needed": gettext_noop("{pods} pods and {surge} of surge need {seen} connections"),
    "connections.allowed": gettext_noop("the database lets the target have {seen} connections"),
    "connections.a_pod": gettext_noop("at most {seen} connections a pod were seen"),
    "in_flight.a_pod": gettext_noop("at most {seen} requests a pod were in flight"),
    "sizes.unasked": gettext_noop("numbers of pods at whose limit the HPA had not asked for more: {seen} of {of}"),
    "growth": gettext_noop("{pods} pods carry {seen} times what {fewest} pods do"),
    "most_qps": gettext_noop("{pods} pods carry {rate}/s"),
    "fewest.broken_qps": gettext_noop("{pods} pods do not carry {rate}/s"),
    "knee_qps": gettext_noop("{kept}"),
    "knee_with_photos_qps": gettext_noop("{kept}"),
    "step.p95_ms": gettext_noop(
        "{load}, {pods} pods: {verdict}: p95 {seen} (p50 {p50}, p99 {p99}), {answered}/s of {offered}/s answered; "
        "cores of the pods {cores}, of the generator {generator}; machine busy {machine}"
    ),
    "step.failed": gettext_noop("{load}, {pods} pods: {seen} of {of} requests failed"),
    "ab.refused": gettext_noop(
        "{program}: {of} of {requests} requests with one token were answered, {at_once} at once; {seen} not by 2xx, "
        "for each of {pods} pods takes {limit} a minute of a user"
    ),
}
_TARGET_USERS = 500
_MIB = 1024 * 1024


def expected(plan: LoadStagesPlan, *, bundled: bool) -> Iterator[Expected]:
    """The claims, of the bundled API its capacity once more, the erratum of Apache Bench, and the knees. The claim on
    the stages must rest on each stage of users."""
    stages = sum(each.arrivals is Arrivals.EVEN for each in plan.stages)
    yield from (Expected("", claim, claim, stages if claim == STAGES else 0) for claim in plan.claims)
    if bundled and CAPACITY_CLAIM in plan.claims and any(each.name == CAPACITY for each in plan.stages):
        yield Expected("", OF_TARGET, CAPACITY_CLAIM)
    if plan.apache_bench is not None:
        yield Expected("", ERRATUM, ERRATUM)
    searches = [f"knee.{pods}" for pods in plan.knee.pods]
    photos = [f"{each}.photos" for each in searches[:1] if plan.knee.photos is not None]
    yield from (Expected("", name, kind=Kind.OBSERVATION) for name in (*searches, *photos))


def result_of(made: MadeStep, ledger: Ledger, plan: LoadStagesPlan, rules: Rules, seed: int) -> StepResult:
    """The step, judged from what the ledger has of its window, beside what was due by ``seed``, the run's."""
    step, window = made.step, window_of(made.start_ns, made.step.seconds)
    calls, missing = ledger.requests_due(window, Side.API), 0
    due_ns = due_of_step(step, seed, made.start_ns)
    if due_ns is not None:
        calls, missing = of_plan(calls, due_ns)
    measured = figures(calls, window, made, ledger, missing=missing)
    bare = StepResult(
        step=step, pods=made.pods, figures=measured, verdict=Verdict.INCONCLUSIVE, told=(), start_ns=made.start_ns,
        mute=why_mute(measured, made.pods),
    )  # fmt: skip
    return of_rules(bare, plan, rules)


def of_rules(bare: StepResult, plan: LoadStagesPlan, rules: Rules) -> StepResult:
    """The step with its verdict. One of the search of which requests are missing that could tell is mute."""
    step, measured = bare.step, bare.figures
    one = Expected("", f"{'search' if step.of_search else 'stage'}.{step.name}")
    (found,) = judged([one], rules, of_steps(FactsOf(PHRASES, case=step.name), [bare]), plan, ())
    lost = lost_words(measured.missing, measured.requests)
    mute = lost[0] if lost and step.of_search and found.verdict is Verdict.INCONCLUSIVE else None
    return msgspec.structs.replace(bare, verdict=found.verdict, told=found.told, mute=bare.mute or mute)


def facts(
    plan: LoadStagesPlan, steps: Sequence[StepResult], knees: Sequence[Knee], asked: Sized, *, bundled: bool
) -> Iterator[Fact]:
    """Of the steps that were made and of the searches that came to their end."""
    plain, wanted = [each for each in knees if not each.photos_per_s], len(plan.knee.pods)
    yield from _target(plan, steps)
    yield from _stages(plan, steps)
    yield from _capacity(plan, steps, plain, asked, bundled=bundled)
    yield from _connections(steps, asked)
    yield from sizes(FactsOf(PHRASES), steps, plain, asked, wanted=wanted)
    yield from growth(FactsOf(PHRASES, case="decision.future"), plain, wanted=wanted)
    yield from map(_knee, knees)
    for each in steps:
        yield from _step(each)


def _step(made: StepResult) -> Iterator[Fact]:
    """One step as it was measured, whatever it is judged for."""
    fact, of, load = FactsOf(PHRASES, case=made.step.name), made.figures, step_words(made.step)
    amounts: dict[str, Any] = {
        "p50": _amount(of.latency_p50_ms, "{:.0f} ms"),
        "p99": _amount(of.latency_p99_ms, "{:.0f} ms"),
        "answered": f"{of.answered_per_s:.1f}",
        "offered": f"{of.offered_per_s:.1f}",
        "cores": _amount(of.pods_cpu_cores, "{:.2f}"),
        "generator": _amount(of.generator_cpu_cores, "{:.2f}"),
        "machine": _amount(of.machine_cpu_ratio, "{:.0%}"),
    }
    if of.latency_p95_ms is not None:
        high = math.inf if of.latency_p95_upper_ms is None else of.latency_p95_upper_ms
        yield fact(
            "step.p95_ms", of.latency_p95_ms, low=of.latency_p95_lower_ms or 0.0, high=high, sampled=True,
            of=of.requests, load=load, pods=str(made.pods), verdict=Message(text=VERDICT[made.verdict]),
            besides=made.told, **amounts,
        )  # fmt: skip
    yield fact("step.failed", of.failed, of=of.requests, load=load, pods=str(made.pods))


def _amount(value: float | None, shown: str) -> str:
    return "–" if value is None else shown.format(value)


def step_words(step: Step) -> Message:
    """A step's load in words, with the name that the evidence calls it by."""
    return message("{load} ({name})", load=_load(step), name=step.name)


def _load(step: Step) -> Message:
    if step.arrivals is Arrivals.CLOSED:
        return message("{count} in flight", count=str(step.in_flight))
    if step.arrivals is Arrivals.EVEN:
        return message("{number} users", number=str(step.users))
    if not step.of_search:
        return message("{rate}/s, as the document says", rate=f"{step.rate_per_s:g}")
    return message("knee, with photo uploads") if step.photos_per_s else message("knee")


def _target(plan: LoadStagesPlan, steps: Sequence[StepResult]) -> Iterator[Fact]:
    """500 users at one request in 50 s: 10.0/s offered, answered well, and within the limits."""
    fact = FactsOf(PHRASES, case=TARGET)
    if not any(map(_is_target, plan.stages)):
        yield fact.every(lacks=(message("no stage of {users} users was run", users=str(_TARGET_USERS)),))
    for each in steps:
        if _is_target(each.step):
            seconds, good = each.step.seconds, each.figures.requests - each.figures.failed
            low, high = (round(count / seconds, 6) for count in (good, good + each.figures.missing))
            lost = lost_words(each.figures.missing, each.figures.requests)
            void = () if each.mute is None else (each.mute,)
            yield fact(
                "good_qps", good / seconds, low=low, high=high, of=each.figures.requests, void=void, besides=lost
            )
            yield from of_steps(fact, [each])


def _is_target(step: Step) -> bool:
    return step.arrivals is Arrivals.EVEN and step.users == _TARGET_USERS


def _stages(plan: LoadStagesPlan, steps: Sequence[StepResult]) -> Iterator[Fact]:
    """The document's own reading, users at a pace; of N in flight what the rate limiter answered, the erratum's
    evidence."""
    fact = FactsOf(PHRASES, case=STAGES)
    users = [each for each in steps if each.step.arrivals is Arrivals.EVEN]
    closed = [each.figures for each in steps if each.step.arrivals is Arrivals.CLOSED]
    if users:
        yield from of_steps(fact, users)
    elif not any(each.arrivals is Arrivals.EVEN for each in plan.stages):
        yield from fact.none(
            "p95_ms", "errors_ratio", "worst.errors_ratio", lacks=(message("no stage of users was run"),)
        )
    limited = sum(map(limited_times, closed))
    yield fact("limited.answers", limited, of=sum(each.requests for each in closed))


def _capacity(
    plan: LoadStagesPlan, steps: Sequence[StepResult], plain: Sequence[Knee], asked: Sized, *, bundled: bool
) -> Iterator[Fact]:
    """The document's rate offered to its pods under the manifests' own limits; a knee, found under scaled ones, is told
    beside it. The claim is about Go: on the bundled API the same is judged once more, of the target at hand."""
    if all(each.name != CAPACITY for each in plan.stages):
        none_run = message("the stage of {rate}/s was not run", rate=f"{plan.capacity.rate_per_s:g}")
        yield FactsOf(PHRASES, case=CAPACITY_CLAIM).every(lacks=(none_run,))
    for step in (each for each in steps if each.step.name == CAPACITY):
        offered = _offered(step, asked.containers[0])
        about_go = message("the target is the bundled Python API, and the claim is about Go")
        if bundled:
            yield FactsOf(PHRASES, case=CAPACITY_CLAIM).every(lacks=(about_go, offered))
        fact = FactsOf(PHRASES, case=OF_TARGET if bundled else CAPACITY_CLAIM)
        yield fact("answered_qps", step.figures.answered_per_s, of=step.figures.requests)
        yield from of_steps(fact, [step], offered, *_beside(plain, plan.pods))


def _beside(plain: Sequence[Knee], pods: int) -> tuple[Message, ...]:
    words = next((each.words for each in plain if each.pods == pods), ())
    return (
        tuple(message("the knee of {pods} pods: {what}", pods=str(pods), what=each) for each in words[:1]) + words[1:]
    )


def _offered(step: StepResult, container: ContainerResources) -> Message:
    return message(
        "{rate}/s to {pods} pods of {asked} (at most {most})",
        rate=f"{step.step.rate_per_s:g}",
        pods=str(step.pods),
        asked=_size(container.request_cpu_m, container.request_memory_bytes),
        most=_size(container.limit_cpu_m, container.limit_memory_bytes),
    )


def _size(cpu_m: int | None, memory_bytes: int | None) -> str:
    """For example "500m/512Mi", with a dash for what the manifest leaves open."""
    return f"{'–' if cpu_m is None else f'{cpu_m}m'}/{'–' if memory_bytes is None else f'{memory_bytes / _MIB:g}Mi'}"


def _connections(steps: Sequence[StepResult], asked: Sized) -> Iterator[Fact]:
    """pool x (the HPA's most + surge) against what the database lets the target have, with the pool as it saw it at its
    fullest. More connections than a pod has requests in flight are never asked for: its pool may be larger."""
    fact = FactsOf(PHRASES, case="manifest.hpa.max")
    seen = [(r.figures.database_connections / r.pods) for r in steps if r.figures.database_connections]
    allowed = [r.figures.database_limit for r in steps if r.figures.database_limit is not None]
    if not seen or not allowed or asked.hpa is None:
        unread = message("the database's connections were not read")
        none = message("the manifests have no autoscaler")
        yield fact.every(lacks=(unread if not seen or not allowed else none,))
        return
    pool, pods, surge = max(seen), asked.hpa.max_replicas, asked.surge
    yield fact("connections.needed", pool * (pods + surge), pods=str(pods), surge=str(surge))
    yield fact("connections.allowed", min(allowed))
    yield fact("connections.a_pod", pool)
    yield fact("in_flight.a_pod", max(_in_flight(each) / each.pods for each in steps))


def _in_flight(made: StepResult) -> float:
    """Of an open loop as many as Little's law gives for half of the requests: more of them waited at times."""
    return made.step.in_flight or made.figures.offered_per_s * (made.figures.latency_p50_ms or 0.0) / 1000


def _knee(knee: Knee) -> Fact:
    fact, rate = FactsOf(PHRASES, case=str(knee.pods)), knee.rate_per_s
    name, (kept, *besides) = "knee_with_photos_qps" if knee.photos_per_s else "knee_qps", knee.told
    none = 0.0 if rate is None else None
    return fact(
        name, rate, low=none, high=none, bound=knee.broken_per_s, void=knee.void, kept=kept, besides=tuple(besides)
    )


def of_bench(plan: LoadStagesPlan, found: Benched | None) -> Iterator[Fact]:
    """What one token met. Refused were all but a minute's worth of requests, more or less what a burst allows; what the
    limiter was not seen to refuse, or where nothing was let through, another trouble may have refused. ``ab`` tells no
    status, so that the limiter is asked behind it; of any other program each refusal has to be the limiter's. With so
    few answers that no pod had to refuse any, what it does with more was not seen."""
    if found is None or not found.answered:
        return
    by_limiter = bool(found.limited) if found.program == AB else found.limited == found.not_2xx
    unseen = message("that the rate limiter refused them by 429, and let others through, was not seen")
    void = found.not_2xx and not (by_limiter and found.not_2xx < found.answered)
    few = not found.not_2xx and found.answered <= plan.pods * RATE_LIMIT_PER_MIN
    yield FactsOf(PHRASES)(
        "ab.refused",
        found.not_2xx,
        high=math.inf if few else None,
        of=found.answered,
        void=(unseen,) if void else (),
        program=found.program,
        requests=str(found.requests),
        at_once=str(found.at_once),
        pods=str(plan.pods),
        limit=str(RATE_LIMIT_PER_MIN),
    )
