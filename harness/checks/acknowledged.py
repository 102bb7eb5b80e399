"""Is every acknowledged write in PostgreSQL, with its content? What was sent against what is stored. Pure.

A phone does one thing at a time, so a walk's acknowledged writes have an order. A write without an acknowledgement, or
the first of two sendings, may have been carried out at any later moment, also after a later write that was
acknowledged: its content instead of the acknowledged write's is no loss, and is counted apart. Where a DELETE was sent
once and refused, that is no reason why its walk has gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from harness.checks.dual_write import StoredWalk
from harness.checks.sent import Create, Put, Sent, SentWalk, Write
from harness.checks.told import of_walk, unlike
from harness.checks.values import Column
from harness.load.population.walk import Location, WalkUpdate
from harness.model.message import Message, Told, joined, message

_ALWAYS = ("title", "status", "start_time", "total_distance", "total_steps", "polyline_data")
_WHEN_SENT = ("end_time", "thumbnail_image_url")  # a PUT without them leaves what is there
_OF_LOCATION = tuple(name for name in Location.__struct_fields__ if name != "sequence_number")


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """A walk of which ``writes`` acknowledged writes are not there, or not as they were sent: what of it."""

    walk_id: str
    user: str
    what: Message
    writes: int = 1

    @property
    def told(self) -> Message:
        """For people."""
        return of_walk(self.walk_id, self.user, self.what)


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """``writes`` acknowledged and what is lost of them; of ``unconfirmed`` ones, how many are seen to be there or not.

    ``overtaken`` are walks that hold an unconfirmed write's content though a later one was acknowledged.
    """

    writes: int
    lost: tuple[Lost, ...]
    unconfirmed: int
    applied: int
    absent: int
    overtaken: int

    @property
    def lost_writes(self) -> int:
        """How many of ``writes`` are lost: each counts once, however much of it is."""
        return sum(each.writes for each in self.lost)

    @property
    def told(self) -> Told:
        """All counts, for people."""
        told = [
            message(
                "{writes} acknowledged writes: {lost} lost, of {walks} walks",
                writes=f"{self.writes:,}",
                lost=f"{self.lost_writes:,}",
                walks=str(len({each.walk_id for each in self.lost})),
            ),
            message(
                "{count} without an acknowledgement: {applied} seen there, {absent} seen not there",
                count=f"{self.unconfirmed:,}",
                applied=f"{self.applied:,}",
                absent=f"{self.absent:,}",
            ),
        ]
        if self.overtaken:
            told.append(message("{count} in place of a later write", count=f"{self.overtaken:,}"))
        return tuple(told)


class ProbedWalk(msgspec.Struct, frozen=True, kw_only=True):
    """A canary's walk with an acknowledged PUT: whose it is, and what each of its PUTs says."""

    walk_id: str
    user: str
    body: WalkUpdate


class _Counts(msgspec.Struct):
    lost: list[Lost]
    applied: int = 0
    absent: int = 0
    overtaken: int = 0


def acknowledged(sent: Sent, stored: Mapping[str, StoredWalk], probed: Collection[ProbedWalk] = ()) -> Acknowledged:
    """``stored`` by id in lower case: everything there is, not a choice. ``probed`` are the canaries' walks."""
    counts = _Counts(lost=[])
    for walk in sent.walks.values():
        _walk(walk, stored.get(walk.walk_id), counts)
    for create in sent.creates:
        _create(create, stored, counts)
    for each in probed:
        what = _of_canary(each, stored.get(each.walk_id))
        if what is not None:
            counts.lost.append(Lost(walk_id=each.walk_id, user=each.user, what=what))
    writes: list[Write] = [
        *(write for walk in sent.walks.values() for write in (*walk.puts, *walk.deletes)),
        *sent.creates,
    ]
    confirmed = sum(write.acknowledged for write in writes)
    return Acknowledged(
        writes=confirmed + len(probed),
        lost=tuple(counts.lost),
        unconfirmed=len(writes) - confirmed,
        applied=counts.applied,
        absent=counts.absent,
        overtaken=counts.overtaken,
    )


def _walk(walk: SentWalk, held: StoredWalk | None, counts: _Counts) -> None:
    confirmed = [put for put in walk.puts if put.acknowledged]
    perhaps = [put for put in walk.puts if put.perhaps or not put.acknowledged]
    deleted_ns = max((each.done_ns for each in walk.deletes if each.acknowledged), default=None)
    confirmed_since = [put for put in confirmed if deleted_ns is None or put.sent_ns > deleted_ns]
    if held is None:
        if confirmed_since and not any(each.perhaps and not each.acknowledged for each in walk.deletes):
            _lose(walk, message("it is not there"), len(confirmed_since), counts)
        elif confirmed_since:
            counts.applied += 1  # the DELETE
        else:
            counts.absent += sum(not put.acknowledged for put in perhaps)
        return
    if _owned(held) and held.user != walk.user:
        # Without a write that was acknowledged there is none to lose: whose row it is, other checks say.
        whose = message("it is {user}'s", user=_owner(held))
        _lose(walk, whose, len(confirmed_since) or int(deleted_ns is not None), counts)
        return
    if deleted_ns is not None and not confirmed_since and not any(put.perhaps for put in perhaps):
        _lose(walk, message("deleted, and it is there"), 1, counts)
        return
    counts.absent += sum(not each.acknowledged for each in walk.deletes)
    if not confirmed_since:
        counts.applied += 1  # one of the PUTs without an acknowledgement
        return
    _content(walk, held, confirmed_since, perhaps, counts)


