"""What each phone wrote, on both sides, as histories of its walks: recomputed from the schedule and the rows. Pure.

A number of the schedule that no row tells of may have been sent all the same, and its row lost: it may take effect at
any time and often, so that lost evidence never makes an answer look wrong. So may a write of the other side: the
mirror, a copy or a reconciliation brings it, also over and over, or never.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from harness.checks.histories import FOREVER, NEVER, Call, WalkObject, WalkWrite
from harness.checks.sent import bodies_of, body_of, number_of, numbered, refused, scheduled
from harness.load.population.content import Content, created, fingerprint, updated
from harness.load.population.schedule import Account, PlannedRequest, Slot, first_requests, page_of, slots
from harness.load.population.walk import NewWalk, WalkUpdate
from harness.model.evidence import WRITES, Operation, RequestRow, Side
from harness.model.scenario import PopulationPlan


class WalkCalls(msgspec.Struct):
    """The calls on one walk, and what it is in the store."""

    walk: WalkObject
    calls: list[Call] = []

    @property
    def created_ns(self) -> tuple[int, int]:
        """Between which moments the walk was made; all of time where that is not certain."""
        writes = [call for call in self.calls if call.does is not None]
        if not writes or any(call.often or not call.does.contents for call in writes if call.does is not None):
            return NEVER, FOREVER
        return min(call.begin_ns for call in writes), min(call.end_ns for call in writes)


class UserWalks:
    """One user's walks on one side, and the CREATEs there whose walk's id nobody was told."""

    def __init__(self) -> None:
        self.walks: dict[str, WalkCalls] = {}
        self.unnamed: list[Call] = []

    def add(self, walk_id: str, call: Call, counts: Sequence[int] | None = ()) -> None:
        """One write of a walk, with the locations recorded by its PUTs; "" for a CREATE whose id is not known."""
        if walk_id:
            self.walks.setdefault(walk_id, WalkCalls(WalkObject(counts))).calls.append(call)
        else:
            self.unnamed.append(call)

    def find(self, walk_id: str, content: str, until_ns: int) -> WalkCalls | None:
        """The walk of an answer; an unknown id is that of a CREATE without an acknowledgement that says the same."""
        if walk_id in self.walks:
            return self.walks[walk_id]
        for call in self.unnamed:
            said = call.does.contents if call.does is not None else ()
            if call.begin_ns <= until_ns and content in map(fingerprint, said):
                self.unnamed.remove(call)
                self.add(walk_id, call)
                return self.walks[walk_id]
        return None


class NotAsPlanned(Exception):  # noqa: N818 - evidence that does not fit, not an error of ours
    """Says which request does not fit its user's schedule."""


class Plans:
    """Every user's schedule, recomputed as far as it was used."""

    def __init__(
        self, plan: PopulationPlan, users: Sequence[Account], *, seed: int, anchor_unix_ns: int, bucket: str
    ) -> None:
        self._plan = plan
        self._slots: dict[str, Slot] = slots(plan, users, seed)
        self._seed = seed
        self._anchor_unix_ns = anchor_unix_ns
        self._bucket = bucket

    def written(self, user: str, rows: Sequence[RequestRow]) -> Mapping[Side, UserWalks]:
        """``user``'s writes among ``rows``, which are all of its own. Raises ``NotAsPlanned``."""
        if user not in self._slots:
            raise NotAsPlanned(rows[0].operation_id)
        if not all(numbered(row.operation_id) for row in rows):
            raise NotAsPlanned(f"of {user}, one without a number")
        numbers = {row.operation_id: number_of(row.operation_id) for row in rows}
        planned = self.schedule(user, max(numbers.values()) + 1)
        made = [self._made(planned[numbers[row.operation_id]], row) for row in rows if row.operation in WRITES]
        for row in rows:
            if row.operation is not planned[numbers[row.operation_id]].operation:
                raise NotAsPlanned(row.operation_id)
        told = scheduled(rows)
        made += [
            _Made(each, None, tuple(bodies_of(each, self._bucket)))
            for each in planned
            if each.number not in told and each.operation in WRITES
        ]
        return _walks(made, planned)

    def schedule(self, user: str, count: int) -> Sequence[PlannedRequest]:
        """The first ``count`` requests of ``user``, one of the plan's."""
        return first_requests(user, self._slots[user], self._plan, self._seed, self._anchor_unix_ns, most=count)

    def page(self, row: RequestRow) -> int:
        """Which page of its list the request asked for; Firestore is asked for the first alone."""
        if row.side is not Side.API:
            return 1
        return page_of(self._slots[row.user], number_of(row.operation_id))

    def _made(self, planned: PlannedRequest, row: RequestRow) -> _Made:
        body = body_of(planned, row, self._bucket)
        if body is None and row.operation is not Operation.DELETE_WALK:
            raise NotAsPlanned(row.operation_id)
        return _Made(planned, row, () if body is None else (body,))


