"""The document's claims against what was measured. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model.load_stages import Arrivals, ClaimResult, Knee, LoadStagesPlan, StepResult
from harness.model.message import Message, Told, english, message, verbatim
from harness.model.verdict import Verdict
from harness.report.words import VERDICT

#: 500mCPU/512Mi x 2 replicas: about 20 requests/s.
CAPACITY_PODS, CAPACITY_PER_S = 2, 20.0
TARGET_USERS, TARGET_PER_S = 500, 10.0
#: Cloud SQL's default at 4 GB of memory (an erratum of manifest.hpa.max).
MAX_CONNECTIONS, MOST_PODS, SURGE = 100, 10, 1
#: The document's HPA target, and Kubernetes' tolerance: replicas rise above 70 % x 1.1 of the summed requests.
HPA_RISES_AT = 0.7 * 1.1
_MIB = 1024 * 1024


def judged(
    plan: LoadStagesPlan,
    steps: Sequence[StepResult],
    knees: Sequence[Knee],
    *,
    bundled: bool,
    limits_enforced: bool,
    cpu_factor: float = 1.0,
    request_m: int = 0,
) -> tuple[ClaimResult, ...]:
    """Each claim of the plan that a rule here knows, in the plan's order.

    ``cpu_factor`` multiplied the pods' CPU while the knees were searched; ``request_m`` is a pod's summed request
    before that, in millicores.
    """
    results = {
        "load.target_qps": _target(steps),
        "load.stages": _stages(steps),
        "load.pod_capacity": _capacity(knees, bundled=bundled, limits_enforced=limits_enforced, cpu_factor=cpu_factor),
        "checklist.performance.sizing": _sizing(steps, knees, request_cores=request_m * cpu_factor / 1000),
        "manifest.hpa.max": _connections(steps),
    }
    return tuple(results[claim] for claim in plan.claims if claim in results)


def _target(steps: Sequence[StepResult]) -> ClaimResult:
    """500 users at one request in 50 s: 10.0/s offered, answered well, and within the limits."""
    claim = "load.target_qps"
    for result in steps:
        step, figures = result.step, result.figures
        if step.arrivals is Arrivals.EVEN and step.users == TARGET_USERS:
            good_per_s = (figures.requests - figures.failed) / step.seconds
            value = f"{good_per_s:.2f}/s"
            if result.verdict is not Verdict.PASS:
                return _result(claim, result.verdict, value, verbatim(result.reason))
            kept = round(good_per_s, 6) >= TARGET_PER_S
            verdict = Verdict.PASS if kept else Verdict.FAIL
            failed = message("{count} failed", count=str(figures.failed))
            return _result(claim, verdict, value, failed, verbatim(result.reason))
    return _none(claim, message("no stage of {users} users was run", users=str(TARGET_USERS)))


def _stages(steps: Sequence[StepResult]) -> ClaimResult:
    """Judged in the document's own reading, users at a pace; N in flight is shown as the erratum's evidence."""
    claim = "load.stages"
    users = [result for result in steps if result.step.arrivals is Arrivals.EVEN]
    if not users:
        return _none(claim, message("no stage of users was run"))
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    worst = min((result.verdict for result in users), key=order.index)
    value = ", ".join(f"{result.step.users} users {result.verdict}" for result in users)
    flights = [
        message("{count} in flight {verdict}", count=str(r.step.in_flight), verdict=Message(text=VERDICT[r.verdict]))
        for r in steps
        if r.step.arrivals is Arrivals.CLOSED
    ]
    return _result(claim, worst, value, message("in the other reading"), *flights)


def _capacity(knees: Sequence[Knee], *, bundled: bool, limits_enforced: bool, cpu_factor: float) -> ClaimResult:
    claim = "load.pod_capacity"
    knee = next((knee for knee in knees if knee.pods == CAPACITY_PODS and not knee.photos_per_s), None)
    if knee is None:
        return _none(claim, message("no knee of {pods} pods was searched", pods=str(CAPACITY_PODS)))
    value = "no rate" if knee.rate_per_s is None else f"{knee.rate_per_s:.1f}/s"
    lacking = [
        *([message("the target is the bundled Python API, and the claim is about Go")] if bundled else []),
        *([] if limits_enforced else [message("CPU and memory limits were not enforced")]),
        *([] if cpu_factor == 1 else [message("CPU limits were multiplied by {factor}", factor=f"{cpu_factor:.3f}")]),
    ]
    if lacking:
        first, *more = _of_knee(knee)
        measured = message("measured here: {what}", what=first)
        return _result(claim, Verdict.NOT_EXERCISED, value, *lacking, measured, *more)
    kept = knee.rate_per_s is not None and knee.rate_per_s >= CAPACITY_PER_S
    missed = Verdict.INCONCLUSIVE if knee.verdict is Verdict.INCONCLUSIVE else Verdict.FAIL
    return _result(claim, Verdict.PASS if kept else missed, value, *_of_knee(knee))


def _sizing(steps: Sequence[StepResult], knees: Sequence[Knee], *, request_cores: float) -> ClaimResult:
    """What a pod carries, and whether the HPA acts before users notice: measured for every number of pods."""
    claim = "checklist.performance.sizing"
    plain = [knee for knee in knees if not knee.photos_per_s]
    if not plain:
        return _none(claim, message("no knee was searched"))
    told = [part for knee in plain for part in _one_size(steps, knee, request_cores)]
    value = ", ".join(f"{k.pods} pods {k.rate_per_s:.1f}/s" if k.rate_per_s else f"{k.pods} pods: none" for k in plain)
    missing = any(knee.verdict is not Verdict.PASS for knee in plain)
    verdict = Verdict.INCONCLUSIVE if missing else Verdict.PASS
    return _result(claim, verdict, value, *told)


def _one_size(steps: Sequence[StepResult], knee: Knee, request_cores: float) -> Told:
    pods = str(knee.pods)
    if knee.verdict is not Verdict.PASS or knee.rate_per_s is None:
        first, *more = _of_knee(knee)
        return (message("{pods} pods: {why}", pods=pods, why=first), *more)
    rate = f"{knee.rate_per_s / knee.pods:.1f}"
    words = message("{pods} pods: {rate}/s a pod", pods=pods, rate=rate)
    at = next(
        (s.figures for s in steps if s.pods == knee.pods and s.step.rate_per_s == knee.rate_per_s
         and s.step.name.startswith("knee_") and not s.step.photos_per_s and s.verdict is Verdict.PASS),
        None,
    )  # fmt: skip
    if at is None or at.pods_cpu_cores is None or not request_cores:
        return (words,)
    used = at.pods_cpu_cores / knee.pods / request_cores
    share = f"{used * 100:.0f}"
    if used > HPA_RISES_AT:
        found = message(
            "{rate} at {share} % of its CPU request (the HPA acts before the limit)", rate=words, share=share
        )
    else:
        found = message(
            "{rate} at {share} % of its CPU request (the HPA would not have acted yet)", rate=words, share=share
        )
    if at.pods_memory_bytes is None:
        return (found,)
    mib = f"{at.pods_memory_bytes / knee.pods / _MIB:.0f}"
    return (message("{found}, {mib} MiB of memory", found=found, mib=mib),)


def _connections(steps: Sequence[StepResult]) -> ClaimResult:
    """pool x (10 + surge) against max_connections, with the pool as the database saw it at its fullest."""
    claim = "manifest.hpa.max"
    seen = [(r.figures.database_connections / r.pods) for r in steps if r.figures.database_connections]
    if not seen:
        return _none(claim, message("the database's connections were not read"))
    pool = max(seen)
    needed = pool * (MOST_PODS + SURGE)
    verdict = Verdict.PASS if needed <= MAX_CONNECTIONS else Verdict.FAIL
    most = message("at most {pool} connections a pod were seen", pool=f"{pool:.1f}")
    all_of_them = message(
        "{pods} pods and {surge} of surge need {needed} of Cloud SQL's {limit} at 4 GB",
        pods=str(MOST_PODS),
        surge=str(SURGE),
        needed=f"{needed:.0f}",
        limit=str(MAX_CONNECTIONS),
    )
    return _result(claim, verdict, f"{needed:.0f}", most, all_of_them)


def _of_knee(knee: Knee) -> Told:
    return knee.told or (verbatim(knee.reason),)


def _none(claim: str, why: Message) -> ClaimResult:
    return _result(claim, Verdict.NOT_EXERCISED, "", why)


def _result(claim: str, verdict: Verdict, value: str, *told: Message) -> ClaimResult:
    return ClaimResult(claim=claim, verdict=verdict, value=value, reason=english(told), told=told)
