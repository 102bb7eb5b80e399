"""What phones sent to the API, recomputed from the schedule and laid beside the evidence of what came back. Pure.

The schedule is a function of seed and anchor, so every body is known without having been stored; the digest of a
request's row says that it is the same. A PUT carries all locations that the API has not confirmed
(``harness.load.phone``): after an acknowledged PUT, every location recorded by then must be there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypedDict

import msgspec

from harness.load.population import thumbnail
from harness.load.population.schedule import Account, PlannedRequest, first_requests, slots, unmarked
from harness.load.population.walk import Location, NewWalk, WalkUpdate, digest
from harness.model.evidence import WRITES, Due, Operation, Outcome, ProbeRow, RequestRow, Side
from harness.model.scenario import PopulationPlan
from harness.rules.planned import AGAIN

#: It was answered that the write was not carried out, or nobody was there to be told of it.
_REFUSED = frozenset({Outcome.UNEXPECTED_4XX, Outcome.RATE_LIMITED, Outcome.REFUSED})
_TOO_LATE = 408  # of the 4xx the one that says nothing of what became of it: something on the way may have given up


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """A write, from when it was sent to its answer, or to where that was given up. ``perhaps``: it may be carried out
    later than that, or was and nobody said so: it has no acknowledgement, or is the first of two sendings. One that
    was sent once and refused was not carried out.
    """

    sent_ns: int
    done_ns: int
    acknowledged: bool
    perhaps: bool


class Put(Write, frozen=True, kw_only=True):
    """A PUT: ``number`` is the place of its content in the user's schedule, which a repetition shares."""

    number: int
    body: WalkUpdate


class Delete(Write, frozen=True, kw_only=True):
    """A DELETE."""


class Create(Write, frozen=True, kw_only=True):
    """A CREATE; ``walk_id`` is the API's own, empty when it was not acknowledged."""

    user: str
    walk_id: str
    body: NewWalk


class SentWalk(msgspec.Struct, frozen=True, kw_only=True):
    """One walk as the API was told of it: PUTs and DELETEs in order, and what the phone recorded.

    ``recorded`` are (number, location) in order: the location was recorded by the schedule's PUT ``number``.
    """

    walk_id: str
    user: str
    puts: tuple[Put, ...]
    deletes: tuple[Delete, ...]
    recorded: tuple[tuple[int, Location], ...]

    @property
    def last_ns(self) -> int:
        """When its last write ended."""
        writes: tuple[Write, ...] = (*self.puts, *self.deletes)
        return max(write.done_ns for write in writes)

    @property
    def confirmed(self) -> bool:
        """Whether each of its writes was acknowledged: of another the target may still make something."""
        return all(write.acknowledged and not write.perhaps for write in (*self.puts, *self.deletes))


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """``walks`` by id in lower case; ``unmatched`` are operation ids that are none of the schedule's, or whose digest
    is not of the recomputed content.
    ``untold`` are users of whom not every request is in evidence: it may be a write.
    """

    walks: dict[str, SentWalk]
    creates: tuple[Create, ...]
    unmatched: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()


def api_writes(rows: Iterable[object], sides: Collection[Side] = (Side.API,)) -> list[RequestRow]:
    """The writes among ``rows`` that went to the API, or to those ``sides`` whose walks are all to be in PostgreSQL."""
    return [
        row
        for row in rows
        if isinstance(row, RequestRow) and row.side in sides and row.operation in WRITES and row.walk_id != ""
    ]


def number_of(operation_id: str) -> int:
    """The place in its user's schedule of the content that the operation sent: "u0017-00003-again-00007" is 3."""
    return int(operation_id.split("-")[1])


def numbered(operation_id: str) -> bool:
    """Whether the id has a number at all: a row that no phone of the plan wrote may have an id without one."""
    _, *parts = operation_id.split("-")
    return bool(parts) and parts[0].isdecimal()


def is_scheduled(row: RequestRow) -> bool:
    """Whether the row is of a request of the schedule: a walk that was sent once more stands for none, and an id
    without a number is none of the schedule's."""
    return AGAIN not in row.operation_id and numbered(row.operation_id)


def scheduled(rows: Iterable[RequestRow]) -> set[int]:
    """The places of all requests of the schedule that ``rows`` tell of."""
    return {number_of(row.operation_id) for row in rows if is_scheduled(row)}


def by_place(rows: Iterable[RequestRow]) -> Mapping[str, Mapping[int, int]]:
    """By user and place in the user's schedule: when each request of the schedule was sent."""
    sent_ns: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for row in rows:
        if is_scheduled(row):
            sent_ns[row.user][number_of(row.operation_id)] = row.sent_ns
    return sent_ns


