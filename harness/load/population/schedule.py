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
from harness.load.population.marks import mark
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


class Doing(msgspec.Struct, frozen=True):
    """What a request does, without its body; ``side``: with the side walk. ``begins``: that walk was not put yet."""

    operation: Operation
    side: bool
    begins: bool


def doing_at(slot: Slot, number: int) -> Doing:
    """The ``number``-th request of the user in ``slot``: as the cycle has it, but that a walk is put before anything
    else is done with it, also by who enters the cycle in its middle."""
    done, place = divmod(slot.position + number, len(WALK))
    operation, side = WALK[place]
    if operation in _WITHOUT_A_WALK:
        return Doing(operation, side, begins=False)
    before = WALK[0 if done else slot.position : place]
    begins = not any(s is side and o not in _WITHOUT_A_WALK for o, s in before)
    return Doing(_PUT if begins else operation, side, begins)


def user_schedule(user: str, slot: Slot, plan: PopulationPlan, seed: int, anchor_unix_ns: int) -> Iterator[Planned]:
    """The endless schedule of one user. Times inside the bodies count from ``anchor_unix_ns``, the run's anchor."""
    pacing = Pacing(plan)
    phone = _Phone(user, seed)
    number, before_ns = 0, pacing.due_ns(slot.place, -1)
    while True:
        due_ns, doing = pacing.due_ns(slot.place, number), doing_at(slot, number)
        position = (slot.position + number) % len(WALK)
        walk_id, body = phone.act(doing, position, anchor_unix_ns + due_ns, due_ns - before_ns)
        yield Planned(
            due_offset_ns=due_ns, number=number, user=user, operation=doing.operation, walk_id=walk_id, body=body
        )
        number, before_ns = number + 1, due_ns


def schedule(plan: PopulationPlan, users: Sequence[Account], seed: int, anchor_unix_ns: int) -> Iterator[Planned]:
    """Every user's schedule merged in due order; endless."""
    placed = slots(users, seed)
    each = [user_schedule(account.user, placed[account.user], plan, seed, anchor_unix_ns) for account in users]
    return heapq.merge(*each, key=lambda planned: (planned.due_offset_ns, planned.user))


class _Phone:
    """What one phone holds: the walk under way and the side walk, each since a request began it."""

    def __init__(self, user: str, seed: int) -> None:
        self._user = user
        self._seed = seed
        self._mark = mark(seed, user)
        self._walks = 0
        self._held: dict[bool, Walking] = {}  # by whether it is the side walk

    def act(
        self, doing: Doing, position: int, now_unix_ns: int, interval_ns: int
    ) -> tuple[str, NewWalk | WalkUpdate | None]:
        """The walk and the body of what it does now, ``interval_ns`` after what it did before."""
        if doing.operation is _LIST:
            return "", None
        if doing.operation is _CREATE:
            return self._create()
        if doing.begins:
            self._held[doing.side] = self._begun(position, now_unix_ns, interval_ns, doing.side)
        walk = self._held[doing.side]
        if doing.operation is not _PUT:
            return walk.id, None
        completed = doing.side if doing.begins else position == LAST_PUT
        return walk.id, walk.update(now_unix_ns, interval_ns, completed=completed)

    def _begun(self, position: int, now_unix_ns: int, interval_ns: int, side: bool) -> Walking:
        self._walks += 1
        # The main walk began with the cycle, which may have been before the run.
        walked_ns = interval_ns if side else (position + 1) * interval_ns
        return Walking(
            self._seed,
            f"{self._user}/{self._walks}",
            started_unix_ns=now_unix_ns - walked_ns,
            walked_s=(walked_ns - interval_ns) / NS,
            mark=self._mark,
        )

    def _create(self) -> tuple[str, NewWalk]:
        self._walks += 1
        name = f"{self._user}/{self._walks}"
        walk_id = uuid4_text(stream(self._seed, f"create:{name}"))
        return walk_id, NewWalk(title=f"Walk {name} {self._mark}", description=f"planned {self._mark}")
