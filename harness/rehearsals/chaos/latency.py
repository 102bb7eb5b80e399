"""How fast users' requests were while a fault lasted: p95 and the interval in which the truth lies. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from harness.judge.figures import figure
from harness.judge.lag import on_time
from harness.judge.ledger import Calls, Ledger, those
from harness.judge.planned import Planned, spared
from harness.judge.window import Window
from harness.model.evidence import Side
from harness.model.message import message
from harness.model.scenario import Criterion, Metric
from harness.rules.fact import Fact, FactsOf


def of_latency(
    fact: FactsOf, ledger: Ledger, faulty: Window, requests: Planned, criteria: Sequence[Criterion]
) -> Iterator[Fact]:
    """Of ``requests`` to the API that were due in ``faulty``, where the scenario promises a p95. The truth lies in the
    interval with 95 % confidence at each end, whether what is not in evidence was good or slow."""
    promised = next((each for each in criteria if each.metric is Metric.LATENCY_P95), None)
    if promised is None:
        return
    yield fact("limit_ms", promised.threshold)
    rows, proving = ledger.requests_due(faulty, Side.API), _proving(requests, faulty)
    timely, late = _by_lag(ledger, faulty)
    measured = figure(promised, rows)
    if measured is None:
        yield from fact.none("p95_ms", void=(message("no request was answered meanwhile"),))
        return
    lows = [figure(promised, each) for each in (rows, timely, spared(proving))]
    highs = [figure(promised, each) for each in (rows, proving)]
    low = min(0.0 if each is None or each.lower is None else each.lower for each in lows)
    high = max(math.inf if each is None or each.upper is None else each.upper for each in highs)
    told = (message("{late} requests were sent late by the load generator", late=str(late)),) if late else ()
    yield fact("p95_ms", measured.value, low=low, high=high, of=measured.samples, besides=told)


def _by_lag(ledger: Ledger, window: Window) -> tuple[Calls, int]:
    """The requests to the API that were due in ``window`` and sent on time, and how many were not."""
    rows, timely = ledger.requests, on_time(ledger.requests)
    due = rows["api"] & (rows["due_ns"] >= window.start_ns) & (rows["due_ns"] < window.end_ns)
    return those(ledger.requests_due(window, Side.API), timely[due]), int(np.count_nonzero(due & ~timely))


def _proving(requests: Planned, faulty: Window) -> Calls:
    """Those to the API, with what is due and not in evidence, to the undo: what a pass must rest on."""
    rows = requests.proving
    found: Calls = rows[rows["api"] & (rows["due_ns"] < faulty.end_ns)]
    return found
