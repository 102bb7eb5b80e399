"""Backups on the document's schedule and their retention: real backups of a small database, days in moved time.

PostgreSQL's own commit times are the machine's; a moved time is tied to its transaction by the ledger of commits.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import msgspec

from harness.base.errors import BadInput
from harness.model.message import Message, message, of_error
from harness.rehearsals.dr_restore import backup, wal
from harness.rehearsals.dr_restore.cases import Check
from harness.rehearsals.dr_restore.moved_clock import MovedClock
from harness.rehearsals.dr_restore.restore import Point, Source, restore
from harness.rehearsals.dr_restore.schedule import backup_for, expired, next_backup
from harness.rehearsals.dr_restore.sentinel import closing, recovered
from harness.rehearsals.dr_restore.world import SEGMENT_BYTES, World, world
from harness.stack.site import Site, remove

START = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)
_COMMITS_A_DAY = 4
_BOOK = "INSERT INTO rehearsal.sentinel VALUES ($1, $2) RETURNING pg_current_xact_id()::text"


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """A commit at a moved time."""

    n: int
    at: datetime
    xid: str


class Kept(msgspec.Struct, kw_only=True):
    """What the days left: every start, the backups still there, what was removed and when."""

    started: list[datetime] = []
    there: dict[datetime, backup.Backup] = {}
    removed: list[tuple[datetime, datetime]] = []
    booked: list[Booked] = []
    reach: list[timedelta] = []


async def keep(here: World, clock: MovedClock, at: time, days: int, keep_for: timedelta) -> Kept:
    """Runs ``days`` of the schedule: commits through the day, a backup when it is due, then the retention."""
    kept = Kept()
    end = clock.now + timedelta(days=days)
    while (due := next_backup(clock.now, at)) <= end:
        step = (due - clock.now) / (_COMMITS_A_DAY + 1)
        for _ in range(_COMMITS_A_DAY):
            await clock.until(clock.now + step)
            await _book(here, clock, kept)
        await clock.until(due)
        kept.started.append(clock.now)
        kept.there[clock.now] = await here.back_up()
        await here.archive.caught_up(here.primary)
        for old in expired(list(kept.there), clock.now, keep_for):
            remove([kept.there.pop(old).folder])
            kept.removed.append((old, clock.now))
        await _clean(here, kept)
        kept.reach.append(clock.now - min(kept.there))
    return kept


async def schedule_checks(site: Site, at: time, days: int, keep_for: timedelta) -> list[Check]:
    """The schedule and the retention, looked at on what the days left; two real restores at the window's edge."""
    async with world(site, "kept", 0.1, streaming=False) as here:
        clock = MovedClock(START)
        remove([here.backups.pop().folder])
        kept = await keep(here, clock, at, days, keep_for)
        return [*judge(kept, at, keep_for, clock.now), *await _edges(here, kept, clock.now - keep_for)]


def judge(kept: Kept, at: time, keep_for: timedelta, now: datetime) -> list[Check]:
    """What can be told from the dates alone; pure."""
    off = [each for each in kept.started if each.astimezone(at.tzinfo).time() != at.replace(tzinfo=None)]
    gaps = {after - before for before, after in zip(kept.started, kept.started[1:], strict=False)}
    whole = [
        reach for reach, start in zip(kept.reach, kept.started, strict=True) if start - kept.started[0] >= keep_for
    ]
    early = [old for old, when in kept.removed if not any(old < other <= when - keep_for for other in kept.started)]
    first = kept.started[0] if kept.started else now
    return [
        Check(
            name=message("a backup every day at {time} {zone}", time=f"{at:%H:%M}", zone=str(at.tzinfo)),
            ok=bool(kept.started) and not off and gaps <= {timedelta(days=1)},
            told=message(
                "{count} backups, the first at {first} UTC, {off} at another time",
                count=str(len(kept.started)),
                first=f"{first:%Y-%m-%d %H:%M}",
                off=str(len(off)),
            ),
        ),
        Check(
            name=message("every point of the retention can be restored after each backup"),
            ok=bool(whole) and min(whole) >= keep_for and not early,
            told=message(
                "{count} backups kept, reaching back {days}; {early} removed too early",
                count=str(len(kept.there)),
                days=_days(whole),
                early=str(len(early)),
            ),
        ),
        Check(
            name=message("backups beyond the retention are removed"),
            ok=bool(kept.removed) and len(kept.there) <= keep_for.days + 1,
            told=_oldest(kept, now),
        ),
    ]


def _days(reach: list[timedelta]) -> Message:
    if not reach:
        return message("less than the retention so far")
    return message("{days} days at least", days=f"{min(reach) / timedelta(days=1):g}")


def _oldest(kept: Kept, now: datetime) -> Message:
    removed = str(len(kept.removed))
    if not kept.there:
        return message("{removed} removed, none kept", removed=removed)
    days = f"{(now - min(kept.there)) / timedelta(days=1):g}"
    return message("{removed} removed, the oldest kept is {days} days old", removed=removed, days=days)


async def _edges(here: World, kept: Kept, edge: datetime) -> list[Check]:
    """A commit just inside the window is restored from the oldest backup; one before that backup is refused."""
    inside = next((each for each in kept.booked if each.at >= edge), None)
    outside = [each for each in kept.booked if each.at < min(kept.there)]
    if inside is None or not outside:
        told = message("fewer days than the retention: nothing lies outside")
        return [Check(name=message("the edge of the retention"), ok=False, told=told)]
    chosen = backup_for(list(kept.there), inside.at)
    source = Source(backup=kept.there[chosen], archive=here.archive, password=here.primary.password)
    restored = await restore(here.site, source, Point(kind="xid", value=inside.xid), "kept-edge")
    here.servers.append(restored.server)
    connection = await restored.server.connect()
    try:
        found = await recovered(connection)
    finally:
        await closing(connection)
    expected = {each.n for each in kept.booked if each.at <= inside.at}
    try:
        backup_for(list(kept.there), outside[-1].at)
        refused = None
    except BadInput as error:
        refused = of_error(error)
    return [
        Check(
            name=message("the oldest commit inside the retention is restored"),
            ok=found == expected,
            told=message(
                "{inside} UTC from the backup of {chosen}: {count} commits",
                inside=f"{inside.at:%Y-%m-%d %H:%M}",
                chosen=f"{chosen:%Y-%m-%d %H:%M}",
                count=str(len(found)),
            ),
        ),
        Check(
            name=message("a point before the oldest backup is refused"),
            ok=refused is not None,
            told=refused or message("it was taken"),
        ),
    ]


async def _book(here: World, clock: MovedClock, kept: Kept) -> None:
    connection = await here.primary.connect()
    try:
        n = len(kept.booked) + 1
        xid = await connection.fetchval(_BOOK, n, clock.now_ns())
    finally:
        await closing(connection)
    kept.booked.append(Booked(n=n, at=clock.now, xid=xid))


async def _clean(here: World, kept: Kept) -> None:
    """Segments that no backup needs any more go, by ``pg_archivecleanup``; the rest must stay unbroken."""
    first = kept.there[min(kept.there)].first_segment(SEGMENT_BYTES)
    await here.site.tool("pg_archivecleanup", str(here.archive.wal), first)
    state = wal.continuity(here.archive.archived(), first, SEGMENT_BYTES)
    if state.missing:
        raise BadInput(
            message("segments {names} are missing", names=", ".join(state.missing)),
            where=str(Path(here.archive.wal)),
        )
