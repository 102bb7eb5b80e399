"""A step of load: its figures from the evidence, and whether it kept the limits. Pure.

The generator proves that it was not the limit: a step whose requests were sent late, or whose busiest worker had no
core left, is inconclusive, whatever it shows. So is one whose requests did not reach all of the pods alike: kept
connections stay with the pods that they began on. And one that met the API's rate limiter: its answers cost nothing.
And one beside photos that were not uploaded.
"""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.judge.bounds import nearest_rank, quantile_bounds, ratio_lower, ratio_upper, samples_needed
from harness.judge.figures import latencies_ms
from harness.judge.lag import ON_TIME_NS, lag_ns
from harness.judge.ledger import Calls
from harness.judge.summary import together
from harness.judge.window import NS, Window
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.types import StepFigures

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


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What was read beside the requests; ``None`` where it could not be read."""

    generator_cpu_cores: float | None = None
    machine_cpu_ratio: float | None = None
    database_connections: int | None = None
    database_limit: int | None = None
    cpu_samples: list[tuple[int, str, float]] = []
    memory_samples: list[tuple[int, str, float]] = []
    histogram: str = ""
    requests_by_pod: dict[str, int] = {}
    photos_due: int = 0
    photos_uploaded: int = 0


def figures(calls: Calls, window: Window, around: Around) -> StepFigures:
    """The figures of the requests due in ``window`` (rows of ``CALL``, those of the step alone)."""
    latency = np.sort(latencies_ms(calls))
    total, failed = len(calls), int(np.count_nonzero(~calls["ok"]))
    lower, upper = quantile_bounds(latency) if total else (None, None)
    lag_ms: NDArray[np.float64] = np.sort(lag_ns(calls) / _MS)
    cpu, memory = together(around.cpu_samples, window), together(around.memory_samples, window)

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
        latency_p95_upper_ms=upper,
        error_upper=ratio_upper(failed, total) if total else None,
        lag_p99_ms=percentile(lag_ms, 0.99),
        generator_cpu_cores=around.generator_cpu_cores,
        machine_cpu_ratio=around.machine_cpu_ratio,
        pods_cpu_cores=sum(cpu) / len(cpu) if cpu else None,
        pods_memory_bytes=max(memory, default=None),
        database_connections=around.database_connections,
        database_limit=around.database_limit,
        histogram=around.histogram,
        requests_by_pod=around.requests_by_pod,
        photos_due=around.photos_due,
        photos_uploaded=around.photos_uploaded,
    )


def verdict(measured: StepFigures, limits: Limits, pods: int) -> tuple[Verdict, str]:
    """Whether the step kept its limits with so many ``pods``, and why.

    Errors are judged by their bound once the sample can carry it, on the measured ratio below that, which is said.
    """
    if not measured.requests or measured.latency_p95_ms is None:
        return Verdict.INCONCLUSIVE, "no request was due"
    spread = spread_words(measured, pods)
    if mute := generator_words(measured) or spread or limiter_words(measured) or photo_words(measured):
        return Verdict.INCONCLUSIVE, mute
    return _kept(measured, measured.latency_p95_ms, limits)


def _kept(measured: StepFigures, p95_ms: float, limits: Limits) -> tuple[Verdict, str]:
    p95 = f"p95 {p95_ms:.0f} ms"
    ratio = measured.failed / measured.requests
    errors = f"{measured.failed} of {measured.requests} failed"
    lower, upper = measured.latency_p95_lower_ms, measured.latency_p95_upper_ms
    if lower is not None and lower >= limits.p95_ms:
        return Verdict.FAIL, f"{p95}, at least {lower:.0f} ms; {errors}"
    if ratio_lower(measured.failed, measured.requests) > limits.error_ratio:
        return Verdict.FAIL, f"{errors}, above {limits.error_ratio * 100:g} %; {p95}"
    if upper is None:
        return Verdict.INCONCLUSIVE, f"{p95}, but {measured.requests} requests are too few ({_P95_SAMPLES} are needed)"
    if upper >= limits.p95_ms or ratio >= limits.error_ratio:
        return Verdict.INCONCLUSIVE, f"{p95}, at most {upper:.0f} ms; {errors}: too near the limit to tell"
    few = samples_needed(limits.error_ratio, measured.failed) > measured.requests
    more = f" (too few to carry a bound below {limits.error_ratio * 100:g} %)" if few else ""
    return Verdict.PASS, f"{p95}, at most {upper:.0f} ms; {errors}{more}"


def generator_words(measured: StepFigures) -> str:
    """Why the generator may have been the limit; "" when it was not."""
    if measured.lag_p99_ms is not None and measured.lag_p99_ms * _MS > ON_TIME_NS:
        return f"the generator was the limit: its p99 lag is {measured.lag_p99_ms:.0f} ms"
    if measured.generator_cpu_cores is not None and measured.generator_cpu_cores > MOST_GENERATOR_CORES:
        return f"the generator was the limit: a worker used {measured.generator_cpu_cores:.2f} of a core"
    return ""


def spread_words(measured: StepFigures, pods: int) -> str:
    """Why the load was not one on all ``pods``; "" when it was, or when answers do not name their pods."""
    by_pod = measured.requests_by_pod
    total = sum(by_pod.values())
    if not by_pod or total < REQUESTS_A_POD * pods:
        return ""
    if len(by_pod) < pods:
        return f"the load was not spread: {len(by_pod)} of {pods} pods answered"
    if (most := max(by_pod.values())) > MOST_OF_ITS_SHARE * total / pods:
        return f"the load was not spread: one of {pods} pods answered {most} of {total}"
    return ""


def limited_times(measured: StepFigures) -> int:
    """How many answers were the rate limiter's (429)."""
    return measured.statuses.get(_TOO_MANY_REQUESTS, 0)


def limiter_words(measured: StepFigures) -> str:
    """Why the load was not the pods' to carry; "" when the rate limiter answered none of it."""
    times = limited_times(measured)
    return f"the rate limiter answered {times} times" if times else ""


def photo_words(measured: StepFigures) -> str:
    """Why the step was not one beside photos; "" when it was, or was not to be."""
    due, uploaded = measured.photos_due, measured.photos_uploaded
    return f"{uploaded} of {due} photos were uploaded" if uploaded < LEAST_PHOTOS * due else ""


def window_of(origin_ns: int, seconds: float) -> Window:
    """The step's window."""
    return Window(start_ns=origin_ns, end_ns=origin_ns + round(seconds * NS))
