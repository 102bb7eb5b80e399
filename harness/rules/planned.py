"""A sample of calls beside what the schedule holds: which of them were planned, and what is due and not in evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.model.evidence import Due, DueList, Window
from harness.model.message import Message, Told, message
from harness.rules.ledger import CALL, NO_OPERATION, OPERATIONS, Calls, Ledger, those
from harness.rules.sentences import count

#: The status of a call that is due and not in evidence; no answer has it.
MISSING = -1

#: In the id of a request that sends a walk once more (``harness.load.phone``): real, and in no schedule.
AGAIN = "-again-"


class PlannedSample:
    """Of the part of a window that has passed. ``calls`` are in evidence, each once; the schedule holds ``due``.

    ``numbers`` and ``users`` are the ledger's own, by id and by name. Without a ``due`` list ``count`` calls are due at
    times not known, and every call in evidence is one of them.
    """

    def __init__(
        self,
        calls: Calls,
        due: Sequence[Due] | None,
        *,
        count: int,
        start_ns: int,
        numbers: Mapping[str, int],
        users: Mapping[str, int],
    ) -> None:
        self.calls = calls
        self.count = len(due) if due is not None else count
        self._due = due
        self._start_ns = start_ns
        self._numbers = numbers
        self._users = users

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """By row of ``calls``: whether the schedule holds it, under its id, of its user, due when it says, and for what
        it says.
        """
        if self._due is None:
            return np.ones(len(self.calls), dtype=bool)
        place = np.full(len(self._numbers) + 1, -1)
        numbers = np.array([self._numbers.get(due.id, -1) for due in self._due], dtype=np.int64)
        place[numbers] = np.arange(len(numbers))
        place[-1] = -1  # where every due call of an id that is not in evidence went
        due_ns = np.array([due.due_ns for due in self._due] + [0], dtype=np.int64)
        users = np.array([self._users.get(due.user, -1) for due in self._due] + [-1], dtype=np.int64)
        operations = np.array([_operation(due) for due in self._due] + [NO_OPERATION], dtype=np.int8)
        at = place[self.calls["id"]]
        found: NDArray[np.bool_] = (at >= 0) & (due_ns[at] == self.calls["due_ns"]) & (users[at] == self.calls["user"])
        found &= (operations[at] == NO_OPERATION) | (operations[at] == self.calls["operation"])
        return found

    @cached_property
    def listed(self) -> Calls | None:
        """The calls that a due list holds; ``None`` without one."""
        return None if self._due is None else those(self.calls, self.known)

    @cached_property
    def missing(self) -> int:
        """How many calls are due and not in evidence."""
        return max(0, self.count - int(np.count_nonzero(self.known)))

    @cached_property
    def pessimistic(self) -> Calls:
        """What a pass must rest on: the planned calls, every other that failed, and a failed one for each missing.

        A good call that the schedule does not hold proves nothing, but for a walk that was sent once more. A missing
        one counts as failed as soon as it was due.
        """
        counts = self.known | ~self.calls["ok"]
        if not counts.all():
            again = [number for call, number in self._numbers.items() if AGAIN in call]
            counts |= np.isin(self.calls["id"], again)
        if counts.all() and not self.missing:
            return self.calls
        lacking = np.zeros(self.missing, dtype=CALL)
        lacking["id"], lacking["user"], lacking["api"], lacking["status"] = -1, -1, True, MISSING
        for field in ("due_ns", "sent_ns", "done_ns"):
            lacking[field] = [each.due_ns for each in self._lacking] if self._due is not None else self._start_ns
        lacking["operation"] = [_operation(each) for each in self._lacking] if self._due is not None else NO_OPERATION
        return np.concatenate([self.calls[counts], lacking])

    @cached_property
    def _lacking(self) -> list[Due]:
        """What the due list holds and the evidence does not."""
        seen = set(self.calls["id"][self.known].tolist())
        return [due for due in self._due or () if self._numbers.get(due.id) not in seen]


def optimistic(proving: Calls) -> Calls:
    """What a fail must stand against: the same, with what is not in evidence good and answered at once."""
    rows = proving.copy()
    missing = rows["status"] == MISSING
    rows["ok"][missing], rows["status"][missing] = True, 200
    return rows


def _operation(due: Due) -> int:
    return NO_OPERATION if due.operation is None else OPERATIONS[due.operation]


def planned_in(ledger: Ledger, due: DueList, window: Window) -> tuple[PlannedSample, PlannedSample]:
    """The requests, and the probes, that were due in ``window``: in evidence, on whichever side, and by ``due``, which
    holds what is due to the API in just that window.
    """
    numbers, users, start_ns = ledger.calls, ledger.users, window.start_ns
    requests, probes = ledger.requests_due(window, None), ledger.probe_rows_due(window)
    return (
        PlannedSample(requests, due.requests, count=0, start_ns=start_ns, numbers=numbers, users=users),
        PlannedSample(probes, due.probes, count=0, start_ns=start_ns, numbers=numbers, users=users),
    )


def lacking_words(missing: int, planned: int) -> Message:
    """Says how many of the planned calls are not in evidence."""
    return message(
        "{missing} of the {planned} planned are not in evidence, and count as failed",
        missing=count(missing),
        planned=count(planned),
    )


def lost_words(missing: int, there: int) -> Told:
    """The same beside ``there`` that are in evidence; () where none is missing."""
    return (lacking_words(missing, there + missing),) if missing else ()


def void_reason(planned: PlannedSample) -> Message:
    """Says why a fail is void: how many of the planned calls are not in evidence, any of which may have been good."""
    return message(
        "void: {missing} of the {planned} planned are not in evidence, and were they good it would not fail",
        missing=count(planned.missing),
        planned=count(planned.count),
    )


def missing_words(planned: PlannedSample) -> Message:
    """Says how much of the plan is not in evidence; where it all is, how much of the evidence is not of the plan."""
    if not planned.missing:
        foreign = int(np.count_nonzero(~planned.known))
        return message("{foreign} are not of the plan, and prove nothing", foreign=count(foreign))
    return lacking_words(planned.missing, planned.count)
