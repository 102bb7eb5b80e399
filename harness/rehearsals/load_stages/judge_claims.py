"""The document's claims against what was measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from harness.base.units import Unit
from harness.judge.bounds import ratio_upper
from harness.judge.claimed import claimed, not_exercised, unknown
from harness.model.expected import Expected
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, Told, message
from harness.model.step import CAPACITY, Arrivals, Step
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.judge_sizing import grows, sizing
from harness.rehearsals.load_stages.judge_steps import limited_times
from harness.rehearsals.load_stages.types import Asked, Knee, LoadStagesPlan, Sized, StepFigures, StepResult

CAPACITY_CLAIM = "load.pod_capacity"
TARGET_USERS, TARGET_PER_S = 500, 10.0
_MIB = 1024 * 1024
_VERDICT = {
    Verdict.PASS: message("pass"),
    Verdict.FAIL: message("fail"),
    Verdict.INCONCLUSIVE: message("inconclusive"),
}


def judged(
    plan: LoadStagesPlan,
    steps: Sequence[StepResult],
    knees: Sequence[Knee],
    *,
    asked: Sized,
    bundled: bool,
    limits_enforced: bool,
) -> Iterator[Judgement]:
    """Each claim of the plan that a rule here knows, in the plan's order."""
    searched = sum(not each.photos_per_s for each in knees)
    results = {
        "load.target_qps": (_target(plan, steps),),
        "load.stages": (_stages(plan, steps),),
        CAPACITY_CLAIM: _capacity(plan, steps, knees, asked, bundled=bundled, limits_enforced=limits_enforced),
        "checklist.performance.sizing": (msgspec.structs.replace(sizing(steps, knees, asked), samples=searched),),
        "manifest.hpa.max": (_connections(steps, asked),),
        "decision.future": (msgspec.structs.replace(grows(knees), samples=searched),),
    }
    for claim in plan.claims:
        yield from results.get(claim, ())


def expected(plan: LoadStagesPlan, *, bundled: bool) -> list[Expected]:
    """The claims of the plan, each with how many stages or searches it must rest on; of the bundled API its capacity
    once more."""
    of_users = sum(each.arrivals is Arrivals.EVEN for each in plan.stages)
    searches = dict.fromkeys(("checklist.performance.sizing", "decision.future"), len(plan.knee.pods))
    least = {"load.stages": of_users, **searches}
    found = [Expected("", claim, claim, least.get(claim, 0)) for claim in plan.claims]
    of_target = bundled and CAPACITY_CLAIM in plan.claims and any(each.name == CAPACITY for each in plan.stages)
    return [*found, Expected("", f"{CAPACITY_CLAIM}.of_target", CAPACITY_CLAIM)] if of_target else found


#: What the document requires of 500 users, whose stage has the limits of the p95 and of the error ratio.
_REQUIRED = ("requirements.concurrency_500", "requirements.latency_500ms")


def _target(plan: LoadStagesPlan, steps: Sequence[StepResult]) -> Judgement:
    """500 users at one request in 50 s: 10.0/s offered, answered well, and within the limits."""
    claim = "load.target_qps"
    for each in steps:
        step, figures = each.step, each.figures
        if _is_target(step):
            good_per_s = (figures.requests - figures.failed) / step.seconds
            measured: dict[str, Any] = {
                "value": good_per_s, "limit": TARGET_PER_S, "unit": Unit.PER_SECOND, "samples": figures.requests,
                "also": _REQUIRED,
            }  # fmt: skip
            if each.verdict is not Verdict.PASS and not each.few:
                return claimed("", claim, each.verdict, *each.told, **measured)
            failed = message("{count} failed", count=str(figures.failed))
            enough = _offered_enough(figures, step.seconds)
            verdict = Verdict.INCONCLUSIVE if each.few and enough is Verdict.PASS else enough
            return claimed("", claim, verdict, failed, *each.told, **measured)
    none_run = message("no stage of {users} users was run", users=str(TARGET_USERS))
    return _not_run(claim, any(map(_is_target, plan.stages)), none_run)