def untold(rows: Iterable[RequestRow], due: Iterable[Due]) -> tuple[str, ...]:
    """The users of whom a request that was ``due``, or was so before another one of ``rows``, all there are, has no
    row."""
    there = by_place(rows)
    gaps = {user for user, own in there.items() if max(own) >= len(own)}
    lost = {each.user for each in due if number_of(each.id) not in there.get(each.user, {})}
    return tuple(sorted(gaps | lost))


def sent(
    rows: Sequence[RequestRow],
    plan: PopulationPlan,
    users: Sequence[Account],
    *,
    seed: int,
    anchor_unix_ns: int,
    bucket: str,
) -> Sent:
    """``rows`` as ``api_writes`` gives them; ``bucket`` is Storage's, of which thumbnails' URLs are made."""
    placed = slots(plan, users, seed)
    by_user: defaultdict[str, list[RequestRow]] = defaultdict(list)
    walks: dict[str, SentWalk] = {}
    creates: list[Create] = []
    unmatched: list[str] = []
    for row in sorted(rows, key=lambda row: row.sent_ns):
        if row.user in placed and numbered(row.operation_id):
            by_user[row.user].append(row)
        else:
            unmatched.append(row.operation_id)
    for user, own in by_user.items():
        last = max(number_of(row.operation_id) for row in own)
        planned = first_requests(user, placed[user], plan, seed, anchor_unix_ns, most=last + 1)
        found = _of_user(own, planned, bucket)
        walks |= found.walks
        creates += found.creates
        unmatched += found.unmatched
    return Sent(walks=walks, creates=tuple(creates), unmatched=tuple(unmatched))


def _of_user(rows: Sequence[RequestRow], planned: Sequence[PlannedRequest], bucket: str) -> Sent:
    puts: defaultdict[str, list[Put]] = defaultdict(list)
    deletes: defaultdict[str, list[Delete]] = defaultdict(list)
    creates: list[Create] = []
    unmatched: list[str] = []
    for row in rows:
        number = number_of(row.operation_id)
        body = body_of(planned[number], row, bucket)
        walk_id = row.walk_id.lower()
        match row.operation, body:
            case Operation.PUT_WALK, WalkUpdate():
                puts[walk_id].append(Put(number=number, body=body, **_times(row)))
            case Operation.CREATE_WALK, NewWalk():
                known = walk_id if row.acknowledged else ""
                creates.append(Create(user=row.user, walk_id=known, body=body, **_times(row)))
            case Operation.DELETE_WALK, None if planned[number].operation is Operation.DELETE_WALK:
                deletes[walk_id].append(Delete(**_times(row)))
            case _:
                unmatched.append(row.operation_id)
    recorded = _recorded(planned)
    walks = {
        walk_id: SentWalk(
            walk_id=walk_id,
            user=rows[0].user,
            puts=tuple(puts[walk_id]),
            deletes=tuple(deletes[walk_id]),
            recorded=tuple(recorded.get(walk_id, ())),
        )
        for walk_id in [*puts, *(each for each in deletes if each not in puts)]
    }
    return Sent(walks=walks, creates=tuple(creates), unmatched=tuple(unmatched))


class _Times(TypedDict):
    sent_ns: int
    done_ns: int
    acknowledged: bool
    perhaps: bool


def _times(row: RequestRow) -> _Times:
    perhaps = row.retried or not (row.acknowledged or refused(row))
    return {"sent_ns": row.sent_ns, "done_ns": row.done_ns, "acknowledged": row.acknowledged, "perhaps": perhaps}


def refused(row: RequestRow | ProbeRow) -> bool:
    """Whether its answer, or that nobody was there, says that it was not carried out."""
    return row.outcome in _REFUSED and row.status != _TOO_LATE


def body_of(planned: PlannedRequest, row: RequestRow, bucket: str) -> NewWalk | WalkUpdate | None:
    """The content with that digest, one of ``bodies_of``; ``None`` for a DELETE and no match."""
    if planned.operation is not row.operation:
        return None
    return next((body for body in bodies_of(planned, bucket) if digest(body) == row.payload_digest), None)


def bodies_of(planned: PlannedRequest, bucket: str) -> Iterator[NewWalk | WalkUpdate]:
    """What a request may have sent: as planned, or with the walk's thumbnail; each also without the user's mark, as
    older runs did."""
    if planned.body is None:
        return
    url = thumbnail.url(bucket, planned.user, planned.walk_id)
    for body in (planned.body, unmarked(planned.body)):
        yield body
        if isinstance(body, WalkUpdate):
            yield msgspec.structs.replace(body, thumbnail_image_url=url)


def _recorded(planned: Sequence[PlannedRequest]) -> Mapping[str, list[tuple[int, Location]]]:
    recorded: defaultdict[str, list[tuple[int, Location]]] = defaultdict(list)
    for each in planned:
        if isinstance(each.body, WalkUpdate):
            recorded[each.walk_id] += [(each.number, location) for location in each.body.locations]
    return recorded
