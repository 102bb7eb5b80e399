"""The figures of a stored window as samples that can be set against another run's. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.base.units import Unit
from harness.judge.difference import Exact, Rate, Ratio, Series, Single
from harness.judge.figures import MS, latencies_ms
from harness.judge.lag import lag_ns
from harness.judge.ledger import Calls, Ledger
from harness.judge.summary import summarise, together
from harness.judge.window import Window
from harness.model.evidence import Side
from harness.model.judgement import Judgement
from harness.model.scenario import Metric, Scenario
from harness.rehearsal.rehearsal import Figure, Seen
from harness.rehearsals.rollout.details import WeekDetails
from harness.rehearsals.rollout.judge import switched_of
from harness.rehearsals.rollout.observed import observed

MIB = 1024 * 1024
#: What a criterion may be about.
_ABOUT = {
    "availability": Metric.AVAILABILITY,
    "api error ratio": Metric.ERROR_RATIO,
    "api latency p50": Metric.LATENCY_P50,
    "api latency p95": Metric.LATENCY_P95,
    "api latency p99": Metric.LATENCY_P99,
    "api good answers": Metric.REQUEST_RATE,
    "users served throughout": Metric.CONCURRENT_USERS,
}
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def window_figures(plan: Scenario, seen: Seen[WeekDetails]) -> tuple[Figure, ...]:
    """Every figure of the window, the same names in the same order for every run."""
    week, ledger = observed(seen.evidence.events), seen.evidence.ledger
    window = week.window
    found = (
        *_api(ledger, window, _users(plan, seen.judgements)),
        *_firestore(ledger, window),
        *_pods(ledger, window),
        *_generator(ledger, window),
    )
    judged = {each.metric for each in plan.criteria if each.operation is None and each.step_s is None}
    figures = tuple(replace(each, gates=_ABOUT.get(each.name) in judged) for each in found)
    back = switched_of(plan, seen.evidence.rows, week)
    last = Single(back.last_s if back else None)
    return (*figures, Figure("last client switched over", Unit.SECONDS, "worse", last))


def _api(ledger: Ledger, window: Window, served: Ratio) -> list[Figure]:
    calls, probes = ledger.requests_due(window, Side.API), ledger.probe_rows_due(window)
    done = ledger.requests
    came = (done["done_ns"] >= window.start_ns) & (done["done_ns"] < window.end_ns) & done["api"] & done["ok"]
    bad_s = summarise(ledger, window, Side.API).bad_seconds
    return [
        Figure("availability", Unit.RATIO, "better", Ratio(_count(probes["ok"]), len(probes))),
        Figure("seconds with a failed probe", Unit.RATIO, "worse", Ratio(bad_s or 0, math.ceil(window.seconds))),
        Figure("api error ratio", Unit.RATIO, "worse", Ratio(_count(~calls["ok"]), len(calls))),
        Figure("api 5xx ratio", Unit.RATIO, "worse", Ratio(_count(calls["status"] // 100 == 5), len(calls))),
        Figure("api 4xx ratio", Unit.RATIO, "worse", Ratio(_count(calls["status"] // 100 == 4), len(calls))),
        *_latency("api", calls),
        Figure("api requests", Unit.PER_SECOND, "", Rate(len(calls), window.seconds)),
        Figure("api good answers", Unit.PER_SECOND, "better", Rate(_count(came), window.seconds)),
        Figure("users served throughout", Unit.RATIO, "better", served),
    ]


def _firestore(ledger: Ledger, window: Window) -> list[Figure]:
    calls = ledger.requests_due(window, Side.FIRESTORE)
    return [
        Figure("firestore error ratio", Unit.RATIO, "worse", Ratio(_count(~calls["ok"]), len(calls))),
        *_latency("firestore", calls),
        Figure("firestore requests", Unit.PER_SECOND, "", Rate(len(calls), window.seconds)),
    ]


def _pods(ledger: Ledger, window: Window) -> list[Figure]:
    summary = summarise(ledger, window, Side.API)
    cpu = np.array(together(ledger.samples["cpu_cores"], window), dtype=np.float64)
    memory = np.array(together(ledger.samples["memory_bytes"], window), dtype=np.float64) / MIB
    highest = None if summary.memory_bytes_max is None else summary.memory_bytes_max / MIB
    return [
        Figure("cpu of all pods, median reading", "cores", "worse", Series(cpu, 0.5)),
        Figure("cpu of all pods, mean", "cores", "worse", Single(summary.cpu_cores_mean)),
        Figure("memory of all pods, median reading", "MiB", "worse", Series(memory, 0.5)),
        Figure("memory of all pods, highest", "MiB", "worse", Single(highest)),
        Figure("replicas, fewest", "", "", Exact(summary.replicas_min)),
        Figure("replicas, most", "", "", Exact(summary.replicas_max)),
    ]


def _generator(ledger: Ledger, window: Window) -> list[Figure]:
    rows = ledger.requests
    due = (rows["due_ns"] >= window.start_ns) & (rows["due_ns"] < window.end_ns)
    lag = lag_ns(rows)[due] / MS
    return [Figure("load generator's lag p99", Unit.MILLISECONDS, "", Series(_in_order(lag, rows[due]), 0.99))]


def _latency(side: str, calls: Calls) -> list[Figure]:
    in_order = _in_order(latencies_ms(calls), calls)
    return [
        Figure(f"{side} latency {name}", Unit.MILLISECONDS, "worse", Series(in_order, quantile))
        for name, quantile in _QUANTILES.items()
    ]


def _in_order(values: NDArray[np.float64], calls: Calls) -> NDArray[np.float64]:
    """By the moments at which the calls were due: answers of one busy second hang together, as readings do."""
    return values[np.argsort(calls["due_ns"], kind="stable")]


def _users(plan: Scenario, judgements: Sequence[Judgement]) -> Ratio:
    """Of the users whom the load offered throughout, those who were served; none where no criterion asks."""
    asked = {each.id for each in plan.criteria if each.metric is Metric.CONCURRENT_USERS}
    for judged in judgements:
        if judged.id in asked and judged.value is not None:
            served = int(judged.value)
            return Ratio(served, max(served, judged.samples))
    return Ratio(0, 0)


def _count(chosen: Any) -> int:
    return int(np.count_nonzero(chosen))
