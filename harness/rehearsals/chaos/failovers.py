"""What a failover of the database cost its users, and what it lost. Pure.

The steps come from the stack's events of kind ``failover`` (``harness/stack/failover.py``), the outage from writes:
reads tell nothing of whether the database takes commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.evidence.gathered import Gathered
from harness.judge.window import NS
from harness.model.evidence import WRITES, EventRow, Outcome, ProbeRow, RequestRow, Side
from harness.rehearsals.chaos.types import Failover, FailoverSeen, Made

_FOR_EVER = 2**63 - 1
_STEPS = ("begun", "killed", "detected", "promoted", "led")


class Write(msgspec.Struct, frozen=True):
    """A write of a user's or a canary's: monotonic ns, and whether it was acknowledged."""

    sent_ns: int
    done_ns: int
    good: bool


def writes(requests: Iterable[RequestRow], probes: Iterable[ProbeRow], since_ns: int) -> list[Write]:
    """Those answered, or given up, after ``since_ns``."""
    found = [
        Write(row.sent_ns, row.done_ns, row.outcome is Outcome.OK and row.acknowledged)
        for row in requests
        if row.side is Side.API and row.operation in WRITES and row.done_ns > since_ns
    ]
    found += [
        Write(row.sent_ns, row.done_ns, row.good) for row in probes if row.method == "PUT" and row.done_ns > since_ns
    ]
    return found


def failover_of(made: Made, failover: Failover, evidence: Gathered, missing_ns: Sequence[int]) -> FailoverSeen | None:
    """How the failover of the experiment went, by what was in evidence when it had ended; ``None`` as of ``seen``."""
    until_ns = made.answered_ns
    return seen(
        steps(evidence.events, made.begun_ns, until_ns),
        [row for row in evidence.requests if row.done_ns <= until_ns],
        [row for row in evidence.probes if row.done_ns <= until_ns],
        synchronous=failover.synchronous,
        missing_ns=missing_ns,
    )


def steps(events: Iterable[EventRow], since_ns: int, until_ns: int = _FOR_EVER) -> dict[str, int]:
    """When each step of the first failover in the time came: monotonic ns by the step's name."""
    found: dict[str, int] = {}
    for event in events:
        if event.kind == "failover" and since_ns <= event.at_ns <= until_ns:
            found.setdefault(str(event.data.get("step")), event.at_ns)
    return found


def seen(
    at: dict[str, int],
    requests: Iterable[RequestRow],
    probes: Iterable[ProbeRow],
    *,
    synchronous: bool,
    missing_ns: Sequence[int] = (),
) -> FailoverSeen | None:
    """``None`` when a step is missing. ``outage_s`` is ``None`` when no write failed, or none was good again. Calls due
    at ``missing_ns`` are not in evidence: any of them may be a write, good or not.
    """
    if any(step not in at for step in _STEPS):
        return None
    begun_ns, killed_ns, detected_ns, promoted_ns, led_ns = (at[step] for step in _STEPS)
    around = writes(requests, probes, begun_ns)
    # The primary died at some moment between the two: what it still acknowledged is no end of the outage.
    last_ns = max((write.done_ns for write in around if write.good and write.done_ns <= detected_ns), default=begun_ns)
    bad = [write for write in around if not write.good and write.done_ns >= last_ns]
    # Until the standby is promoted no database takes writes: what is acknowledged before that is no end of it either.
    good_ns = min((write.done_ns for write in around if write.good and write.done_ns > promoted_ns), default=None)
    during = [write for write in bad if good_ns is None or write.sent_ns < good_ns]
    first_bad_ns = min((write.sent_ns for write in during), default=None)
    outage_ns = None if first_bad_ns is None or good_ns is None else good_ns - first_bad_ns
    after_ns = [write.done_ns for write in bad if good_ns is not None and write.sent_ns >= good_ns]
    return FailoverSeen(
        synchronous=synchronous,
        detect_s=(detected_ns - killed_ns) / NS,
        promote_s=(promoted_ns - detected_ns) / NS,
        lead_s=(led_ns - promoted_ns) / NS,
        outage_s=None if outage_ns is None else outage_ns / NS,
        failed_writes=len(during),
        still_s=None if first_bad_ns is None or not after_ns else (max(after_ns) - first_bad_ns) / NS,
        most_s=None if good_ns is None else (good_ns - last_ns) / NS,
        missing=0 if good_ns is None else sum(last_ns <= at_ns <= good_ns for at_ns in missing_ns),
        lost_s=()
        if good_ns is None or first_bad_ns is None
        else tuple((at_ns - first_bad_ns) / NS for at_ns in missing_ns if at_ns > good_ns),
    )
