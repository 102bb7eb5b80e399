"""Backups on the document's schedule and their retention: real backups of a small database, days in moved time.

PostgreSQL's own commit times are the machine's; a moved time is tied to its transaction by the ledger of commits.

``stalled`` tells what a lost disk costs with the archive alone, and with an archiver that stalls. There is a commit
every ``commit_every_s`` and a segment switch every ``archive_timeout_s`` (what PostgreSQL's archive_timeout does), each
at its moved time. Nothing leaves the server while the archiver is stalled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import msgspec

from harness.base.clock import NS, Anchor
from harness.base.errors import BadInput
from harness.model.message import Message, message, of_error
from harness.rehearsals.dr_restore import archive
from harness.rehearsals.dr_restore.restore import (
    SEGMENT_BYTES,
    RestorePoint,
    RestoreSource,
    RestoreWorld,
    restore,
    world,
)
from harness.rehearsals.dr_restore.server import INSERT, recovered
from harness.rehearsals.dr_restore.types import CaseCheck, StallPlan, backup_for, expired, next_backup
from harness.stack.local.site import Site, remove


class Stalled(msgspec.Struct, frozen=True, kw_only=True):
    """``healthy_rpo_s``: the disk lost when the stall began, the worst moment; ``stalled_rpo_s``: at its end.

    With nothing recovered both count from the beginning: at least that is lost.
    """

    healthy_rpo_s: float
    stalled_rpo_s: float
    commits: int
    recovered: int


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """What a loss must lie in, seconds."""

    least_s: float
    most_s: float


def expected(plan: StallPlan) -> tuple[Range, Range]:
    """The losses when the stall begins and when it ends, by what was set alone; pure.

    Segments leave on whole ``archive_timeout_s`` (PostgreSQL: archive_timeout), the last time before the stall: that
    long before, and the stall's length, is lost at least. The last commit of that segment is older than its switch by
    at most ``commit_every_s``, and that is the tolerance.
    """
    age_s = round(plan.healthy_s * NS) % round(plan.archive_timeout_s * NS) / NS
    begun, ended = (
        Range(least_s=least_s, most_s=least_s + plan.commit_every_s) for least_s in (age_s, age_s + plan.stall_s)
    )
    return begun, ended


def due(begun_ns: int, end_ns: int, plan: StallPlan) -> list[tuple[int, bool]]:
    """What happens after ``begun_ns`` and until ``end_ns``, by moved time: ``True`` a commit, ``False`` a switch.

    A switch goes before a commit of the same moment. The length need be no multiple of either.
    """
    commit_ns, switch_ns = round(plan.commit_every_s * NS), round(plan.archive_timeout_s * NS)
    commits = [(at_ns, True) for at_ns in range(begun_ns + commit_ns, end_ns + 1, commit_ns)]
    first_ns = (begun_ns // switch_ns + 1) * switch_ns
    return sorted(commits + [(at_ns, False) for at_ns in range(first_ns, end_ns + 1, switch_ns)])


def measured(times: Mapping[int, int], found: Collection[int], begun_ns: int, end_ns: int) -> Stalled:
    """``times``: the moved time of every commit by its number; ``found``: the numbers that were recovered. Pure."""
    last_ns = max((times[n] for n in found), default=0)
    return Stalled(
        healthy_rpo_s=(begun_ns - last_ns) / NS,
        stalled_rpo_s=(end_ns - last_ns) / NS,
        commits=len(times),
        recovered=len(found),
    )


async def stalled(site: Site, plan: StallPlan) -> Stalled:
    """A healthy time, the stall, then the disk is lost and the archive restored."""
    async with world(site, "stall", 0.1, streaming=False) as here:
        clock = MovedClock(START)
        times = await _commits(here, clock, plan, plan.healthy_s, first=1)
        begun_ns = clock.now_ns()
        here.archive.stall()
        times |= await _commits(here, clock, plan, plan.stall_s, first=len(times) + 1)
        await here.primary.lose()
        restored = await restore(site, here.source(), RestorePoint(), "stall-restored")
        here.servers.append(restored.server)
        async with restored.server.connected() as connection:
            found = await recovered(connection)
        return measured(times, found, begun_ns, clock.now_ns())


async def _commits(
    here: RestoreWorld, clock: MovedClock, plan: StallPlan, for_s: float, *, first: int
) -> dict[int, int]:
    """Commits and switches for exactly ``for_s`` of moved time; the moved time of each commit by its number."""
    times: dict[int, int] = {}
    end_ns = clock.now_ns() + round(for_s * NS)
    async with here.primary.connected() as connection:
        for at_ns, is_commit in due(clock.now_ns(), end_ns, plan):
            await clock.sleep((at_ns - clock.now_ns()) / NS)
            if not is_commit:
                await _switch(here)
                continue
            n = first + len(times)
            await connection.execute(INSERT, n, clock.now_ns())
            times[n] = clock.now_ns()
        await clock.sleep((end_ns - clock.now_ns()) / NS)
    return times


async def _switch(here: RestoreWorld) -> None:
    if here.archive.is_stalled:
        await here.primary.sql("SELECT pg_switch_wal()")
    else:
        await here.archive.caught_up(here.primary)


class MovedClock:
    """``Clock``: ``sleep`` moves it forward and returns at once."""

    def __init__(self, start: datetime) -> None:
        self.anchor = Anchor(monotonic_ns=0, unix_ns=round(start.timestamp()) * NS)
        self._now_ns = 0

    def now_ns(self) -> int:
        """The moved monotonic time."""
        return self._now_ns

    def wall_ns(self) -> int:
        """The moved wall clock, in step."""
        return self.anchor.unix_ns + self._now_ns

    async def sleep(self, seconds: float) -> None:
        """Moves it."""
        self._now_ns += max(0, round(seconds * NS))

    @property
    def now(self) -> datetime:
        """The moved date and time, UTC."""
        start = datetime.fromtimestamp(self.anchor.unix_ns / NS, tz=UTC)
        return start + timedelta(microseconds=self._now_ns // 1000)

    async def until(self, when: datetime) -> None:
        """Moves it to ``when``; never back."""
        await self.sleep((when - self.now).total_seconds())


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
    there: dict[datetime, archive.Backup] = {}
    removed: list[tuple[datetime, datetime]] = []
    booked: list[Booked] = []
    reach: list[timedelta] = []


async def keep(here: RestoreWorld, clock: MovedClock, at: time, days: int, keep_for: timedelta) -> Kept:
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


async def schedule_checks(site: Site, at: time, days: int, keep_for: timedelta) -> list[CaseCheck]:
    """The schedule and the retention, looked at on what the days left; two real restores at the window's edge."""
    async with world(site, "kept", 0.1, streaming=False) as here:
        clock = MovedClock(START)
        remove([here.backups.pop().folder])
        kept = await keep(here, clock, at, days, keep_for)
        return [*judge(kept, at, keep_for, clock.now), *await _edges(here, kept, clock.now - keep_for)]


