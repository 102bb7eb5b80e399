"""The judge's memory of the evidence: columns that grow by a row at a time and are read as NumPy arrays.

A row costs a tuple when added and is moved into its columns at the next read, once. A question about a window is a
mask over a column (100,000 rows: well under a millisecond), so that the judge can be asked every second.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.base.ticks import NS
from harness.model.evidence import (
    BUSY,
    MEASUREMENT_ERROR,
    WAITED,
    WRITES,
    EventRow,
    Operation,
    Outcome,
    ProbeRow,
    RequestRow,
    Row,
    SampleRow,
    SessionRow,
    Side,
    Window,
    happened,
    probe_call,
)
from harness.model.message import message
from harness.model.scenario import PopulationPlan


def of_step(window: Window, plan: PopulationPlan, at_s: float | None) -> Window:
    """The part of ``window``, which begins with the load, in which the step of ``plan`` lasts that begins at ``at_s``;
    all of it for ``None``, nothing of it where it ends before.
    """
    if at_s is None:
        return window
    first_s, last_s = plan.stretch(at_s)
    start_ns = min(window.end_ns, window.start_ns + round(first_s * NS))
    seconds = min(last_s, window.seconds)
    return Window(start_ns=start_ns, end_ns=max(start_ns, min(window.end_ns, window.start_ns + round(seconds * NS))))


#: By operation: its number in a column; ``NO_OPERATION`` of a probe, and of a call of which nobody knows it.
OPERATIONS = {operation: number for number, operation in enumerate(Operation)}
NO_OPERATION = -1
#: The numbers of those that write.
WRITING = [OPERATIONS[operation] for operation in WRITES]

#: More than these of a window's requests to the API may not be good by a second sending alone.
MOST_RETRIED = 0.01

#: A request or a probe. ``id`` and ``user`` are the ledger's own numbers of the call and its user; ``ok``: the outcome
#: was ``Outcome.OK``; ``retried``: it had been sent twice; ``operation`` is a number of ``OPERATIONS``.
CALL = np.dtype(
    [
        ("id", np.int32),
        ("user", np.int32),
        ("api", np.bool_),
        ("ok", np.bool_),
        ("retried", np.bool_),
        ("operation", np.int8),
        ("status", np.int32),
        ("due_ns", np.int64),
        ("sent_ns", np.int64),
        ("done_ns", np.int64),
    ],
    align=True,
)

_BY_POD = np.dtype([("pod", np.int32), ("due_ns", np.int64)], align=True)
_SESSION = np.dtype([("user", np.int32), ("live", np.bool_), ("at_ns", np.int64)], align=True)

#: Rows of ``CALL``.
Calls = NDArray[np.void]

#: The metrics that a window's summary shows; samples of others are not kept here.
KEPT_METRICS = frozenset({"cpu_cores", "memory_bytes", "replicas", "ready_replicas", WAITED, BUSY})


class _Table:
    """Rows of one dtype, appended singly and read as one array."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self._block: NDArray[np.void] = np.empty(1024, dtype=dtype)
        self._filled = 0
        self._pending: list[tuple[int | bool, ...]] = []

    def append(self, *fields: int | bool) -> None:
        self._pending.append(fields)

    def rows(self) -> NDArray[np.void]:
        if self._pending:
            filled = self._filled + len(self._pending)
            if filled > len(self._block):
                grown = np.empty(max(filled, 2 * len(self._block)), dtype=self._block.dtype)
                grown[: self._filled] = self._block[: self._filled]
                self._block = grown
            self._block[self._filled : filled] = self._pending
            self._filled = filled
            self._pending.clear()
        return self._block[: self._filled]


