"""The disasters, each on a small database of its own: what happens, how it is noticed, where it is restored to."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from harness.base.clock import NS
from harness.base.errors import RehearsalError
from harness.base.private import open_beneath
from harness.model.message import Message, message, of_error, verbatim
from harness.rehearsals.dr_restore import backup
from harness.rehearsals.dr_restore.archive_check import check_archive
from harness.rehearsals.dr_restore.cases import CaseResult, Check
from harness.rehearsals.dr_restore.restore import BackupDamaged, Point, PointNotReached, Restored, restore, time_of
from harness.rehearsals.dr_restore.sentinel import closing, loss
from harness.rehearsals.dr_restore.types import Disaster
from harness.rehearsals.dr_restore.world import SEGMENT_BYTES, World, look, world
from harness.stack.site import Site

LOAD_S = 2.2  # sentinels between the backup and the disaster: a whole second before it must lie behind the backup
FAILURES = 3
DETECT_LIMIT_S = 20.0
#: The database's own name of each disaster for people.
TITLES = {
    Disaster.DROPPED_TABLE: message("a table is dropped by mistake"),
    Disaster.LOST_DATA_FOLDER: message("the server dies and its data folder is lost"),
    Disaster.BAD_MIGRATION: message("a migration overwrites a column"),
    Disaster.CORRUPTED_BACKUP: message("the newest backup is damaged, and the data folder lost"),
    Disaster.MISSING_WAL_SEGMENT: message("a WAL segment is missing, and the data folder lost"),
}


class Struck(msgspec.Struct, kw_only=True):
    """A disaster that happened and was noticed: the point to restore to, from which backup, with what was checked.

    It came between ``struck_ns`` and ``gone_ns``. Detection counts from the first, so that the RTO is at most that.
    """

    struck_ns: int
    gone_ns: int
    detected_ns: int
    point: Point
    which: int = -1
    checks: list[Check] = []


async def run_case(site: Site, disaster: Disaster, every_s: float) -> CaseResult:
    """The whole case. Raises ``StackNotStarted`` when the recovery itself cannot be carried out."""
    async with world(site, disaster.value.replace("_", "-"), every_s) as here:
        here.sentinels.start()
        await site.clock.sleep(LOAD_S)
        struck = await _STRIKES[disaster](here)
        await here.stream.stop()
        restored = await restore(site, here.source(struck.which), struck.point, f"{here.name}-restored")
        here.servers.append(restored.server)
        return await _judged(here, disaster, struck, restored)


async def _judged(here: World, disaster: Disaster, struck: Struck, restored: Restored) -> CaseResult:
    fence_ns = here.site.clock.now_ns()
    await here.primary.kill()  # the fence: an old instance that lives on would take writes that nobody keeps
    fence_s = here.site.seconds_since(fence_ns)
    before = list(here.sentinels.acknowledged)
    found, checks = await look(restored.server)
    lost = loss(struck.struck_ns, struck.gone_ns, before, here.sentinels.sent, found)
    switched_ns = here.site.clock.now_ns()
    here.sentinels.lead_to(restored.server.connect)
    ready_ns = await here.sentinels.succeeding(switched_ns, DETECT_LIMIT_S)
    exact = Check(
        name=message("an unbroken prefix of the acknowledged commits"),
        ok=lost.exact and lost.recovered > 0,
        told=lost.told,
    )
    return CaseResult(
        id=disaster.value,
        title=TITLES[disaster],
        with_stack=False,
        point=restored.point.told,
        loss=lost,
        rto_s={
            "detect": (struck.detected_ns - struck.struck_ns) / NS,
            "restore": restored.restore_s,
            "replay": restored.replay_s,
            "switch": fence_s,  # then the next connection goes to the new address; on the stack pods are replaced
            "ready": (ready_ns - switched_ns) / NS,
        },
        checks=(exact, *checks, *struck.checks),
    )


async def _lost_data_folder(here: World) -> Struck:
    struck_ns = here.site.clock.now_ns()
    await here.primary.lose()
    gone_ns = here.site.clock.now_ns()
    detected_ns = await here.sentinels.failing(FAILURES, DETECT_LIMIT_S)
    return Struck(struck_ns=struck_ns, gone_ns=gone_ns, detected_ns=detected_ns, point=Point())


async def _dropped_table(here: World) -> Struck:
    """Restored to the last whole second before the drop: a person knows the time, not the transaction."""
    clock = here.site.clock
    struck_ns = clock.now_ns()
    await here.primary.sql("DROP TABLE walk_locations")
    gone_ns = clock.now_ns()
    detected_ns = await here.sentinels.failing(FAILURES, DETECT_LIMIT_S)
    point = Point(kind="time", value=time_of(clock.anchor, struck_ns, whole_second=True))
    return Struck(struck_ns=struck_ns, gone_ns=gone_ns, detected_ns=detected_ns, point=point)


async def _bad_migration(here: World) -> Struck:
    """Restored to just before the migration's transaction, which the server's log or pg_waldump names."""
    clock = here.site.clock
    connection = await here.primary.connect()
    try:
        struck_ns = clock.now_ns()
        async with connection.transaction():
            xid = await connection.fetchval("SELECT pg_current_xact_id()::text")
            await connection.execute("ALTER TABLE walks ADD COLUMN pace double precision")
            await connection.execute("UPDATE walks SET total_distance = 0")
        gone_ns = clock.now_ns()
        while not await connection.fetchval("SELECT bool_or(total_distance = 0) FROM walks"):
            await clock.sleep(0.1)
        detected_ns = clock.now_ns()
    finally:
        await closing(connection)
    point = Point(kind="xid", value=xid, inclusive=False)
    return Struck(struck_ns=struck_ns, gone_ns=gone_ns, detected_ns=detected_ns, point=point)


async def _corrupted_backup(here: World) -> Struck:
    newest = await here.back_up()
    await here.site.clock.sleep(0.5)
    damage(newest, here.site.top)
    struck = await _lost_data_folder(here)
    found = await backup.verify(here.site, newest.folder)
    refused = await _refused(here, Point(), BackupDamaged)
    struck.checks = [
        Check(
            name=message("the damaged backup is detected by its manifest"),
            ok=not found.ok,
            told=verbatim(found.said.splitlines()[0]),
        ),
        Check(name=message("a restore from it is refused"), ok=refused is not None, told=_told(refused)),
    ]
    struck.which = 0
    return struck


async def _missing_wal_segment(here: World) -> Struck:
    for _ in range(4):  # the segments of a longer time
        await here.archive.caught_up(here.primary)
        await here.site.clock.sleep(0.4)
    await here.stream.stop()
    names = here.archive.archived()
    gap = names[-3]
    for folder in (here.archive.wal, here.archive.stream):
        (folder / gap).unlink(missing_ok=True)
    last = here.sentinels.acknowledged[-1]
    struck = await _lost_data_folder(here)
    state = await check_archive(here.archive, here.backups[-1], SEGMENT_BYTES)
    gone, safe = state.continuity, state.safe
    late = time_of(here.site.clock.anchor, last.acknowledged_ns)
    refused = await _refused(here, Point(kind="time", value=late), PointNotReached)
    struck.checks = [
        Check(
            name=message("the missing segment is detected"),
            ok=gone.missing == (gap,),
            told=message(
                "missing: {segments}; of no use behind it: {count} segments",
                segments=", ".join(gone.missing) or "–",
                count=str(len(gone.beyond)),
            ),
        ),
        Check(
            name=message("a restore beyond the gap is refused, not silently cut short"),
            ok=refused is not None,
            told=_told(refused),
        ),
        Check(
            name=message("the latest safe time is named"),
            ok=safe is not None,
            told=message("none") if safe is None else verbatim(str(safe.at)),
        ),
    ]
    if safe is not None:
        # By its transaction: replay to the time of the last commit at hand would wait for a later one that never comes.
        struck.point = Point(kind="xid", value=str(safe.xid))
    return struck


async def _refused(here: World, point: Point, kind: type[RehearsalError]) -> Message | None:
    """What a restore from the newest backup is refused with; ``None`` when it is not."""
    try:
        restored = await restore(here.site, here.source(), point, f"{here.name}-refused", verified=False)
    except kind as error:
        return of_error(error)
    here.servers.append(restored.server)
    return None


def _told(refused: Message | None) -> Message:
    return message("it was restored") if refused is None else refused


def damage(damaged: backup.Backup, top: Path) -> None:
    """Changes 16 bytes of the largest table file: what a bad disk does, and no size or name tells.

    The backup, which lies below ``top``, belongs to PostgreSQL's account: a link that it put there is not followed.
    """
    files = (path for path in (damaged.folder / "base").rglob("*") if path.is_file())
    largest = max(files, key=lambda path: path.stat().st_size)
    with os.fdopen(open_beneath(top, largest, os.O_RDWR), "r+b") as file:
        middle = file.seek(0, os.SEEK_END) // 2
        file.seek(middle)
        before = file.read(16)
        file.seek(middle)
        file.write(bytes(byte ^ 0xFF for byte in before))


_STRIKES: dict[Disaster, Callable[[World], Awaitable[Struck]]] = {
    Disaster.LOST_DATA_FOLDER: _lost_data_folder,
    Disaster.DROPPED_TABLE: _dropped_table,
    Disaster.BAD_MIGRATION: _bad_migration,
    Disaster.CORRUPTED_BACKUP: _corrupted_backup,
    Disaster.MISSING_WAL_SEGMENT: _missing_wal_segment,
}