def _lose(walk: SentWalk, what: Message, writes: int, counts: _Counts) -> None:
    if writes:
        counts.lost.append(Lost(walk_id=walk.walk_id, user=walk.user, what=what, writes=writes))


def _owner(held: StoredWalk) -> str | Message:
    return held.user or message("no user")


def _owned(held: StoredWalk) -> bool:
    """Whether it was read whose walk it is."""
    return "user_id" in held.layout.walks


def _content(
    walk: SentWalk, held: StoredWalk, confirmed: Sequence[Put], perhaps: Sequence[Put], counts: _Counts
) -> None:
    """``confirmed``: those since the walk was deleted, if it was; the last of them says what the walk is now."""
    last = confirmed[-1]
    differs = _differs(last.body, held)
    instead = [put for put in perhaps if differs and not _differs(put.body, held)]
    counts.applied += any(not put.acknowledged for put in instead)
    counts.overtaken += bool(instead) and all(put.sent_ns < last.sent_ns for put in instead)
    counts.absent += sum(put.sent_ns > last.sent_ns for put in perhaps) if not instead else 0
    lost: set[int] = set()
    told: list[Message] = []
    if differs is not None and not instead:
        lost, told = {last.number}, [differs]
    wrong = _locations(walk, held, last.number)
    if wrong.told is not None:
        # A location is lost with the write that brought it: the first acknowledged one from its place on.
        lost |= {next(put.number for put in confirmed if put.number >= by or put is last) for by in wrong.by}
        told.append(wrong.told)
    if told:
        _lose(walk, joined(tuple(told)), len(lost), counts)


def _create(create: Create, stored: Mapping[str, StoredWalk], counts: _Counts) -> None:
    if not create.acknowledged:
        same = any(held.user == create.user and _same_title(create, held) for held in stored.values())
        counts.applied += same
        counts.absent += not same
        return
    held = stored.get(create.walk_id)
    if held is None:
        what: Message | None = message("created, and it is not there")
    elif _owned(held) and held.user != create.user:
        what = message("created, and it is {user}'s", user=_owner(held))
    else:
        fields = {"title": create.body.title, "description": create.body.description}
        what = next(filter(None, (_other(held, name, value) for name, value in fields.items())), None)
    if what is not None:
        counts.lost.append(Lost(walk_id=create.walk_id, user=create.user, what=what))


def _same_title(create: Create, held: StoredWalk) -> bool:
    return "title" in held.layout.walks and held.columns["title"] == create.body.title


def _of_canary(probed: ProbedWalk, held: StoredWalk | None) -> Message | None:
    """What is wrong with the canary's walk; ``None`` when nothing is. Its PUTs are alike, so their order does not
    matter."""
    if held is None:
        return message("the canary's walk is not there")
    if _owned(held) and held.user != probed.user:
        return message("the canary's walk is {user}'s", user=_owner(held))
    strange = len(held.locations) - len(probed.body.locations)
    if (differs := _differs(probed.body, held)) is not None or not strange:
        return differs
    return message("the canary's walk has {count} locations too many", count=str(strange))


def _differs(body: WalkUpdate, held: StoredWalk) -> Message | None:
    for name in (*_ALWAYS, *_WHEN_SENT):
        value = getattr(body, name)
        if (value is not None or name in _ALWAYS) and (told := _other(held, name, value)) is not None:
            return told
    return None


def _other(held: StoredWalk, name: str, value: Any) -> Message | None:
    """What is wrong with a column that was read; ``None`` when nothing is."""
    column = held.layout.walks.get(name)
    if column is None or column.holds(value, held.columns[name]):
        return None
    return _told(name, held.columns[name], value, column)


def _told(name: str | Message, found: Any, wanted: Any, column: Column) -> Message:
    told = unlike(name, str(found)[:80], str(wanted)[:80])
    shift = column.shift(wanted, found)
    if shift is None:
        return told
    hours = f"{shift.total_seconds() / 3600:+g}"
    return message("{told}: {hours} h, as local time in a column without a time zone is", told=told, hours=hours)


class _Wrong(msgspec.Struct, frozen=True):
    """What is wrong with locations, and the numbers of the PUTs that brought them."""

    told: Message | None = None
    by: frozenset[int] = frozenset()


def _locations(walk: SentWalk, held: StoredWalk, number: int) -> _Wrong:
    """Of the locations recorded by the PUT ``number`` those that are missing or different, as far as they were read."""
    read = held.layout.locations
    if read is None:
        return _Wrong()
    there = {row["sequence_number"]: row for row in held.locations}
    must = [(by, location) for by, location in walk.recorded if by <= number]
    missing = [(by, location.sequence_number) for by, location in must if location.sequence_number not in there]
    if missing:
        told = message(
            "{missing} of {all} locations are not there, the first is number {number}",
            missing=str(len(missing)),
            all=str(len(must)),
            number=str(missing[0][1]),
        )
        return _Wrong(told, frozenset(by for by, _ in missing))
    columns = [(name, read[name]) for name in _OF_LOCATION if name in read]
    first: Message | None = None
    wrong = set[int]()
    for by, location in must:
        row = there[location.sequence_number]
        for name, column in columns:
            value = getattr(location, name)
            if row[name] != value and not column.holds(value, row[name]):
                if first is None:
                    field = message("location {number}: {name}", number=str(location.sequence_number), name=name)
                    first = _told(field, row[name], value, column)
                wrong.add(by)
                break
    return _Wrong(first, frozenset(wrong))
