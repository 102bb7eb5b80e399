"""The document's claims against what was measured. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model.load_stages import Arrivals, ClaimResult, Knee, LoadStagesPlan, StepResult
from harness.model.verdict import Verdict

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
                return ClaimResult(claim=claim, verdict=result.verdict, value=value, reason=result.reason)
            kept = round(good_per_s, 6) >= TARGET_PER_S
            told = Verdict.PASS if kept else Verdict.FAIL
            return ClaimResult(
                claim=claim, verdict=told, value=value, reason=f"{figures.failed} failed; {result.reason}"
            )
    return _none(claim, f"no stage of {TARGET_USERS} users was run")


def _stages(steps: Sequence[StepResult]) -> ClaimResult:
    """Judged in the document's own reading, users at a pace; N in flight is shown as the erratum's evidence."""
    claim = "load.stages"
    users = [result for result in steps if result.step.arrivals is Arrivals.EVEN]
    if not users:
        return _none(claim, "no stage of users was run")
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    worst = min((result.verdict for result in users), key=order.index)
    value = ", ".join(f"{result.step.users} users {result.verdict}" for result in users)
    flights = [f"{r.step.in_flight} in flight {r.verdict}" for r in steps if r.step.arrivals is Arrivals.CLOSED]
    return ClaimResult(claim=claim, verdict=worst, value=value, reason="; ".join(["in the other reading", *flights]))


def _capacity(knees: Sequence[Knee], *, bundled: bool, limits_enforced: bool, cpu_factor: float) -> ClaimResult:
    claim = "load.pod_capacity"
    knee = next((knee for knee in knees if knee.pods == CAPACITY_PODS and not knee.photos_per_s), None)
    if knee is None:
        return _none(claim, f"no knee of {CAPACITY_PODS} pods was searched")
    value = "no rate" if knee.rate_per_s is None else f"{knee.rate_per_s:.1f}/s"
    lacking = [
        *(["the target is the bundled Python API, and the claim is about Go"] if bundled else []),
        *([] if limits_enforced else ["CPU and memory limits were not enforced"]),
        *([] if cpu_factor == 1 else [f"CPU limits were multiplied by {cpu_factor:.3f}"]),
    ]
    if lacking:
        reason = f"{'; '.join(lacking)}. Measured here: {knee.reason}"
        return ClaimResult(claim=claim, verdict=Verdict.NOT_EXERCISED, value=value, reason=reason)
    kept = knee.rate_per_s is not None and knee.rate_per_s >= CAPACITY_PER_S
    missed = Verdict.INCONCLUSIVE if knee.verdict is Verdict.INCONCLUSIVE else Verdict.FAIL
    told = Verdict.PASS if kept else missed
    return ClaimResult(claim=claim, verdict=told, value=value, reason=knee.reason)


def _sizing(steps: Sequence[StepResult], knees: Sequence[Knee], *, request_cores: float) -> ClaimResult:
    """What a pod carries, and whether the HPA acts before users notice: measured for every number of pods."""
    claim = "checklist.performance.sizing"
    plain = [knee for knee in knees if not knee.photos_per_s]
    if not plain:
        return _none(claim, "no knee was searched")
    told = [_one_size(steps, knee, request_cores) for knee in plain]
    value = ", ".join(f"{k.pods} pods {k.rate_per_s:.1f}/s" if k.rate_per_s else f"{k.pods} pods: none" for k in plain)
    missing = any(knee.verdict is not Verdict.PASS for knee in plain)
    verdict = Verdict.INCONCLUSIVE if missing else Verdict.PASS
    return ClaimResult(claim=claim, verdict=verdict, value=value, reason="; ".join(told))


def _one_size(steps: Sequence[StepResult], knee: Knee, request_cores: float) -> str:
    if knee.verdict is not Verdict.PASS or knee.rate_per_s is None:
        return f"{knee.pods} pods: {knee.reason}"
    words = f"{knee.pods} pods: {knee.rate_per_s / knee.pods:.1f}/s a pod"
    at = next(
        (s.figures for s in steps if s.pods == knee.pods and s.step.rate_per_s == knee.rate_per_s
         and s.step.name.startswith("knee_") and not s.step.photos_per_s and s.verdict is Verdict.PASS),
        None,
    )  # fmt: skip
    if at is None or at.pods_cpu_cores is None or not request_cores:
        return words
    used = at.pods_cpu_cores / knee.pods / request_cores
    acts = "acts before the limit" if used > HPA_RISES_AT else "would not have acted yet"
    memory = "" if at.pods_memory_bytes is None else f", {at.pods_memory_bytes / knee.pods / _MIB:.0f} MiB of memory"
    return f"{words} at {used * 100:.0f} % of its CPU request (the HPA {acts}){memory}"


def _connections(steps: Sequence[StepResult]) -> ClaimResult:
    """pool x (10 + surge) against max_connections, with the pool as the database saw it at its fullest."""
    claim = "manifest.hpa.max"
    seen = [(r.figures.database_connections / r.pods) for r in steps if r.figures.database_connections]
    if not seen:
        return _none(claim, "the database's connections were not read")
    pool = max(seen)
    needed = pool * (MOST_PODS + SURGE)
    told = Verdict.PASS if needed <= MAX_CONNECTIONS else Verdict.FAIL
    reason = (
        f"at most {pool:.1f} connections a pod were seen; {MOST_PODS} pods and {SURGE} of surge need {needed:.0f} "
        f"of Cloud SQL's {MAX_CONNECTIONS} at 4 GB"
    )
    return ClaimResult(claim=claim, verdict=told, value=f"{needed:.0f}", reason=reason)


def _none(claim: str, reason: str) -> ClaimResult:
    return ClaimResult(claim=claim, verdict=Verdict.NOT_EXERCISED, value="", reason=reason)
