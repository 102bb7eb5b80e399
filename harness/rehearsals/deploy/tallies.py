"""What users met while versions changed, and how the pods came and went: figures of the evidence. Pure.

Rows are in the order they were seen; all times are of one clock. A pod is new when it came since the deploy began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.base.ticks import NS
from harness.model.evidence import DueList, EventRow, Operation, Outcome, ProbeRow, RequestRow, Side, Window
from harness.model.message import Message, message
from harness.model.stack import PodState
from harness.rules.figures import MS, latencies_ms
from harness.rules.ledger import Ledger
from harness.rules.planned import planned_in

#: Seconds after a pod is told to be gone in which a client still hears that its kept connection ended.
CLOSED_S = 1.0
#: CREATEs that one pod's end may cost. Each pod closes its kept connections once, and a CREATE is lost when it is sent
#: in the milliseconds in which that end is on its way: of 75 requests a second the ends of 12 pods broke 3. Five or
#: more from two pods, at a quarter each, come by chance in one rollout of 6,000.
LOST_PER_POD = 2


class CallTally(msgspec.Struct, frozen=True, kw_only=True):
    """Users' requests to the API and probes that were due in a window; the first and the last bad answer came when.

    ``missing`` are planned and not in evidence: they count as failed where that would be a pass.
    """

    calls: int
    failed: int
    missing: int = 0
    first_ns: int | None = None
    last_ns: int | None = None

    @property
    def bad_s(self) -> float | None:
        """From the first bad answer to the last."""
        return None if self.first_ns is None or self.last_ns is None else (self.last_ns - self.first_ns) / NS

    @property
    def told(self) -> Message:
        """All counts, for people."""
        counts = {"failed": str(self.failed), "all": str(self.calls)}
        told = message("{failed} of {all} requests and probes failed", **counts)
        if self.bad_s is not None:
            told = message(
                "{failed} of {all} requests and probes failed, {seconds} s from the first to the last",
                **counts,
                seconds=f"{self.bad_s:.1f}",
            )
        if not self.missing:
            return told
        missing = str(self.missing)
        return message("{counts}, {missing} more that were due are not in evidence", counts=told, missing=missing)


class PodTally(msgspec.Struct, frozen=True, kw_only=True):
    """The pods in a stretch of time: the most that lived at once (terminating ones count nowhere, as in Kubernetes),
    the fewest that were ready, the names of the new ones, when those became ready, and at its end the ready ones,
    all that were not gone, and the new ones that had yet to become ready.
    """

    most: int
    fewest_ready: int
    new: tuple[str, ...]
    new_ready_ns: Mapping[str, int]
    ready: tuple[str, ...]
    left: frozenset[str]
    waiting: tuple[str, ...]


def tally(ledger: Ledger, start_ns: int, end_ns: int, slow_ms: float | None = None, *, due: DueList) -> CallTally:
    """Bad is what failed, and what took longer than ``slow_ms`` where that is given; ``due`` is the plan's."""
    window = Window(start_ns=start_ns, end_ns=max(end_ns, start_ns + 1))
    missing = sum(each.missing for each in planned_in(ledger, due, window))
    rows = ledger.calls_due(window)
    bad = ~rows["ok"] if slow_ms is None else ~rows["ok"] | (latencies_ms(rows) > slow_ms)
    done_ns = rows["done_ns"][bad]
    if not len(done_ns):
        return CallTally(calls=len(rows), failed=0, missing=missing)
    first_ns, last_ns = int(done_ns.min()), int(done_ns.max())
    return CallTally(calls=len(rows), failed=len(done_ns), missing=missing, first_ns=first_ns, last_ns=last_ns)


def slow_answers(
    rows: Iterable[RequestRow | ProbeRow],
    of: Iterable[str],
    start_ns: int,
    end_ns: int,
    slow_ms: float,
    *,
    missing: int,
) -> CallTally:
    """As ``tally``, which says how many are ``missing``, but an answer is bad when it failed or came late from a pod of
    ``of``: on a busy machine others are slow too, and no version's doing.
    """
    of, calls, bad_ns = set(of), 0, list[int]()
    for row in rows:
        if start_ns <= row.due_ns < end_ns and (isinstance(row, ProbeRow) or row.side is Side.API):
            calls += 1
            late = row.pod in of and (row.done_ns - row.due_ns) / MS > slow_ms
            bad_ns += [row.done_ns] if late or row.outcome is not Outcome.OK else []
    if not bad_ns:
        return CallTally(calls=calls, failed=0, missing=missing)
    return CallTally(calls=calls, failed=len(bad_ns), missing=missing, first_ns=min(bad_ns), last_ns=max(bad_ns))