class Ledger:
    """Takes the rows of a run in any order and answers questions about any window of it.

    A call counts once, however often its row comes. One that comes again and says another thing is an error of the
    measurement: nobody knows which of the two is right.
    """

    def __init__(self) -> None:
        #: By id (a request's operation id, ``probe_call`` of a probe): the ledger's own number of each call.
        self.calls: dict[str, int] = {}
        #: By name: the ledger's own number of each user, in the order of arrival.
        self.users: dict[str, int] = {}
        #: The same of each pod that named itself in an answer.
        self.pods: dict[str, int] = {}
        #: By metric: (at_ns, subject, value).
        self.samples: defaultdict[str, list[tuple[int, str, float]]] = defaultdict(list)
        self.measurement_errors: list[EventRow] = []
        self._told: dict[str, RequestRow | ProbeRow] = {}
        self._requests = _Table(CALL)
        self._by_pod = _Table(_BY_POD)
        self._probes = _Table(CALL)
        self._sessions = _Table(_SESSION)

    def add(self, row: Row) -> bool:
        """Takes one row; false of a call that comes again. Flag rows and other events are not the judge's and are
        passed over.
        """
        match row:
            case RequestRow():
                if not self._is_new(row.operation_id, row, "load"):
                    return False
                ok, api = row.outcome is Outcome.OK, row.side is Side.API
                call, user = self.calls[row.operation_id], self._number(row.user)
                times = (row.due_ns, row.sent_ns, row.done_ns)
                number = OPERATIONS[row.operation]
                self._requests.append(call, user, api, ok, row.retried, number, row.status, *times)
                if row.pod:
                    self._by_pod.append(self.pods.setdefault(row.pod, len(self.pods)), row.due_ns)
            case ProbeRow():
                if not self._is_new(probe_call(row.probe_id), row, "probes"):
                    return False
                call, user = self.calls[probe_call(row.probe_id)], self._number(row.user)
                times = (row.due_ns, row.sent_ns, row.done_ns)
                self._probes.append(call, user, True, row.good, False, NO_OPERATION, row.status, *times)
            case SessionRow():
                self._sessions.append(self._number(row.user), row.live, row.at_ns)
            case SampleRow() if row.metric in KEPT_METRICS:
                self.samples[row.metric].append((row.at_ns, row.subject, row.value))
            case EventRow() if row.kind == MEASUREMENT_ERROR:
                self.measurement_errors.append(row)
        return True

    def extend(self, rows: Iterable[Row]) -> None:
        """Takes many rows."""
        for row in rows:
            self.add(row)

    @property
    def requests(self) -> Calls:
        """Every request of the run, in the order of arrival, both sides."""
        return self._requests.rows()

    @property
    def probes(self) -> Calls:
        """Every probe of the run, in the order of arrival."""
        return self._probes.rows()

    def requests_due(self, window: Window, side: Side | None, of: int = 0) -> Calls:
        """The requests of ``side`` that were due in ``window``; with ``None`` those of both.

        Where more than ``MOST_RETRIED`` of those to the API had been sent twice, each of these is a failed one: the
        server closes connections under requests, and what a second sending came to does not excuse that. ``of`` is how
        many are due in the whole of a window of which this is the part so far: of few, one is soon too many.
        """
        rows = self.requests
        due = _due_in(rows, window)
        rows = those(rows, due if side is None else due & (rows["api"] == (side is Side.API)))
        if np.count_nonzero(rows["retried"]) > MOST_RETRIED * max(of, int(np.count_nonzero(rows["api"]))):
            rows = rows.copy()
            rows["ok"] &= ~rows["retried"]
        return rows

    def pods_due(self, window: Window) -> dict[str, int]:
        """How many requests that were due in ``window`` each pod answered, of those whose answer names its pod."""
        rows = self._by_pod.rows()
        counts = np.bincount(rows["pod"][_due_in(rows, window)], minlength=len(self.pods))
        return {pod: int(counts[number]) for pod, number in self.pods.items() if counts[number]}

    def probe_rows_due(self, window: Window) -> Calls:
        """The probes that were due in ``window``."""
        return those(self.probes, _due_in(self.probes, window))

    def calls_due(self, window: Window) -> Calls:
        """Users' requests to the API and probes that were due in ``window``."""
        found: Calls = np.concatenate([self.probe_rows_due(window), self.requests_due(window, Side.API)])
        return found

    def live_throughout(self, window: Window) -> NDArray[np.bool_]:
        """By user's number: whether the session was live for the whole of ``window``."""
        changes = self._sessions.rows()
        before = changes["at_ns"] <= window.start_ns
        latest_ns = np.full(len(self.users), np.iinfo(np.int64).min)
        np.maximum.at(latest_ns, changes["user"][before], changes["at_ns"][before])
        live = np.zeros(len(self.users), dtype=bool)
        live[changes["user"][before]] = True
        # Of two changes at the same instant the end counts, in whatever order they came.
        counts = np.where(before, changes["at_ns"] == latest_ns[changes["user"]], changes["at_ns"] < window.end_ns)
        live[changes["user"][counts & ~changes["live"]]] = False
        return live

    def _is_new(self, call: str, row: RequestRow | ProbeRow, generator: str) -> bool:
        """Whether the call is not in evidence yet; tells of one that is, and says another thing."""
        before = self._told.setdefault(call, row)
        if before is row and call not in self.calls:
            self.calls[call] = len(self.calls)
            if row.done_ns < row.sent_ns:
                self.measurement_errors.append(_answered_before(row.due_ns, generator, call))
            return True
        if before != row:
            for at_ns in {before.due_ns, row.due_ns}:
                self.measurement_errors.append(_contradicted(at_ns, generator, call))
        return False

    def _number(self, user: str) -> int:
        return self.users.setdefault(user, len(self.users))