def _is_target(step: Step) -> bool:
    return step.arrivals is Arrivals.EVEN and step.users == TARGET_USERS


def _not_run(claim: str, planned: bool, *told: Message) -> Judgement:
    """What was ``planned`` and not run keeps the run from its success; what was left out does not."""
    return unknown("", claim, *told) if planned else not_exercised("", claim, *told)


def _offered_enough(figures: StepFigures, seconds: float) -> Verdict:
    """Whether enough requests were answered well: a fail is void where those that are missing could undo it."""
    good = figures.requests - figures.failed
    if round(good / seconds, 6) >= TARGET_PER_S:
        return Verdict.PASS
    return Verdict.INCONCLUSIVE if round((good + figures.missing) / seconds, 6) >= TARGET_PER_S else Verdict.FAIL


def _stages(plan: LoadStagesPlan, steps: Sequence[StepResult]) -> Judgement:
    """Judged in the document's own reading, users at a pace; N in flight is shown as the erratum's evidence. Where a
    stage has too few requests for a bound of the errors, all stages are judged together."""
    claim = "load.stages"
    users = [each for each in steps if each.step.arrivals is Arrivals.EVEN]
    limited = [each for each in steps if each.step.arrivals is Arrivals.CLOSED and limited_times(each.figures)]
    erratum = "load.ab_meets_rate_limit" if limited else ""
    flights = [_flight(each) for each in steps if each.step.arrivals is Arrivals.CLOSED]
    wanted = [each.name for each in plan.stages if each.arrivals is Arrivals.EVEN]
    if not users:
        none_run = message("no stage of users was run")
        if limited and not wanted:
            return claimed("", claim, Verdict.ERRATUM_SHOWN, none_run, *flights, erratum=erratum)
        return _not_run(claim, bool(wanted), none_run, *flights)
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    worst = min((each.verdict for each in users), key=order.index)
    shown = tuple(_of_users(each) for each in users)
    why = () if worst is Verdict.PASS else next(each.told for each in users if each.verdict is worst)
    if worst is not Verdict.PASS and all(each.few or each.verdict is Verdict.PASS for each in users):
        failed = sum(each.figures.failed + each.figures.missing for each in users)
        due = sum(each.figures.requests + each.figures.missing for each in users)
        upper = ratio_upper(failed, due)
        worst = Verdict.PASS if upper < plan.error_limit else Verdict.INCONCLUSIVE
        together = message(
            "in all stages {failed} of {all} failed, shown to be below {bound} %, limit {limit} %",
            failed=str(failed), all=str(due), bound=f"{upper * 100:.2f}", limit=f"{plan.error_limit * 100:g}",
        )  # fmt: skip
        why = (together,)
    beside = (message("in the other reading"), *flights)
    return claimed("", claim, worst, *why, *beside, shown=shown, erratum=erratum, samples=len(users))


def _of_users(step: StepResult) -> Message:
    return message("{count} users {verdict}", count=str(step.step.users), verdict=_VERDICT[step.verdict])


def _flight(step: StepResult) -> Message:
    words = message("{count} in flight {verdict}", count=str(step.step.in_flight), verdict=_VERDICT[step.verdict])
    if times := limited_times(step.figures):
        return message("{words} (the rate limiter answered {times} times)", words=words, times=str(times))
    return words


def _capacity(
    plan: LoadStagesPlan,
    steps: Sequence[StepResult],
    knees: Sequence[Knee],
    asked: Sized,
    *,
    bundled: bool,
    limits_enforced: bool,
) -> tuple[Judgement, ...]:
    """The document's rate offered to its pods under the manifests' own limits; a knee, found under scaled ones, is told
    beside it. The claim is about Go: on the bundled API the same is judged once more, of the target at hand.
    """
    knee = next((knee for knee in knees if knee.pods == plan.pods and not knee.photos_per_s), None)
    beside = () if knee is None else _beside(knee)
    step = next((each for each in steps if each.step.name == CAPACITY), None)
    if step is None:
        none_run = message("the stage of {rate}/s was not run", rate=f"{plan.capacity.rate_per_s:g}")
        planned = any(each.name == CAPACITY for each in plan.stages)
        return (_not_run(CAPACITY_CLAIM, planned, none_run, *beside),)
    offered = _offered(step, asked.containers[0])
    unenforced = [] if limits_enforced else [message("CPU and memory limits were not enforced, or were scaled")]
    of_target = _carried(step, offered, unenforced, beside)
    if not bundled:
        return (of_target,)
    about_go = message("the target is the bundled Python API, and the claim is about Go")
    this = message("{claim}, of this target", claim=CAPACITY_CLAIM)
    return (
        _carried(step, offered, [about_go, *unenforced], beside),
        msgspec.structs.replace(of_target, id=f"{CAPACITY_CLAIM}.of_target", asked=(this,)),
    )


