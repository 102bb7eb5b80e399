"""A small store that answers as it should, for the judge of reads: its answers as rows, honest or old on purpose."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache

import msgspec

from harness.checks.reads import Reads, reads
from harness.checks.written import Plans
from harness.load.population.content import Content, created, fingerprint, updated
from harness.load.population.schedule import PlannedRequest
from harness.load.population.walk import PAGE_WALKS, NewWalk, WalkUpdate
from harness.model.evidence import WRITES, Operation, Outcome, RequestRow, Side
from harness.model.shown import Shown, ShownWalk, parse, text
from tests.checks.sending import ANCHOR, BUCKET, PLAN, SEED, USERS, row


class _Remembered(Plans):
    """Schedules are made once, for all tests."""

    def __init__(self) -> None:
        super().__init__(PLAN, USERS, seed=SEED, anchor_unix_ns=ANCHOR, bucket=BUCKET)
        self.schedule = cache(super().schedule)  # type: ignore[method-assign]


PLANS = _Remembered()


class Held(msgspec.Struct):
    """A walk that the store holds."""

    content: Content
    locations: int
    made: int


class Store:
    """One user's walks on one side, by id. ``apply`` a write, ``ask`` for what an answer shows."""

    def __init__(self) -> None:
        self.walks: dict[str, Held] = {}
        self._made = 0

    def apply(self, planned: PlannedRequest, walk_id: str, recorded: int) -> None:
        """``recorded`` locations of the walk are there after a PUT."""
        body, before = planned.body, self.walks.get(walk_id)
        self._made += 1
        match body:
            case None:
                self.walks.pop(walk_id, None)
            case NewWalk():
                self.walks[walk_id] = Held(created(body), 0, self._made)
            case WalkUpdate():
                content = updated(body)  # no PUT follows the one that ends a walk
                there = max(recorded, before.locations) if before else recorded  # those not sent stay
                self.walks[walk_id] = Held(content, there, before.made if before else self._made)

    def ask(self, operation: Operation, walk_id: str) -> tuple[int, str]:
        """Status and ``shown``."""
        if operation is Operation.LIST_WALKS:
            newest = sorted(self.walks.items(), key=lambda item: -item[1].made)
            shown = tuple(ShownWalk(name, fingerprint(held.content)) for name, held in newest[:PAGE_WALKS])
            return 200, text(Shown(shown, len(newest)))
        found = self.walks.get(walk_id)
        if found is None:
            return 404, ""
        located = found.locations if operation is Operation.GET_WALK else None
        return 200, text(Shown((ShownWalk(walk_id, fingerprint(found.content), located),)))

    def copy(self) -> Store:
        """As it is now."""
        return copy.deepcopy(self)


def judged(rows: Sequence[RequestRow]) -> Reads:
    return reads(rows, PLANS)


def id_on(side: Side, planned: PlannedRequest) -> str:
    """The walk's id: the API makes its own for a CREATE."""
    own = planned.operation is Operation.CREATE_WALK and side is Side.API
    return f"00000000-0000-4000-8000-{planned.number:012d}" if own else planned.walk_id


def recorded(planned: Sequence[PlannedRequest], until: PlannedRequest) -> int:
    """Locations that the phone has recorded of the walk by then."""
    return sum(
        len(each.body.locations)
        for each in planned
        if isinstance(each.body, WalkUpdate) and each.walk_id == until.walk_id and each.number <= until.number
    )


def honest(plan: Sequence[PlannedRequest], store: Store, side: Side = Side.API) -> list[RequestRow]:
    """The rows of a store that does what it says."""
    rows = []
    for each in plan:
        if each.operation in WRITES:
            store.apply(each, id_on(side, each), recorded(plan, each))
        rows.append(answered(each, store, side))
    return rows


def answered(each: PlannedRequest, store: Store, side: Side = Side.API) -> RequestRow:
    """The row of a request that ``store`` answers as it is. Firestore answers a write with nothing."""
    walk_id = id_on(side, each)
    silent = each.operation is Operation.DELETE_WALK or (side is Side.FIRESTORE and each.operation in WRITES)
    status, shown = (204, "") if silent else store.ask(each.operation, walk_id)
    if side is Side.FIRESTORE:
        status, shown = 5 if status == 404 else 0, as_document(shown)
    listed = each.operation is Operation.LIST_WALKS
    return msgspec.structs.replace(
        row(each), side=side, flag=side is Side.API, walk_id="" if listed else walk_id, status=status, shown=shown
    )


def as_document(shown: str) -> str:
    """Without what is not kept of Firestore's answers."""
    seen = parse(shown)
    return text(Shown(tuple(ShownWalk(walk.id, walk.content) for walk in seen.walks))) if seen else ""


def unanswered(each: RequestRow) -> RequestRow:
    """The same request without an answer."""
    return msgspec.structs.replace(each, status=0, outcome=Outcome.TIMEOUT, acknowledged=False, shown="")
