"""A step of load: its figures from the evidence, and whether it kept the limits. Pure.

The generator proves that it was not the limit: a step whose requests were sent late, or whose busiest worker had no
core left, is inconclusive, whatever it shows. So is one whose requests did not reach all of the pods alike: kept
connections stay with the pods that they began on. And one that met the API's rate limiter: its answers cost nothing.
And one beside photos that were not uploaded.

What was due by the step's own plan and is not in evidence counts against a pass, and undoes a fail that it could undo.
"""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.judge.bounds import nearest_rank, quantile_bounds, ratio_lower, ratio_upper, samples_needed
from harness.judge.figures import latencies_ms
from harness.judge.lacking import of_plan
from harness.judge.lag import ON_TIME_NS, lag_ns
from harness.judge.ledger import Calls, Ledger
from harness.judge.planned import lost_words
from harness.judge.summary import together
from harness.judge.window import NS, Window
from harness.load.population.arrivals import due_of_step
from harness.model.evidence import Side
from harness.model.message import Message, Told, message
from harness.model.step import Step
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.types import Made, StepFigures, StepResult

#: Of a core: above it the busiest worker may be what kept the requests waiting.
MOST_GENERATOR_CORES = 0.9
#: Of its even share: connections that a Service deals out by chance stay below it, from so many requests a pod on.
MOST_OF_ITS_SHARE, REQUESTS_A_POD = 2.0, 20
#: Of the photos that were due beside a step: with fewer it was no interference.
LEAST_PHOTOS = 0.9
_MS = 1_000_000
_P95_SAMPLES = 59
_TOO_MANY_REQUESTS = "429"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a step has to keep: p95 below ``p95_ms`` and failures below ``error_ratio`` of the requests."""

    p95_ms: float
    error_ratio: float


def result_of(made: Made, ledger: Ledger, limits: Limits, seed: int) -> StepResult:
    """The step judged, from what the ledger has of its window, beside what was due by ``seed``, the run's."""
    window = window_of(made.start_ns, made.step.seconds)
    calls = ledger.requests_due(window, Side.API)
    due_ns = due_of_step(made.step, seed, made.start_ns)
    missing = 0
    if due_ns is not None:
        calls, missing = of_plan(calls, due_ns)
    measured = figures(calls, window, made, ledger, missing=missing)
    judged, told = verdict(measured, limits, made.pods)
    few = False
    if judged is Verdict.PASS and not made.step.of_search:
        few = samples_needed(limits.error_ratio, measured.failed + missing) > measured.requests + missing
        if unnamed := _unnamed(measured, made.pods):
            few, told = False, (unnamed, *told)
        judged = Verdict.INCONCLUSIVE if few or unnamed else judged
    return StepResult(
        step=made.step, pods=made.pods, figures=measured, verdict=judged, told=told, start_ns=made.start_ns, few=few
    )


def _unnamed(measured: StepFigures, pods: int) -> Message | None:
    """Why it is not known whether the load was one on all ``pods``; ``None`` where answers name them, or one is all."""
    named, enough = sum(measured.requests_by_pod.values()), REQUESTS_A_POD * pods
    if pods == 1 or named >= enough or measured.requests < enough:
        return None
    words = {"some": str(named), "all": str(measured.requests), "pods": str(pods)}
    return message("only {some} of {all} answers name their pod, so whether {pods} pods answered is not known", **words)


def photos_due(step: Step) -> int:
    """How many uploads are due beside the step."""
    return round(step.photos_per_s * step.seconds)


def figures(calls: Calls, window: Window, made: Made, ledger: Ledger, *, missing: int = 0) -> StepFigures:
    """The figures of the requests due in ``window`` (rows of ``CALL``, those of the step alone), of which so many more
    were due."""
    latency = np.sort(latencies_ms(calls))
    total, failed = len(calls), int(np.count_nonzero(~calls["ok"]))
    lower, _ = quantile_bounds(np.append(np.zeros(missing), latency))
    _, upper = quantile_bounds(np.append(latency, np.full(missing, np.inf)))
    lag_ms: NDArray[np.float64] = np.sort(lag_ns(calls) / _MS)
    cpu, memory = together(ledger.samples["cpu_cores"], window), together(ledger.samples["memory_bytes"], window)

    def percentile(values: NDArray[np.float64], quantile: float) -> float | None:
        return float(values[nearest_rank(len(values), quantile) - 1]) if len(values) else None

    statuses = Counter(int(status) for status in calls["status"])
    return StepFigures(
        offered_per_s=total / window.seconds,
        answered_per_s=float(np.count_nonzero(calls["ok"] & (calls["done_ns"] < window.end_ns))) / window.seconds,
        requests=total,
        failed=failed,
        statuses={str(status): count for status, count in sorted(statuses.items())},
        latency_p50_ms=percentile(latency, 0.5),
        latency_p95_ms=percentile(latency, 0.95),
        latency_p99_ms=percentile(latency, 0.99),
        latency_p95_lower_ms=lower,
        latency_p95_upper_ms=None if upper == np.inf else upper,
        error_upper=ratio_upper(failed + missing, total + missing) if total else None,
        lag_p99_ms=percentile(lag_ms, 0.99),
        generator_cpu_cores=made.generator_cpu_cores,
        machine_cpu_ratio=made.machine_cpu_ratio,
        pods_cpu_cores=sum(cpu) / len(cpu) if cpu else None,
        pods_memory_bytes=max(memory, default=None),
        database_connections=made.database_connections,
        database_limit=made.database_limit,
        requests_by_pod=ledger.pods_due(window),
        photos_due=photos_due(made.step),
        photos_uploaded=made.photos_uploaded,
        missing=missing,
    )