def _carried(step: StepResult, offered: Message, lacking: Sequence[Message], beside: Told) -> Judgement:
    """The step's own verdict, unless something was ``lacking``."""
    measured: dict[str, Any] = {
        "value": step.figures.answered_per_s, "unit": Unit.PER_SECOND, "samples": step.figures.requests
    }  # fmt: skip
    if lacking:
        here = message("measured here: {what}", what=offered)
        return claimed("", CAPACITY_CLAIM, Verdict.NOT_EXERCISED, *lacking, here, *step.told, *beside, **measured)
    return claimed("", CAPACITY_CLAIM, step.verdict, offered, *step.told, *beside, **measured)


def _offered(step: StepResult, container: Asked) -> Message:
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


def _beside(knee: Knee) -> Told:
    first, *more = knee.told
    return (message("the knee of {pods} pods: {what}", pods=str(knee.pods), what=first), *more)


def _in_flight(made: StepResult) -> float:
    """Of an open loop as many as Little's law gives for half of the requests: more of them waited at times."""
    return made.step.in_flight or made.figures.offered_per_s * (made.figures.latency_p50_ms or 0.0) / 1000


def _connections(steps: Sequence[StepResult], asked: Sized) -> Judgement:
    """pool x (the HPA's most + surge) against what the database lets the target have, with the pool as it saw it at its
    fullest."""
    claim = "manifest.hpa.max"
    seen = [(r.figures.database_connections / r.pods) for r in steps if r.figures.database_connections]
    allowed = [r.figures.database_limit for r in steps if r.figures.database_limit is not None]
    if not seen or not allowed:
        return not_exercised("", claim, message("the database's connections were not read"))
    if asked.hpa is None:
        return not_exercised("", claim, message("the manifests have no autoscaler"))
    pool, pods, surge = max(seen), asked.hpa.max_replicas, asked.surge
    needed = pool * (pods + surge)
    verdict = Verdict.PASS if needed <= min(allowed) else Verdict.FAIL
    unfilled = []
    if verdict is Verdict.PASS and not any(_in_flight(r) / r.pods > pool for r in steps):
        # More connections than a pod has requests in flight are never asked for: its pool may be larger.
        verdict, unfilled = Verdict.INCONCLUSIVE, [message("no step had more requests in flight than that")]
    most = message("at most {pool} connections a pod were seen", pool=f"{pool:.1f}")
    all_of_them = message(
        "{pods} pods and {surge} of surge need {needed} of the database's {limit}",
        pods=str(pods),
        surge=str(surge),
        needed=f"{needed:.0f}",
        limit=str(min(allowed)),
    )
    return claimed("", claim, verdict, most, *unfilled, all_of_them, value=needed, limit=min(allowed))


def of_knee(knee: Knee) -> Judgement:
    """A knee, which is told and gates nothing: the claims rest on it."""
    name, asked = f"knee.{knee.pods}", message("the knee of {pods} pods", pods=str(knee.pods))
    if knee.photos_per_s:
        name, asked = f"{name}.photos", message("the knee of {pods} pods, with photo uploads", pods=str(knee.pods))
    return Judgement(
        id=name, kind=Kind.OBSERVATION, gates=False, verdict=knee.verdict, told=knee.told, asked=(asked,),
        value=knee.rate_per_s, bound=knee.broken_per_s, unit=Unit.PER_SECOND,
    )  # fmt: skip
