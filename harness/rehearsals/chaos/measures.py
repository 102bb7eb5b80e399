"""What was measured of an experiment: of what was due from its first fault until the steady state was back. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from harness.judge.ledger import Ledger
from harness.judge.steady import STEADY_S
from harness.judge.window import NS, Window
from harness.model.evidence import Outcome, RequestRow, Side
from harness.model.message import Message, message
from harness.rehearsals.chaos.types import Made

#: An operation of which fewer requests were due, all failed, is not named for it.
LEAST_OUTRIGHT = 5


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Users' requests to the API and probes together. ``outage_s`` is the time between the first and the last failure,
    ``recovered_s`` from the end of the method to the steady state; ``None`` when there was none."""

    calls: int
    failed: int
    outage_s: float | None
    recovered_s: float | None


def span(made: Made) -> Window:
    """What is judged: from the first fault to the steady state, or to the end when that did not come back."""
    return Window(start_ns=made.start_ns, end_ns=max(made.steady_ns or made.end_ns, made.start_ns + 1))


def stretch(made: Made) -> Window:
    """What was taken for the steady state afterwards; no time where that did not come back."""
    since_ns = span(made).end_ns
    seconds = 0.0 if made.steady_ns is None else STEADY_S
    return Window(start_ns=since_ns, end_ns=since_ns + max(1, round(seconds * NS)))


def figures(ledger: Ledger, made: Made) -> Figures:
    """Of what was due in ``span``."""
    rows = ledger.calls_due(span(made))
    failures = np.sort(rows["due_ns"][~rows["ok"]])
    recovered_s = None
    if made.steady_ns is not None and made.undone_ns is not None:
        recovered_s = max(0.0, (made.steady_ns - made.undone_ns) / NS)
    return Figures(
        calls=len(rows),
        failed=len(failures),
        outage_s=float(failures[-1] - failures[0]) / NS if len(failures) else None,
        recovered_s=recovered_s,
    )


def outright(requests: Iterable[RequestRow], start_ns: int, until_ns: int) -> Message | None:
    """The operations of users to the API of which every request that was due in the time failed, and at least
    ``LEAST_OUTRIGHT`` were; ``None`` when there is none. A share over all operations hides them.
    """
    due: dict[str, list[bool]] = {}
    for row in requests:
        if row.side is Side.API and start_ns <= row.due_ns < until_ns:
            due.setdefault(str(row.operation), []).append(row.outcome is Outcome.OK)
    lost = {name: len(good) for name, good in due.items() if len(good) >= LEAST_OUTRIGHT and not any(good)}
    if not lost:
        return None
    named = ", ".join(f"{name} {count}/{count}" for name, count in sorted(lost.items()))
    return message("meanwhile every request of these operations failed: {operations}", operations=named)
