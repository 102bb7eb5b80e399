"""What each phone wrote, on both sides, as histories of its walks: recomputed from the schedule and the rows. Pure.

A number of the schedule that no row tells of may have been sent all the same, and its row lost: it is taken for a
write without an acknowledgement, so that lost evidence never makes an answer look wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice

import msgspec

from harness.checks.histories import FOREVER, NEVER, Asked, State, WalkHistory
from harness.checks.sent import bodies_of, body_of, number_of, numbered, scheduled
from harness.load.population.accounts import Account
from harness.load.population.content import created, fingerprint, updated
from harness.load.population.schedule import Planned, Slot, slots, user_schedule
from harness.load.population.walk import NewWalk, WalkUpdate
from harness.model.evidence import WRITES, Operation, RequestRow, Side
from harness.model.scenario import PopulationPlan


class UserWalks:
    """One user's walks on one side, and the CREATEs there whose walk's id nobody was told."""

    def __init__(self) -> None:
        self.walks: dict[str, WalkHistory] = {}
        self.unnamed: list[State] = []

    def add(self, walk_id: str, state: State) -> None:
        """One write of a walk; "" for a CREATE whose id is not known."""
        if walk_id:
            self.walks.setdefault(walk_id, WalkHistory()).add(state)
        else:
            self.unnamed.append(state)

    def find(self, walk_id: str, content: str, asked: Asked) -> WalkHistory | None:
        """The walk of an answer; an unknown id is that of a CREATE without an acknowledgement that says the same."""
        if walk_id in self.walks:
            return self.walks[walk_id]
        for state in self.unnamed:
            if content in state.contents and state.sent_ns <= asked.done_ns:
                self.unnamed.remove(state)
                self.add(walk_id, state)
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
        self._slots: dict[str, Slot] = slots(users, seed)
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

    def schedule(self, user: str, count: int) -> list[Planned]:
        """The first ``count`` requests of ``user``, one of the plan's."""
        endless = user_schedule(user, self._slots[user], self._plan, self._seed, self._anchor_unix_ns)
        return list(islice(endless, count))

    def _made(self, planned: Planned, row: RequestRow) -> _Made:
        body = body_of(planned, row, self._bucket)
        if body is None and row.operation is not Operation.DELETE_WALK:
            raise NotAsPlanned(row.operation_id)
        return _Made(planned, row, () if body is None else (body,))


class _Made(msgspec.Struct, frozen=True):
    """A write with the bodies that it may have had; without a row it is not known whether it was sent, and where."""

    planned: Planned
    row: RequestRow | None
    bodies: tuple[NewWalk | WalkUpdate, ...]


def _walks(made: Sequence[_Made], planned: Sequence[Planned]) -> Mapping[Side, UserWalks]:
    found = {side: UserWalks() for side in Side}
    ends: defaultdict[str, list[WalkUpdate]] = defaultdict(list)
    for each in made:
        ends[each.planned.walk_id] += [b for b in each.bodies if isinstance(b, WalkUpdate) and _brings_end(b)]
    recorded = _recorded(planned)
    for each in made:
        contents = _contents(each.bodies, ends[each.planned.walk_id])
        locations = recorded.get((each.planned.walk_id, each.planned.number), 0)
        for side, walks in found.items():
            for state in _states(each, side, contents, locations):
                walks.add(_walk_id(each), state)
    return found


def _walk_id(made: _Made) -> str:
    create = made.planned.operation is Operation.CREATE_WALK
    if not create or (made.row is not None and made.row.side is Side.FIRESTORE):
        return made.planned.walk_id.lower()
    return made.row.walk_id.lower() if made.row is not None and made.row.acknowledged else ""


def _states(made: _Made, side: Side, contents: frozenset[str], locations: int) -> list[State]:
    row = made.row
    if row is None:
        return [
            State(contents=contents, sent_ns=NEVER, done_ns=FOREVER, end_ns=FOREVER, once=False, locations=locations)
        ]
    here = row.side is side
    acknowledged = here and row.acknowledged
    state = State(
        contents=contents,
        sent_ns=row.sent_ns,
        done_ns=row.done_ns,
        end_ns=row.done_ns if acknowledged else FOREVER,
        acknowledged=acknowledged,
        here=here,
        once=here and (acknowledged or not row.retried),
        locations=locations,
    )
    if not (acknowledged and row.retried):
        return [state]
    # The first of the two sendings may still be carried out, after the second was acknowledged.
    return [state, msgspec.structs.replace(state, acknowledged=False, end_ns=FOREVER)]


def _brings_end(body: WalkUpdate) -> bool:
    return body.end_time is not None or body.thumbnail_image_url is not None


def _contents(bodies: Sequence[NewWalk | WalkUpdate], ends: Sequence[WalkUpdate]) -> frozenset[str]:
    found = set()
    for body in bodies:
        if isinstance(body, NewWalk):
            found.add(fingerprint(created(body)))
            continue
        found.add(fingerprint(updated(body)))
        found |= {fingerprint(updated(body, end)) for end in ends}
    return frozenset(found)


def _recorded(planned: Sequence[Planned]) -> Mapping[tuple[str, int], int]:
    """By walk and number of a PUT: how many locations the phone has recorded of the walk by then."""
    counts: defaultdict[str, int] = defaultdict(int)
    found = {}
    for each in planned:
        if isinstance(each.body, WalkUpdate):
            counts[each.walk_id] += len(each.body.locations)
            found[each.walk_id, each.number] = counts[each.walk_id]
    return found