def verdict(measured: StepFigures, limits: Limits, pods: int) -> tuple[Verdict, Told]:
    """Whether the step kept its limits with so many ``pods``, and why.

    Errors are judged by their bound once the sample can carry it, on the measured ratio below that, which is said: a
    step of the search for the knee is then kept, any other is inconclusive.
    """
    lost = lost_words(measured.missing, measured.requests)
    if measured.latency_p95_ms is None:
        return Verdict.INCONCLUSIVE, lost or (message("no request was due"),)
    spread = spread_words(measured, pods)
    if mute := generator_words(measured) or spread or limiter_words(measured) or photo_words(measured):
        return Verdict.INCONCLUSIVE, (mute, *lost)
    found, told = _kept(measured, measured.latency_p95_ms, limits)
    return found, (*told, *lost)


def _kept(measured: StepFigures, p95_ms: float, limits: Limits) -> tuple[Verdict, Told]:
    p95 = f"{p95_ms:.0f}"
    due, failed = measured.requests + measured.missing, measured.failed + measured.missing
    errors = message("{failed} of {all} failed", failed=str(measured.failed), all=str(measured.requests))
    lower, upper = measured.latency_p95_lower_ms, measured.latency_p95_upper_ms
    if lower is not None and lower >= limits.p95_ms:
        return Verdict.FAIL, (message("p95 {p95} ms, at least {lower} ms", p95=p95, lower=f"{lower:.0f}"), errors)
    if ratio_lower(measured.failed, due) > limits.error_ratio:
        above = message("{errors}, above {limit} %", errors=errors, limit=f"{limits.error_ratio * 100:g}")
        return Verdict.FAIL, (above, message("p95 {p95} ms", p95=p95))
    if upper is None and due >= _P95_SAMPLES:  # what is missing reaches it
        return Verdict.INCONCLUSIVE, (message("p95 {p95} ms", p95=p95), errors)
    if upper is None:
        few = message(
            "p95 {p95} ms, but {count} requests are too few ({needed} are needed)",
            p95=p95,
            count=str(measured.requests),
            needed=str(_P95_SAMPLES),
        )
        return Verdict.INCONCLUSIVE, (few,)
    kept = message("p95 {p95} ms, at most {upper} ms", p95=p95, upper=f"{upper:.0f}")
    if upper >= limits.p95_ms or failed / due >= limits.error_ratio:
        return Verdict.INCONCLUSIVE, (kept, message("{errors}: too near the limit to tell", errors=errors))
    if samples_needed(limits.error_ratio, failed) > due:
        errors = message(
            "{errors} (too few to carry a bound below {limit} %)",
            errors=errors,
            limit=f"{limits.error_ratio * 100:g}",
        )
    return Verdict.PASS, (kept, errors)


def generator_words(measured: StepFigures) -> Message | None:
    """Why the generator may have been the limit; ``None`` when it was not."""
    if measured.lag_p99_ms is not None and measured.lag_p99_ms * _MS > ON_TIME_NS:
        return message("the generator was the limit: its p99 lag is {lag} ms", lag=f"{measured.lag_p99_ms:.0f}")
    if measured.generator_cpu_cores is not None and measured.generator_cpu_cores > MOST_GENERATOR_CORES:
        used = f"{measured.generator_cpu_cores:.2f}"
        return message("the generator was the limit: a worker used {cores} of a core", cores=used)
    return None


def spread_words(measured: StepFigures, pods: int) -> Message | None:
    """Why the load was not one on all ``pods``; ``None`` when it was, or when answers do not name their pods."""
    by_pod = measured.requests_by_pod
    total = sum(by_pod.values())
    if not by_pod or total < REQUESTS_A_POD * pods:
        return None
    if len(by_pod) < pods:
        words = {"some": str(len(by_pod)), "all": str(pods)}
        return message("the load was not spread: {some} of {all} pods answered", **words)
    if (most := max(by_pod.values())) > MOST_OF_ITS_SHARE * total / pods:
        return message(
            "the load was not spread: one of {pods} pods answered {most} of {all}",
            pods=str(pods),
            most=str(most),
            all=str(total),
        )
    return None


def limited_times(measured: StepFigures) -> int:
    """How many answers were the rate limiter's (429)."""
    return measured.statuses.get(_TOO_MANY_REQUESTS, 0)


def limiter_words(measured: StepFigures) -> Message | None:
    """Why the load was not the pods' to carry; ``None`` when the rate limiter answered none of it."""
    times = limited_times(measured)
    return message("the rate limiter answered {count} times", count=str(times)) if times else None


def photo_words(measured: StepFigures) -> Message | None:
    """Why the step was not one beside photos; ``None`` when it was, or was not to be."""
    due, uploaded = measured.photos_due, measured.photos_uploaded
    if uploaded >= LEAST_PHOTOS * due:
        return None
    return message("{some} of {all} photos were uploaded", some=str(uploaded), all=str(due))


def window_of(origin_ns: int, seconds: float) -> Window:
    """The step's window."""
    return Window(start_ns=origin_ns, end_ns=origin_ns + round(seconds * NS))
