"""Random restore points, exact to the transaction: four writers at once, and pg_waldump as the independent order.

A transaction moves an amount between two accounts and books it under its number. The restored database must hold
exactly the transfers before the point: no more, no less, and every balance that follows from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import takewhile

import asyncpg
import msgspec

from harness.base import seed as dice
from harness.base.clock import NS
from harness.model.message import Told, joined, message
from harness.rehearsals.dr_restore import wal
from harness.rehearsals.dr_restore.archive_check import check_archive
from harness.rehearsals.dr_restore.cases import Check
from harness.rehearsals.dr_restore.restore import Point, restore
from harness.rehearsals.dr_restore.sentinel import closing
from harness.rehearsals.dr_restore.server import Server
from harness.rehearsals.dr_restore.world import SEGMENT_BYTES, World, world
from harness.stack.site import Site, remove

WRITERS = 4
ACCOUNTS = 20
OPENING = 1000
LOAD_S = 3.0
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


async def random_points(site: Site, seed: int, count: int) -> list[Check]:
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
        checks = [Check(name=name, ok=not unread and state.whole, told=told)]
        for number, (point, before) in enumerate(_drawn(commits, ledger, seed, count)):
            checks.append(await _check(here, f"points-{number}", point, [ledger[x] for x in before]))
        return checks


async def _write(server: Server, seed: int, site: Site) -> Ledger:
    ledger: Ledger = {}
    end_ns = site.clock.now_ns() + round(LOAD_S * NS)

    async def writer(number: int) -> None:
        chance = dice.stream(seed, f"recovery.writer{number}")
        connection = await server.connect()
        try:
            n = number
            while site.clock.now_ns() < end_ns:
                low, high = sorted(chance.sample(range(1, ACCOUNTS + 1), 2))
                done = Transfer(n=n, low=low, high=high, amount=chance.randint(1, 50))
                xid = await connection.fetchval(_TRANSFER, done.n, done.low, done.high, done.amount)
                ledger[int(xid)] = done
                n += WRITERS
                await site.clock.sleep(PAUSE_S)
        finally:
            await closing(connection)

    await asyncio.gather(*(writer(number) for number in range(WRITERS)))
    return ledger


def _drawn(commits: Sequence[wal.Commit], ledger: Ledger, seed: int, count: int) -> list[tuple[Point, list[int]]]:
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
            point = Point(kind="time", value=commit.at.isoformat(sep=" "))
        elif kind == "lsn":
            before, point = list(commits[: place + 1]), Point(kind="lsn", value=commit.lsn)
        else:
            inclusive = kind == "xid"
            before = list(commits[: place + inclusive])
            point = Point(kind="xid", value=str(commit.xid), inclusive=inclusive)
        drawn.append((point, [each.xid for each in before if each.xid in ledger]))
    return drawn


async def _check(here: World, name: str, point: Point, expected: Sequence[Transfer]) -> Check:
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
    return Check(name=what, ok=not told, told=joined(told) if told else seen)


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