def _contradicted(at_ns: int, generator: str, call: str) -> EventRow:
    said = message("{call} is in evidence twice, and not the same", call=call)
    return happened(at_ns, MEASUREMENT_ERROR, generator, said, {})


def _answered_before(at_ns: int, generator: str, call: str) -> EventRow:
    said = message("{call} was answered before it was sent", call=call)
    return happened(at_ns, MEASUREMENT_ERROR, generator, said, {})


def those(rows: Calls, which: NDArray[np.bool_]) -> Calls:
    """Those of ``rows``, to be read alone: where it is every one, ``rows`` themselves, which take long to copy."""
    return rows if which.all() else rows[which]


def _due_in(rows: Calls, window: Window) -> NDArray[np.bool_]:
    due: NDArray[np.bool_] = (rows["due_ns"] >= window.start_ns) & (rows["due_ns"] < window.end_ns)
    return due


# The generator's lag: how late a request was sent through no fault of the target.
# A fail (or a latency rollback) stands only if the requests that were sent on time, judged alone, fail (or fire) too.
# On time means within ``ON_TIME_NS`` of when the request could have been sent: a tenth of the smallest limit on latency
# in the document (500 ms). A user acts strictly one request after the other, so a request that waited for the same
# user's earlier answer was kept by the target: that wait is latency, not lag. Lag never removes anything from what
# could pass.

ON_TIME_NS = 50_000_000


def lag_ns(rows: Calls) -> NDArray[np.int64]:
    """For each row, how long after it was due (or its user's earlier request was answered) it was sent.

    Give it all the requests (or all the probes) of a run: an earlier answer may lie before the window.
    """
    lag = np.zeros(len(rows), dtype=np.int64)
    if not len(rows):
        return lag
    order = np.lexsort((rows["sent_ns"], rows["due_ns"], rows["user"]))
    ordered = rows[order]
    could = ordered["due_ns"].copy()
    same_user = ordered["user"][1:] == ordered["user"][:-1]
    could[1:] = np.where(same_user, np.maximum(could[1:], ordered["done_ns"][:-1]), could[1:])
    lag[order] = np.maximum(ordered["sent_ns"] - could, 0)
    return lag


def on_time(rows: Calls) -> NDArray[np.bool_]:
    """Which of ``rows`` the generator sent on time."""
    timely: NDArray[np.bool_] = lag_ns(rows) <= ON_TIME_NS
    return timely


# A sample beside a plan that says what is due: what is not in evidence, and what a ratio of failures is then. Pure.
# One rule for all who judge calls of a schedule that is known beforehand: a pass must clear with everything that is due
# and not in evidence counted as failed; a fail is read on what was seen, and void where what is missing could undo it.

T = TypeVar("T", bound=Hashable)


def missing_samples(due: Iterable[T], seen: Iterable[T]) -> list[T]:
    """What of ``due`` (ids, or due times in ns) is not in ``seen``: one that is there twice stands for no other."""
    return [*(Counter(due) - Counter(seen)).elements()]


def of_plan(calls: Calls, due_ns: Iterable[int]) -> tuple[Calls, int]:
    """The ``calls`` (rows of ``CALL``) that are due at ``due_ns``, one for each, and every other that failed; and how
    many more are due. A good call that the plan does not hold proves nothing.
    """
    left = Counter(due_ns)
    counts = np.zeros(len(calls), dtype=bool)
    for number, (at_ns, ok) in enumerate(zip(calls["due_ns"].tolist(), calls["ok"].tolist(), strict=True)):
        counts[number] = left[at_ns] > 0 or not ok
        left[at_ns] -= 1
    return calls[counts], sum(more for more in left.values() if more > 0)
