"""Pods on their way out, and what failed meanwhile: what an erratum on the cost of leaving is shown by. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from harness.base.ticks import NS
from harness.model.evidence import EventRow, Window
from harness.model.stack import PodState
from harness.rules.ledger import Calls, Ledger

#: The erratum that requests fail while a pod leaves.
NO_PRESTOP = "deploy.downtime_without_prestop"
#: A watch tells of a pod so long after it was told to leave, at most; every node has forgotten its endpoint so long
#: after it is gone.
TOLD_LATE_S, FORGOTTEN_S = 1.0, 10.0


def leaving(events: Iterable[EventRow], start_ns: int, end_ns: int) -> list[tuple[int, int]]:
    """Of each pod that was gone in the time, or was on its way at its end: from when to when it may cost calls. It may
    have begun to leave before."""
    began: dict[str, int] = {}
    spans: list[tuple[int, int]] = []
    for row in events:
        if row.kind != "pod" or row.at_ns >= end_ns:
            continue
        if row.data["state"] == PodState.TERMINATING:
            began.setdefault(row.subject, row.at_ns)
        elif row.data["state"] == PodState.GONE:
            since_ns = began.pop(row.subject, row.at_ns)
            if row.at_ns >= start_ns:
                spans.append((since_ns, row.at_ns + round(FORGOTTEN_S * NS)))
    spans += [(at_ns, end_ns) for at_ns in began.values()]
    return [(first_ns - round(TOLD_LATE_S * NS), last_ns) for first_ns, last_ns in spans]


def failed_meanwhile(calls: Calls, spans: Iterable[tuple[int, int]]) -> int:
    """How many of ``calls`` failed and were on their way in one of ``spans``."""
    bad = calls[~calls["ok"]]
    met = np.zeros(len(bad), dtype=bool)
    for first_ns, last_ns in spans:
        met |= (bad["done_ns"] >= first_ns) & (bad["sent_ns"] <= last_ns)
    return int(np.count_nonzero(met))


def failed_while_leaving(ledger: Ledger, events: Iterable[EventRow], window: Window) -> int:
    """How many of the calls that were due in ``window`` failed and were on their way while a pod left."""
    return failed_meanwhile(ledger.calls_due(window), leaving(events, window.start_ns, window.end_ns))