class _Made(msgspec.Struct, frozen=True):
    """A write with the bodies that it may have had; without a row it is not known whether it was sent, and where."""

    planned: PlannedRequest
    row: RequestRow | None
    bodies: tuple[NewWalk | WalkUpdate, ...]


def _walks(made: Sequence[_Made], planned: Sequence[PlannedRequest]) -> Mapping[Side, UserWalks]:
    found = {side: UserWalks() for side in Side}
    recorded = _recorded(planned)
    unknown = {each.planned.walk_id for each in made if each.row is None}
    for each in made:
        walk_id = each.planned.walk_id
        puts = recorded.get(walk_id, {})
        counts = None if walk_id in unknown else [*puts.values()]
        batch = [*puts].index(each.planned.number) if each.planned.number in puts else None
        for side, walks in found.items():
            for call in _calls(each, side, 0 if batch is None or counts is None else 1 << batch):
                walks.add(_walk_id(each), call, counts)
    return found


def _walk_id(made: _Made) -> str:
    create = made.planned.operation is Operation.CREATE_WALK
    if not create or (made.row is not None and made.row.side is Side.FIRESTORE):
        return made.planned.walk_id.lower()
    return made.row.walk_id.lower() if made.row is not None and made.row.acknowledged else ""


def _calls(made: _Made, side: Side, batch: int) -> Iterator[Call]:
    """A write as that side sees it; ``batch`` is the bit of the locations that it is the first to bring. Locations that
    were not confirmed before may come with it. On Firestore the app writes a document whole."""
    row, contents = made.row, tuple({_content(body) for body in made.bodies})
    until = batch | (batch - 1 if batch else 0)
    if row is None or row.side is not side:
        does = WalkWrite(contents=contents, replaces=True, brings=(until,), own=row is None)
        if row is None or row.retried or not refused(row):
            yield Call(name=named(made.planned.operation_id if row is None else row), does=does, often=True,
                       begin_ns=NEVER if row is None else row.sent_ns)  # fmt: skip
        return
    whole = side is Side.FIRESTORE
    does = WalkWrite(contents=contents, merges=not whole, replaces=whole, brings=(0,) if whole else (until, batch))
    if row.acknowledged:
        yield Call(name=named(row), begin_ns=row.sent_ns, end_ns=row.done_ns, does=does)
    if row.retried or not (row.acknowledged or refused(row)):
        # Of two sendings the first may still be carried out, after the second was acknowledged.
        for _ in range(1 + row.retried - row.acknowledged):
            yield Call(name=named(row), begin_ns=row.sent_ns, does=does)


def named(of: RequestRow | str) -> str:
    """A request for people; of one without a row its id."""
    return of if isinstance(of, str) else f"{of.operation_id} ({of.operation}, {of.side})"


def _content(body: NewWalk | WalkUpdate) -> Content:
    return created(body) if isinstance(body, NewWalk) else updated(body)


def _recorded(planned: Sequence[PlannedRequest]) -> Mapping[str, Mapping[int, int]]:
    """By walk, and by the number of each PUT: how many locations the phone has recorded of the walk by then."""
    found: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for each in planned:
        if isinstance(each.body, WalkUpdate):
            before = found[each.walk_id]
            before[each.number] = max(before.values(), default=0) + len(each.body.locations)
    return found
