"""The figures of a stored window as samples that can be set against another run's. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.judge.difference import Exact, Rate, Ratio, Sample, Series, Single
from harness.judge.figures import MS, latencies_ms
from harness.judge.lag import lag_ns
from harness.judge.ledger import Calls
from harness.judge.summary import summarise, together
from harness.model.evidence import Side
from harness.model.scenario import Metric
from harness.model.units import Unit
from harness.stored.observe import Observed

MIB = 1024 * 1024
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Figure:
    """``unit`` is a ``Unit`` or a word; ``higher_is`` says what more of it means: "better", "worse" or ""."""

    name: str
    unit: str
    higher_is: str
    sample: Sample
    metric: Metric | None = None


def window_figures(seen: Observed) -> tuple[Figure, ...]:
    """Every figure of the window, the same names in the same order for every run."""
    return (*_api(seen), *_firestore(seen), *_pods(seen), *_generator(seen))


def _api(seen: Observed) -> list[Figure]:
    window, ledger = seen.window, seen.ledger
    calls, probes = ledger.requests_due(window, Side.API), ledger.probe_rows_due(window)
    done = ledger.requests
    came = (done["done_ns"] >= window.start_ns) & (done["done_ns"] < window.end_ns) & done["api"] & done["ok"]
    bad_s = summarise(ledger, window, Side.API).bad_seconds
    return [
        Figure("availability", Unit.RATIO, "better", Ratio(_count(probes["ok"]), len(probes)), Metric.AVAILABILITY),
        Figure("seconds with a failed probe", Unit.RATIO, "worse", Ratio(bad_s or 0, math.ceil(window.seconds))),
        Figure("api error ratio", Unit.RATIO, "worse", Ratio(_count(~calls["ok"]), len(calls)), Metric.ERROR_RATIO),
        Figure("api 5xx ratio", Unit.RATIO, "worse", Ratio(_count(calls["status"] // 100 == 5), len(calls))),
        Figure("api 4xx ratio", Unit.RATIO, "worse", Ratio(_count(calls["status"] // 100 == 4), len(calls))),
        *_latency("api", calls, Metric.LATENCY_P95),
        Figure("api requests", Unit.PER_SECOND, "", Rate(len(calls), window.seconds)),
        Figure("api good answers", Unit.PER_SECOND, "better", Rate(_count(came), window.seconds), Metric.REQUEST_RATE),
        Figure("users served throughout", Unit.RATIO, "better", _users(seen), Metric.CONCURRENT_USERS),
    ]


def _firestore(seen: Observed) -> list[Figure]:
    calls = seen.ledger.requests_due(seen.window, Side.FIRESTORE)
    return [
        Figure("firestore error ratio", Unit.RATIO, "worse", Ratio(_count(~calls["ok"]), len(calls))),
        *_latency("firestore", calls),
        Figure("firestore requests", Unit.PER_SECOND, "", Rate(len(calls), seen.window.seconds)),
    ]


def _pods(seen: Observed) -> list[Figure]:
    summary = summarise(seen.ledger, seen.window, Side.API)
    cpu = np.array(together(seen.ledger.samples["cpu_cores"], seen.window), dtype=np.float64)
    memory = np.array(together(seen.ledger.samples["memory_bytes"], seen.window), dtype=np.float64) / MIB
    highest = None if summary.memory_bytes_max is None else summary.memory_bytes_max / MIB
    return [
        Figure("cpu of all pods, median reading", "cores", "worse", Series(cpu, 0.5)),
        Figure("cpu of all pods, mean", "cores", "worse", Single(summary.cpu_cores_mean)),
        Figure("memory of all pods, median reading", "MiB", "worse", Series(memory, 0.5)),
        Figure("memory of all pods, highest", "MiB", "worse", Single(highest)),
        Figure("replicas, fewest", "", "", Exact(summary.replicas_min)),
        Figure("replicas, most", "", "", Exact(summary.replicas_max)),
    ]


def _generator(seen: Observed) -> list[Figure]:
    rows, window = seen.ledger.requests, seen.window
    due = (rows["due_ns"] >= window.start_ns) & (rows["due_ns"] < window.end_ns)
    lag = lag_ns(rows)[due] / MS
    return [Figure("load generator's lag p99", Unit.MILLISECONDS, "", Series(_in_order(lag, rows[due]), 0.99))]


def _latency(side: str, calls: Calls, p95: Metric | None = None) -> list[Figure]:
    in_order = _in_order(latencies_ms(calls), calls)
    return [
        Figure(
            f"{side} latency {name}",
            Unit.MILLISECONDS,
            "worse",
            Series(in_order, quantile),
            p95 if name == "p95" else None,
        )
        for name, quantile in _QUANTILES.items()
    ]


def _in_order(values: NDArray[np.float64], calls: Calls) -> NDArray[np.float64]:
    """By the moments at which the calls were due: answers of one busy second hang together, as readings do."""
    return values[np.argsort(calls["due_ns"], kind="stable")]


def _users(seen: Observed) -> Ratio:
    """Of the users whom the load offered throughout, those who were served; none where no criterion asks."""
    for result in seen.results:
        if result.metric == Metric.CONCURRENT_USERS and result.value is not None:
            served = int(result.value)
            return Ratio(served, max(served, result.samples))
    return Ratio(0, 0)


def _count(chosen: Any) -> int:
    return int(np.count_nonzero(chosen))
