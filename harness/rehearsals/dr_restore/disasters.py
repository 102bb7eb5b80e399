"""The disasters, each on a small database of its own: what happens, how it is noticed, where it is restored to.

Random restore points are exact to the transaction: four writers at once, and pg_waldump as the independent order. A
transaction moves an amount between two accounts and books it under its number. The restored database must hold exactly
the transfers before the point: no more, no less, and every balance that follows from them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from itertools import takewhile
from pathlib import Path

import asyncpg
import msgspec

from harness.base import seed as dice
from harness.base.clock import NS
from harness.base.errors import RehearsalError
from harness.base.private import open_beneath
from harness.model.message import Message, Told, joined, message, of_error, raw_text
from harness.rehearsals.dr_restore import archive
from harness.rehearsals.dr_restore.archive import check_archive
from harness.rehearsals.dr_restore.restore import (
    SEGMENT_BYTES,
    BackupDamaged,
    PointNotReached,
    RestoredInstance,
    RestorePoint,
    RestoreWorld,
    look,
    restore,
    time_of,
    world,
)
from harness.rehearsals.dr_restore.server import Server, closing, loss
from harness.rehearsals.dr_restore.types import CaseCheck, CaseResult, Disaster
from harness.stack.local.site import Site, remove

WRITERS = 4
ACCOUNTS = 20
OPENING = 1000
WRITE_S = 3.0
PAUSE_S = 0.005
_SCHEMA = f"""
CREATE TABLE account (id integer PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO account SELECT g, {OPENING} FROM generate_series(1, {ACCOUNTS}) g;
CREATE TABLE transfer (n bigint PRIMARY KEY, low integer, high integer, amount bigint);
"""  # noqa: S608 - two numbers of ours
#: One statement, one transaction. The lower account first: writers cannot deadlock.
_TRANSFER = """
WITH one AS (UPDATE account SET balance = balance - $4 WHERE id = $2 RETURNING id),
     two AS (UPDATE account SET balance = balance + $4 WHERE id = $3 AND EXISTS (SELECT FROM one) RETURNING id)
INSERT INTO transfer SELECT $1, $2, $3, $4 FROM two RETURNING pg_current_xact_id()::text
"""


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction did."""

    n: int
    low: int
    high: int
    amount: int


Ledger = dict[int, Transfer]  # acknowledged, by transaction id


async def random_points(site: Site, seed: int, count: int) -> list[CaseCheck]:
    """``count`` restores to points drawn from ``seed``; a check each."""
    async with world(site, "points", 0.1, streaming=False) as here:
        await here.primary.sql(_SCHEMA)
        await here.back_up()
        ledger = await _write(here.primary, seed, site)
        await here.primary.sql("CREATE TABLE later ()")  # a later commit: a time is reached only by a record behind it
        await here.archive.caught_up(here.primary)
        await here.primary.kill()
        state = await check_archive(here.archive, here.backups[-1], SEGMENT_BYTES)
        commits = state.commits
        unread = set(ledger) - {commit.xid for commit in commits}
        told = message(
            "{count} acknowledged transactions of {writers} writers, {unread} of them not in the archive",
            count=str(len(ledger)),
            writers=str(WRITERS),
            unread=str(len(unread)),
        )
        name = message("every acknowledged transaction is in the archived WAL")
        checks = [CaseCheck(name=name, ok=not unread and state.whole, told=told)]
        for number, (point, before) in enumerate(_drawn(commits, ledger, seed, count)):
            checks.append(await _restored_to(here, f"points-{number}", point, [ledger[x] for x in before]))
        return checks


async def _write(server: Server, seed: int, site: Site) -> Ledger:
    ledger: Ledger = {}
    end_ns = site.clock.now_ns() + round(WRITE_S * NS)

    async def writer(number: int) -> None:
        chance = dice.stream(seed, f"recovery.writer{number}")
        async with server.connected() as connection:
            n = number
            while site.clock.now_ns() < end_ns:
                low, high = sorted(chance.sample(range(1, ACCOUNTS + 1), 2))
                done = Transfer(n=n, low=low, high=high, amount=chance.randint(1, 50))
                xid = await connection.fetchval(_TRANSFER, done.n, done.low, done.high, done.amount)
                ledger[int(xid)] = done
                n += WRITERS
                await site.clock.sleep(PAUSE_S)

    await asyncio.gather(*(writer(number) for number in range(WRITERS)))
    return ledger


def _drawn(
    commits: Sequence[archive.Commit], ledger: Ledger, seed: int, count: int
) -> list[tuple[RestorePoint, list[int]]]:
    """Points with the transactions that must be there: by xid (with and without it), by LSN, by time, in turn."""
    chance = dice.stream(seed, "recovery.points")
    ours = [place for place, commit in enumerate(commits) if commit.xid in ledger]
    drawn = []
    for number in range(count):
        place = chance.choice(ours)
        commit = commits[place]
        kind = ("xid", "lsn", "time", "xid-before")[number % 4]
        if kind == "time":
            before = list(takewhile(lambda each: each.at <= commit.at, commits))  # noqa: B023 - used at once
            point = RestorePoint(kind="time", value=commit.at.isoformat(sep=" "))
        elif kind == "lsn":
            before, point = list(commits[: place + 1]), RestorePoint(kind="lsn", value=commit.lsn)
        else:
            inclusive = kind == "xid"
            before = list(commits[: place + inclusive])
            point = RestorePoint(kind="xid", value=str(commit.xid), inclusive=inclusive)
        drawn.append((point, [each.xid for each in before if each.xid in ledger]))
    return drawn


async def _restored_to(here: RestoreWorld, name: str, point: RestorePoint, expected: Sequence[Transfer]) -> CaseCheck:
    restored = await restore(here.site, here.source(), point, name)
    connection = await restored.server.connect()
    try:
        told = await differences(connection, expected)
    finally:
        await closing(connection)
        await restored.server.kill()
        remove([restored.server.data])
    seen = message("exactly the {count} transactions before it", count=str(len(expected)))
    what = message("restored {point}", point=point.told)
    return CaseCheck(name=what, ok=not told, told=joined(told) if told else seen)


async def differences(connection: asyncpg.Connection, expected: Sequence[Transfer]) -> Told:
    """Where the restored books differ from those that ``expected`` makes; () when they are the same."""
    found = {row["n"]: Transfer(**dict(row)) for row in await connection.fetch("SELECT * FROM transfer")}
    known = {transfer.n: transfer for transfer in expected}
    told = []
    if missing := len(known.keys() - found.keys()):
        told.append(message("{count} transactions missing", count=str(missing)))
    if strange := len(found.keys() - known.keys()):
        told.append(message("{count} too many", count=str(strange)))
    both = known.keys() & found.keys()
    told += [message("transfer {n} with other content", n=str(n)) for n in both if known[n] != found[n]]
    balances = dict.fromkeys(range(1, ACCOUNTS + 1), OPENING)
    for transfer in expected:
        balances[transfer.low] -= transfer.amount
        balances[transfer.high] += transfer.amount
    rows = {row["id"]: row["balance"] for row in await connection.fetch("SELECT * FROM account")}
    wrong = [str(account) for account in balances if rows.get(account) != balances[account]]
    if wrong:
        told.append(message("balances of accounts {accounts} do not follow", accounts=", ".join(wrong)))
    return tuple(told)


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
    point: RestorePoint
    which: int = -1
    checks: list[CaseCheck] = []


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


async def _judged(here: RestoreWorld, disaster: Disaster, struck: Struck, restored: RestoredInstance) -> CaseResult:
    fence_ns = here.site.clock.now_ns()
    await here.primary.kill()  # the fence: an old instance that lives on would take writes that nobody keeps
    fence_s = here.site.seconds_since(fence_ns)
    before = list(here.sentinels.acknowledged)
    found, checks = await look(restored.server)
    lost = loss(struck.struck_ns, struck.gone_ns, before, here.sentinels.sent, found)
    switched_ns = here.site.clock.now_ns()
    here.sentinels.lead_to(restored.server.connect)
    ready_ns = await here.sentinels.succeeding(switched_ns, DETECT_LIMIT_S)
    exact = CaseCheck(
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


async def _lost_data_folder(here: RestoreWorld) -> Struck:
    struck_ns = here.site.clock.now_ns()
    await here.primary.lose()
    gone_ns = here.site.clock.now_ns()
    detected_ns = await here.sentinels.failing(FAILURES, DETECT_LIMIT_S)
    return Struck(struck_ns=struck_ns, gone_ns=gone_ns, detected_ns=detected_ns, point=RestorePoint())


async def _dropped_table(here: RestoreWorld) -> Struck:
    """Restored to the last whole second before the drop: a person knows the time, not the transaction."""
    clock = here.site.clock
    struck_ns = clock.now_ns()
    await here.primary.sql("DROP TABLE walk_locations")
    gone_ns = clock.now_ns()
    detected_ns = await here.sentinels.failing(FAILURES, DETECT_LIMIT_S)
    point = RestorePoint(kind="time", value=time_of(clock.anchor, struck_ns, whole_second=True))
    return Struck(struck_ns=struck_ns, gone_ns=gone_ns, detected_ns=detected_ns, point=point)


async def _bad_migration(here: RestoreWorld) -> Struck:
    """Restored to just before the migration's transaction, which the server's log or pg_waldump names."""
    clock = here.site.clock
    async with here.primary.connected() as connection:
        struck_ns = clock.now_ns()
        async with connection.transaction():
            xid = await connection.fetchval("SELECT pg_current_xact_id()::text")
            await connection.execute("ALTER TABLE walks ADD COLUMN pace double precision")
            await connection.execute("UPDATE walks SET total_distance = 0")
        gone_ns = clock.now_ns()
        while not await connection.fetchval("SELECT bool_or(total_distance = 0) FROM walks"):
            await clock.sleep(0.1)
        detected_ns = clock.now_ns()
    point = RestorePoint(kind="xid", value=xid, inclusive=False)
    return Struck(struck_ns=struck_ns, gone_ns=gone_ns, detected_ns=detected_ns, point=point)


async def _corrupted_backup(here: RestoreWorld) -> Struck:
    newest = await here.back_up()
    await here.site.clock.sleep(0.5)
    damage(newest, here.site.top)
    struck = await _lost_data_folder(here)
    found = await archive.verify(here.site, newest.folder)
    refused = await _refused(here, RestorePoint(), BackupDamaged)
    struck.checks = [
        CaseCheck(
            name=message("the damaged backup is detected by its manifest"),
            ok=not found.ok,
            told=raw_text(found.said.splitlines()[0]),
        ),
        CaseCheck(name=message("a restore from it is refused"), ok=refused is not None, told=_told(refused)),
    ]
    struck.which = 0
    return struck


async def _missing_wal_segment(here: RestoreWorld) -> Struck:
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
    refused = await _refused(here, RestorePoint(kind="time", value=late), PointNotReached)
    struck.checks = [
        CaseCheck(
            name=message("the missing segment is detected"),
            ok=gone.missing == (gap,),
            told=message(
                "missing: {segments}; of no use behind it: {count} segments",
                segments=", ".join(gone.missing) or "–",
                count=str(len(gone.beyond)),
            ),
        ),
        CaseCheck(
            name=message("a restore beyond the gap is refused, not silently cut short"),
            ok=refused is not None,
            told=_told(refused),
        ),
        CaseCheck(
            name=message("the latest safe time is named"),
            ok=safe is not None,
            told=message("none") if safe is None else raw_text(str(safe.at)),
        ),
    ]
    if safe is not None:
        # By its transaction: replay to the time of the last commit at hand would wait for a later one that never comes.
        struck.point = RestorePoint(kind="xid", value=str(safe.xid))
    return struck


async def _refused(here: RestoreWorld, point: RestorePoint, kind: type[RehearsalError]) -> Message | None:
    """What a restore from the newest backup is refused with; ``None`` when it is not."""
    try:
        restored = await restore(here.site, here.source(), point, f"{here.name}-refused", verified=False)
    except kind as error:
        return of_error(error)
    here.servers.append(restored.server)
    return None


def _told(refused: Message | None) -> Message:
    return message("it was restored") if refused is None else refused


def damage(damaged: archive.Backup, top: Path) -> None:
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


_STRIKES: dict[Disaster, Callable[[RestoreWorld], Awaitable[Struck]]] = {
    Disaster.LOST_DATA_FOLDER: _lost_data_folder,
    Disaster.DROPPED_TABLE: _dropped_table,
    Disaster.BAD_MIGRATION: _bad_migration,
    Disaster.CORRUPTED_BACKUP: _corrupted_backup,
    Disaster.MISSING_WAL_SEGMENT: _missing_wal_segment,
}
