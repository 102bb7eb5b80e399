"""Failover of PostgreSQL to a standby: streaming replication as its operator sets it up, on any rung.

A stand-in for Cloud SQL's regional availability, which copies the disk to another zone below PostgreSQL: here the WAL
is streamed, and a commit waits until the standby has it on disk (``synchronous_commit = on``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from harness.base.clock import Clock, polling
from harness.base.errors import BadInput, StackNotStarted
from harness.model.message import Message, message
from harness.model.stack import DatabaseAccess
from harness.stack.process.processes import Feed
from harness.stack.protocol import STANDBY, Database, Undo

#: The operator's heartbeat: so many answers missing in a row, asked for once in so long, and the primary is given up.
#: Cloud SQL's own takes about a minute; detection is told apart from the rest.
HEARTBEAT_S, MISSES = 1.0, 3
STREAM_LIMIT_S = 20.0
PROMOTE_LIMIT_S = 60
_ASK_S = 1.0
_POLL_S = 0.05
_DOWN = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
#: The steps of a failover, in events of kind ``failover`` by their ``step``.
BEGUN, KILLED, DETECTED, PROMOTED, LED = "begun", "killed", "detected", "promoted", "led"


async def follow(database: Database, clock: Clock, *, synchronous: bool) -> Undo:
    """A standby that streams; with ``synchronous`` every commit waits for it from now on.

    The undo ends it unless it has become the primary. Raises ``BadInput``, ``StackNotStarted``.
    """
    standby = await database.start_standby()

    async def undo() -> None:
        if database.standby() is not None:
            await _set(database.access(), "synchronous_standby_names", "")
            await database.end_standby()

    try:
        await _state(database.access(), clock, ("streaming",))
        if synchronous:
            await _set(standby, "synchronous_standby_names", "")  # once promoted it has nobody to wait for
            await _set(database.access(), "synchronous_standby_names", STANDBY)
            await _set(database.access(), "synchronous_commit", "on")
            await _state(database.access(), clock, ("sync",), column="sync_state")
    except StackNotStarted:
        await undo()
        raise
    return undo


async def stop_receiving(database: Database, clock: Clock) -> None:
    """The standby receives no more WAL: what is committed from now on is on the primary alone.

    Raises ``BadInput`` without a standby, ``StackNotStarted`` when it goes on streaming.
    """
    await _set(_standby(database), "primary_conninfo", "")
    await _state(database.access(), clock, ("",))


async def fail_over(database: Database, feed: Feed, clock: Clock) -> None:
    """The primary dies, is missed, and the standby takes its place. Raises ``BadInput`` when no standby follows."""
    standby, primary = _standby(database), database.access()

    def told(step: str, said: Message) -> None:
        feed.event("failover", "postgres", said, step=step)

    told(BEGUN, message("the primary is about to be killed"))
    await database.kill()
    told(KILLED, message("the primary is dead"))
    missed = 0
    while missed < MISSES:
        await clock.sleep(HEARTBEAT_S)
        missed = 0 if await _answers(primary) else missed + 1
    counted = {"count": str(MISSES), "seconds": f"{HEARTBEAT_S:g}"}
    told(DETECTED, message("the primary has missed {count} heartbeats, one each {seconds} s", **counted))
    async with _connected(standby) as server:
        promoted = await server.fetchval("SELECT pg_promote(true, $1)", PROMOTE_LIMIT_S)
    if not promoted:
        raise StackNotStarted(
            message("the standby was not promoted within {promote_limit_s} s", promote_limit_s=str(PROMOTE_LIMIT_S)),
            where=str(standby.address),
        )
    told(PROMOTED, message("the standby takes writes"))
    await database.take_over()
    told(LED, message("the pods' sidecars now connect to {address}", address=str(standby.address)))


def _standby(database: Database) -> DatabaseAccess:
    if (standby := database.standby()) is None:
        raise BadInput("no standby follows the database", remedy="the action standby makes one, before the failover")
    return standby


async def _state(primary: DatabaseAccess, clock: Clock, wanted: tuple[str, ...], column: str = "state") -> None:
    """Returns once ``pg_stat_replication`` says one of ``wanted`` of the standby; "" is no row."""
    again = polling(clock, limit_s=STREAM_LIMIT_S, every_s=_POLL_S)
    query = f"SELECT {column} FROM pg_stat_replication WHERE application_name = $1"  # noqa: S608 - our own word
    while True:
        async with _connected(primary) as server:
            found = await server.fetchval(query, STANDBY)
        if (found or "") in wanted:
            return
        if not await again():
            what = message(
                "the standby's {column} is {found} after {stream_limit_s} s, not {names}",
                column=column,
                found=repr(found),
                stream_limit_s=f"{STREAM_LIMIT_S:g}",
                names=repr(" or ".join(wanted)),
            )
            raise StackNotStarted(what, where=str(primary.address), remedy="read the standby's log")


async def _set(server: DatabaseAccess, name: str, value: str) -> None:
    """``ALTER SYSTEM`` and a reload, which every session obeys."""
    async with _connected(server) as connection:
        await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await connection.execute("SELECT pg_reload_conf()")


async def _answers(server: DatabaseAccess) -> bool:
    try:
        connection = await asyncpg.connect(**_login(server), timeout=_ASK_S)
    except _DOWN:
        return False
    connection.terminate()
    return True


@asynccontextmanager
async def _connected(server: DatabaseAccess) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the superuser. Raises ``StackNotStarted`` for what the server does not do."""
    connection = None
    try:
        connection = await asyncpg.connect(**_login(server), timeout=5, command_timeout=PROMOTE_LIMIT_S + 5)
        yield connection
    except _DOWN as error:
        raise StackNotStarted(
            message(
                "PostgreSQL on {address}: {error}",
                address=str(server.address),
                error=str(error or type(error).__name__),
            )
        ) from error
    finally:
        if connection is not None:
            connection.terminate()


def _login(server: DatabaseAccess) -> dict[str, object]:
    return {**server.login, "database": "postgres"}