def judge(kept: Kept, at: time, keep_for: timedelta, now: datetime) -> list[CaseCheck]:
    """What can be told from the dates alone; pure."""
    off = [each for each in kept.started if each.astimezone(at.tzinfo).time() != at.replace(tzinfo=None)]
    gaps = {after - before for before, after in zip(kept.started, kept.started[1:], strict=False)}
    whole = [
        reach for reach, start in zip(kept.reach, kept.started, strict=True) if start - kept.started[0] >= keep_for
    ]
    early = [old for old, when in kept.removed if not any(old < other <= when - keep_for for other in kept.started)]
    first = kept.started[0] if kept.started else now
    return [
        CaseCheck(
            name=message("a backup every day at {time} {zone}", time=f"{at:%H:%M}", zone=str(at.tzinfo)),
            ok=bool(kept.started) and not off and gaps <= {timedelta(days=1)},
            told=message(
                "{count} backups, the first at {first} UTC, {off} at another time",
                count=str(len(kept.started)),
                first=f"{first:%Y-%m-%d %H:%M}",
                off=str(len(off)),
            ),
        ),
        CaseCheck(
            name=message("every point of the retention can be restored after each backup"),
            ok=bool(whole) and min(whole) >= keep_for and not early,
            told=message(
                "{count} backups kept, reaching back {days}; {early} removed too early",
                count=str(len(kept.there)),
                days=_days(whole),
                early=str(len(early)),
            ),
        ),
        CaseCheck(
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


async def _edges(here: RestoreWorld, kept: Kept, edge: datetime) -> list[CaseCheck]:
    """A commit just inside the window is restored from the oldest backup; one before that backup is refused."""
    inside = next((each for each in kept.booked if each.at >= edge), None)
    outside = [each for each in kept.booked if each.at < min(kept.there)]
    if inside is None or not outside:
        told = message("fewer days than the retention: nothing lies outside")
        return [CaseCheck(name=message("the edge of the retention"), ok=False, told=told)]
    chosen = backup_for(list(kept.there), inside.at)
    source = RestoreSource(backup=kept.there[chosen], archive=here.archive, password=here.primary.password)
    restored = await restore(here.site, source, RestorePoint(kind="xid", value=inside.xid), "kept-edge")
    here.servers.append(restored.server)
    async with restored.server.connected() as connection:
        found = await recovered(connection)
    expected = {each.n for each in kept.booked if each.at <= inside.at}
    try:
        backup_for(list(kept.there), outside[-1].at)
        refused = None
    except BadInput as error:
        refused = of_error(error)
    return [
        CaseCheck(
            name=message("the oldest commit inside the retention is restored"),
            ok=found == expected,
            told=message(
                "{inside} UTC from the backup of {chosen}: {count} commits",
                inside=f"{inside.at:%Y-%m-%d %H:%M}",
                chosen=f"{chosen:%Y-%m-%d %H:%M}",
                count=str(len(found)),
            ),
        ),
        CaseCheck(
            name=message("a point before the oldest backup is refused"),
            ok=refused is not None,
            told=refused or message("it was taken"),
        ),
    ]


async def _book(here: RestoreWorld, clock: MovedClock, kept: Kept) -> None:
    async with here.primary.connected() as connection:
        n = len(kept.booked) + 1
        xid = await connection.fetchval(_BOOK, n, clock.now_ns())
    kept.booked.append(Booked(n=n, at=clock.now, xid=xid))


async def _clean(here: RestoreWorld, kept: Kept) -> None:
    """Segments that no backup needs any more go, by ``pg_archivecleanup``; the rest must stay unbroken."""
    first = kept.there[min(kept.there)].first_segment(SEGMENT_BYTES)
    await here.site.tool("pg_archivecleanup", str(here.archive.wal), first)
    state = archive.continuity(here.archive.archived(), first, SEGMENT_BYTES)
    if state.missing:
        raise BadInput(
            message("segments {names} are missing", names=", ".join(state.missing)), where=str(Path(here.archive.wal))
        )
