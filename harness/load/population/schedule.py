"""What every user does and when: pure, seeded, lazily endless (docs/judging.md#windows).

Each user acts strictly evenly, once every ``pace_s``, or as the plan's steps have it from then on; the users of each
side are spread evenly over the pace, so that the API is offered ``flag_on / pace_s`` requests a second in every stretch
of a run. A user's walk is the cycle of ``WALK``, entered anywhere: any twenty users who follow each other on a side
cover the whole cycle.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import msgspec

from harness.base.seed import stream
from harness.load.population.accounts import Account
from harness.load.population.ids import uuid4_text
from harness.load.population.pacing import Pacing
from harness.load.population.walk import NS, NewWalk, Walking, WalkUpdate
from harness.model.evidence import Operation
from harness.model.scenario import PopulationPlan

_PUT, _LIST, _GET = Operation.PUT_WALK, Operation.LIST_WALKS, Operation.GET_WALK
_CREATE, _DELETE = Operation.CREATE_WALK, Operation.DELETE_WALK

#: One walk in twenty requests (docs/contract/walk-api.md#real-use): PUT 12, list 4, get 2, create 1, delete 1.
#: ``True`` marks the side walk: begun by mistake while the main one is under way, ended at once,
#: and deleted.
WALK: tuple[tuple[Operation, bool], ...] = (
    (_PUT, False), (_PUT, False), (_LIST, False), (_PUT, False), (_PUT, False),
    (_GET, False), (_PUT, False), (_LIST, False), (_PUT, False), (_PUT, False),
    (_CREATE, False), (_PUT, False), (_LIST, False), (_PUT, False), (_GET, False),
    (_PUT, False), (_LIST, False), (_PUT, False), (_PUT, True), (_DELETE, True),
)  # fmt: skip
_WITHOUT_A_WALK = frozenset({_LIST, _CREATE})  # the others are about a walk under way
LAST_PUT = 17  # completes the walk
_STRIDE = 7  # coprime with the cycle: neighbours in time do different things


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One request to be made, ``due_offset_ns`` after the run's origin. ``body`` is ``None`` for reads and DELETE.

    ``walk_id`` is the walk meant, chosen by the phone; for CREATE it is the id Firestore's side uses (the API makes
    its own); empty for LIST.
    """

    due_offset_ns: int
    number: int
    user: str
    operation: Operation
    walk_id: str
    body: NewWalk | WalkUpdate | None

    @property
    def operation_id(self) -> str:
        """Unique in the run."""
        return operation_id(self.user, self.number)


def operation_id(user: str, number: int) -> str:
    """The id of a user's ``number``-th request, from 0."""
    return f"{user}-{number:05d}"


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """Where a user stands: its place among all users in the pace, and where in the cycle it begins."""

    place: int
    position: int


def slots(users: Sequence[Account], seed: int) -> dict[str, Slot]:
    """Spreads the users of the API evenly over the pace, and the others evenly between them."""
    on = [account.user for account in users if account.flag_expected]
    off = [account.user for account in users if not account.flag_expected]
    places_on = [index * len(users) // len(on) for index in range(len(on))]
    taken = set(places_on)
    places_off = [place for place in range(len(users)) if place not in taken]
    chance = stream(seed, "stagger")
    placed: dict[str, Slot] = {}
    for group, places in ((on, places_on), (off, places_off)):
        order = sorted(group, key=lambda _: chance.random())
        first = int(chance.random() * len(WALK))
        for rank, (user, place) in enumerate(zip(order, places, strict=True)):
            placed[user] = Slot(place=place, position=(first + rank * _STRIDE) % len(WALK))
    return placed


def operation_at(slot: Slot, number: int) -> Operation:
    """What the ``number``-th request of the user in ``slot`` does, without its body: as ``_Phone`` has it."""
    position = slot.position + number
    operation, side = WALK[position % len(WALK)]
    if operation in _WITHOUT_A_WALK or position >= len(WALK):
        return operation
    before = WALK[slot.position : position]
    return operation if any(s is side and o not in _WITHOUT_A_WALK for o, s in before) else _PUT


def user_schedule(user: str, slot: Slot, plan: PopulationPlan, seed: int, anchor_unix_ns: int) -> Iterator[Planned]:
    """The endless schedule of one user. Times inside the bodies count from ``anchor_unix_ns``, the run's anchor."""
    pacing = Pacing(plan)
    phone = _Phone(user, seed)
    position, number, before_ns = slot.position, 0, pacing.due_ns(slot.place, -1)
    while True:
        due_ns = pacing.due_ns(slot.place, number)
        operation, walk_id, body = phone.act(position, anchor_unix_ns + due_ns, due_ns - before_ns)
        yield Planned(due_offset_ns=due_ns, number=number, user=user, operation=operation, walk_id=walk_id, body=body)
        position, number, before_ns = (position + 1) % len(WALK), number + 1, due_ns


def schedule(plan: PopulationPlan, users: Sequence[Account], seed: int, anchor_unix_ns: int) -> Iterator[Planned]:
    """Every user's schedule merged in due order; endless."""
    placed = slots(users, seed)
    each = [user_schedule(account.user, placed[account.user], plan, seed, anchor_unix_ns) for account in users]
    return heapq.merge(*each, key=lambda planned: (planned.due_offset_ns, planned.user))


class _Phone:
    """What one phone holds: the walk under way and the side walk. A walk not yet put is put before anything else."""

    def __init__(self, user: str, seed: int) -> None:
        self._user = user
        self._seed = seed
        self._walks = 0
        self._main: Walking | None = None
        self._side: Walking | None = None

    def act(
        self, position: int, now_unix_ns: int, interval_ns: int
    ) -> tuple[Operation, str, NewWalk | WalkUpdate | None]:
        """What it does now, ``interval_ns`` after what it did before."""
        operation, side = WALK[position]
        if position == 0:
            self._main, self._side = None, None
        if operation is _LIST:
            return operation, "", None
        if operation is _CREATE:
            return self._create()
        walk = self._side if side else self._main
        if walk is None:
            walk = self._begin(position, now_unix_ns, interval_ns, side)
            return _PUT, walk.id, walk.update(now_unix_ns, interval_ns, completed=side)
        if operation is _PUT:
            return _PUT, walk.id, walk.update(now_unix_ns, interval_ns, completed=position == LAST_PUT)
        return operation, walk.id, None

    def _begin(self, position: int, now_unix_ns: int, interval_ns: int, side: bool) -> Walking:
        self._walks += 1
        # The main walk began with the cycle, which may have been before the run.
        walked_ns = interval_ns if side else (position + 1) * interval_ns
        walk = Walking(
            self._seed,
            f"{self._user}/{self._walks}",
            started_unix_ns=now_unix_ns - walked_ns,
            walked_s=(walked_ns - interval_ns) / NS,
        )
        if side:
            self._side = walk
        else:
            self._main = walk
        return walk

    def _create(self) -> tuple[Operation, str, NewWalk]:
        self._walks += 1
        name = f"{self._user}/{self._walks}"
        walk_id = uuid4_text(stream(self._seed, f"create:{name}"))
        return _CREATE, walk_id, NewWalk(title=f"Walk {name}", description="planned")
