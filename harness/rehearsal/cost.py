"""What a stretch of a run cost of the month's availability, by its probes: one line for every page that says so."""

from __future__ import annotations

import numpy as np

from harness.evidence.gathered import Gathered
from harness.judge.window import NS, Window
from harness.model.message import Message, message
from harness.objectives.budget import line, spent

COSTS = message("What it cost of the month's availability")


def cost_between(evidence: Gathered, start_ns: int, end_ns: int) -> Message:
    """Of the probes due from ``start_ns`` to ``end_ns`` (monotonic)."""
    probes = evidence.ledger.probe_rows_due(Window(start_ns=start_ns, end_ns=end_ns))
    return line(spent(int(np.count_nonzero(~probes["ok"])), len(probes), (end_ns - start_ns) / NS))
