"""How fast users' requests were while a fault lasted: p95 and the interval in which the truth lies. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from harness.judge.figures import Figure, figure
from harness.judge.lag import on_time
from harness.judge.ledger import Calls, Ledger, those
from harness.judge.planned import Planned, spared
from harness.judge.window import Window
from harness.model.evidence import Side
from harness.model.scenario import Criterion


class Latency(NamedTuple):
    """p95 in ms; the truth lies from ``low`` to ``high`` with 95 % confidence each, whatever of what is not in evidence
    was good or slow. ``late`` requests were sent late."""

    seen: float
    low: float
    high: float
    of: int
    late: int


def latency(ledger: Ledger, faulty: Window, requests: Planned, promised: Criterion) -> Latency | None:
    """Of ``requests`` to the API that were due in ``faulty``; ``None`` where none was answered."""
    rows, proving = ledger.requests_due(faulty, Side.API), _proving(requests, faulty)
    timely, late = _by_lag(ledger, faulty)
    measured = figure(promised, rows)
    if measured is None:
        return None
    lows = [_lower(figure(promised, each)) for each in (rows, timely, spared(proving))]
    highs = [_upper(figure(promised, each)) for each in (rows, proving)]
    return Latency(measured.value, min(lows), max(highs), measured.samples, late)


def _lower(found: Figure | None) -> float:
    return 0.0 if found is None or found.lower is None else found.lower


def _upper(found: Figure | None) -> float:
    return math.inf if found is None or found.upper is None else found.upper


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
