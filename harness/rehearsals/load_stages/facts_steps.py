"""A step of load: its figures from the evidence, and the facts that they are. Pure.

The generator proves that it was not the limit: a step whose requests were sent late, or whose busiest worker had no
core left, says nothing, whatever it shows. So does one whose requests did not reach all of the pods alike: kept
connections stay with the pods that they began on. And one that met the API's rate limiter: its answers cost nothing.
And one beside photos that were not uploaded.

What was due by the step's own plan and is not in evidence counts against a pass, and undoes a fail that it could undo.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.base.ticks import NS
from harness.model.evidence import Window
from harness.model.message import Message, Told, message
from harness.model.scenario import Step
from harness.rehearsals.load_stages.types import MadeStep, StepFigures, StepResult
from harness.rules.bounds import nearest_rank, quantile_bounds, ratio_lower, ratio_upper
from harness.rules.figures import latencies_ms
from harness.rules.ledger import ON_TIME_NS, Calls, Ledger, lag_ns
from harness.rules.planned import lost_words
from harness.rules.rule import Fact, FactsOf
from harness.rules.summary import together

#: Of a core: above it the busiest worker may be what kept the requests waiting.
MOST_GENERATOR_CORES = 0.9
#: Of its even share: connections that a Service deals out by chance stay below it, from so many requests a pod on.
MOST_OF_ITS_SHARE, REQUESTS_A_POD = 2.0, 20
#: Of the photos that were due beside a step: with fewer it was no interference.
LEAST_PHOTOS = 0.9
_MS = 1_000_000
_TOO_MANY_REQUESTS = "429"


def photos_due(step: Step) -> int:
    """How many uploads are due beside the step."""
    return round(step.photos_per_s * step.seconds)


def figures(calls: Calls, window: Window, made: MadeStep, ledger: Ledger, *, missing: int = 0) -> StepFigures:
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


def of_steps(fact: FactsOf, steps: Sequence[StepResult], *besides: Message) -> Iterator[Fact]:
    """Of one step, or of the stages of a claim together: the worst p95, the errors of all, which a step alone may be
    too short to bound, and the worst ratio of errors as it was measured.

    Each reaches from what the samples prove, with what is missing of them quick and good, to what they prove with that
    slow and failed. A step that is mute may be anything.
    """
    heard = [each for each in steps if each.mute is None]
    lost = lost_words(sum(each.figures.missing for each in steps), sum(each.figures.requests for each in steps))
    mute = tuple(each.mute for each in steps if each.mute is not None)
    if not heard:
        names = ("p95_ms", "errors_ratio", "worst.errors_ratio", "pods.unknown")
        yield from fact.none(*names, void=(*mute, *lost, *besides))
        return
    told = [each.figures for each in heard]
    uppers = [math.inf if each.latency_p95_upper_ms is None else each.latency_p95_upper_ms for each in told]
    yield fact(
        "p95_ms",
        max(each.latency_p95_ms or 0.0 for each in told),
        low=max(each.latency_p95_lower_ms or 0.0 for each in told),
        high=math.inf if mute else max(uppers),
        sampled=True,
        of=len(steps),
        besides=(*mute, *lost, *besides),
    )
    yield _errors(fact, told, lost)
    yield fact(
        "worst.errors_ratio",
        max(each.failed / each.requests for each in told),
        low=max(ratio_lower(each.failed, each.requests + each.missing) for each in told),
        high=max((each.failed + each.missing) / (each.requests + each.missing) for each in told),
        of=len(told),
        besides=lost,
    )
    yield _unknown_pods(fact, heard)


def _errors(fact: FactsOf, told: Sequence[StepFigures], lost: Told) -> Fact:
    requests, failed = sum(each.requests for each in told), sum(each.failed for each in told)
    missing = sum(each.missing for each in told)
    return fact(
        "errors_ratio",
        failed / requests,
        low=ratio_lower(failed, requests + missing),
        high=ratio_upper(failed + missing, requests + missing),
        sampled=True,
        of=requests,
        besides=lost,
        failed=str(failed),
    )


def _unknown_pods(fact: FactsOf, steps: Sequence[StepResult]) -> Fact:
    """Of how many pods it is not known whether the load was theirs: answers do not name them, and one is not all."""
    named = [(sum(each.figures.requests_by_pod.values()), each) for each in steps]
    unknown = [
        (each.pods, some, each.figures.requests)
        for some, each in named
        if each.pods > 1 and some < REQUESTS_A_POD * each.pods <= each.figures.requests
    ]
    pods, some, of = max(unknown, default=(0, 0, 0))
    return fact("pods.unknown", pods, of=of, some=str(some))


def why_mute(measured: StepFigures, pods: int) -> Message | None:
    """Why the step says nothing of the pods that it was made on, however it looks; ``None`` where it does."""
    if measured.latency_p95_ms is None:
        return message("no request was due")
    spread = spread_words(measured, pods)
    return generator_words(measured) or spread or limiter_words(measured) or photo_words(measured)


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