def lost_at_close(
    requests: Iterable[RequestRow], events: Iterable[EventRow], start_ns: int, end_ns: int
) -> tuple[int, int]:
    """CREATEs due from ``start_ns`` to ``end_ns`` whose kept connection ended with a pod, and how many pods ended then.

    HTTP/1.1 lets either side close an idle connection at any time, and no client may send a request again by itself
    that is not idempotent (RFC 9112, 9.3.1 and 9.5): no order of endpoints and signals spares a CREATE that was on its
    way. All CREATEs broken while a pod ended count, or none when they are more than ``LOST_PER_POD`` a pod explain.
    Pods that were told to leave later, by other parts of the run, explain nothing.
    """
    spans = _ends(events, start_ns, end_ns)
    lost = sum(
        row.side is Side.API
        and (row.operation, row.outcome) == (Operation.CREATE_WALK, Outcome.BROKEN)
        and start_ns <= row.due_ns < end_ns
        and any(first_ns <= row.done_ns <= last_ns for first_ns, last_ns in spans)
        for row in requests
    )
    return (lost if lost <= LOST_PER_POD * len(spans) else 0), len(spans)


def _ends(events: Iterable[EventRow], start_ns: int, end_ns: int) -> list[tuple[int, int]]:
    """Of each pod that was told to leave in the time, and left: until its clients have heard that it is gone."""
    leaving: dict[str, int] = {}
    spans: list[tuple[int, int]] = []
    for row in events:
        if row.kind != "pod" or row.at_ns < start_ns:
            continue
        if row.data["state"] == PodState.TERMINATING and row.at_ns < end_ns:
            leaving.setdefault(row.subject, row.at_ns)
        elif row.data["state"] == PodState.GONE and row.subject in leaving:
            spans.append((leaving.pop(row.subject), row.at_ns + round(CLOSED_S * NS)))
    return spans


def pods(rows: Iterable[EventRow], since_ns: int, until_ns: int) -> PodTally:
    """Of the events of ``kind`` pod."""
    states: dict[str, str] = {}
    before: set[str] = set()
    new_ready_ns: dict[str, int] = {}
    new: list[str] = []
    counts: list[tuple[int, int]] = []
    began = False
    for row in rows:
        if row.kind != "pod" or row.at_ns >= until_ns:
            continue
        if row.at_ns >= since_ns and not began:
            began, before = True, set(states)
            counts.append(_counts(states))
        state = row.data["state"]
        if state == PodState.GONE:
            states.pop(row.subject, None)
        else:
            states[row.subject] = state
        if began:
            counts.append(_counts(states))
            if row.subject not in before and row.subject not in new:
                new.append(row.subject)
            if row.subject in new and state == PodState.READY:
                new_ready_ns.setdefault(row.subject, row.at_ns)
    return PodTally(
        most=max((live for live, _ in counts), default=0),
        fewest_ready=min((ready for _, ready in counts), default=0),
        new=tuple(new),
        new_ready_ns=new_ready_ns,
        ready=tuple(sorted(name for name, state in states.items() if state == PodState.READY)),
        left=frozenset(states),
        waiting=tuple(
            name
            for name in new
            if name not in new_ready_ns and states.get(name, PodState.GONE) not in (PodState.TERMINATING, PodState.GONE)
        ),
    )


def of_version(rows: Sequence[EventRow], since_ns: int, undo_ns: int, done_ns: int) -> frozenset[str]:
    """The pods of a version that came at ``since_ns`` and whose undo was asked for at ``undo_ns``, and done at
    ``done_ns``: those that were new then. One that was made before the undo was heard of is not ready when it is done.
    Those that the undo made are, and they stay.
    """
    done = pods(rows, since_ns, done_ns)
    return frozenset(pods(rows, since_ns, undo_ns).new) | set(done.new) - set(done.ready)


def _counts(states: Mapping[str, str]) -> tuple[int, int]:
    """Pods that live, and of them the ready ones."""
    live = [state for state in states.values() if state != PodState.TERMINATING]
    return len(live), live.count(PodState.READY)
