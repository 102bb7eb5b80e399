"""The application's tables locked again and again, as changes of its schema do it: whoever asks for them waits, and
``SELECT 1`` does not. On any rung."""

from __future__ import annotations

import contextlib

import asyncpg

from harness.base.clock import Clock
from harness.base.errors import BadInput, StackNotStarted
from harness.model.message import message
from harness.model.stack import DatabaseAccess
from harness.stack.injecting import until_undone
from harness.stack.protocol import Undo

#: Between two locks: what waited comes to its end.
PAUSE_S = 0.05
_AGAIN_S = 0.005
_TABLES = """
SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""
_DOWN = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def lock_tables(access: DatabaseAccess, hold_s: float, clock: Clock) -> Undo:
    """Every table, for ``hold_s`` each time, until it is undone; a database that is gone meanwhile is waited for.

    Raises ``BadInput`` where there is no table, ``StackNotStarted`` where the database does not answer.
    """
    try:
        connection = await asyncpg.connect(**access.login)
    except _DOWN as error:
        raise StackNotStarted(
            message("PostgreSQL does not let its operator in: {error}", error=str(error)), where=str(access.address)
        ) from error
    if not await connection.fetchval(_TABLES):
        await connection.close()
        raise BadInput(message("there is no table in {database} that could be locked", database=access.database))

    async def again() -> None:
        nonlocal connection
        while True:
            with contextlib.suppress(*_DOWN):
                try:
                    await _locking(connection, hold_s, clock)
                finally:
                    connection.terminate()  # and with it what it holds
            await clock.sleep(PAUSE_S)
            with contextlib.suppress(*_DOWN):
                connection = await asyncpg.connect(**access.login)

    return until_undone(again())


async def _locking(connection: asyncpg.Connection, hold_s: float, clock: Clock) -> None:
    """All tables at once or none: who waited for one with another in hand would be in somebody's way."""
    tables = await connection.fetchval(_TABLES)
    while True:
        with contextlib.suppress(asyncpg.LockNotAvailableError):
            async with connection.transaction():
                await connection.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE NOWAIT")
                await clock.sleep(hold_s)
            await clock.sleep(PAUSE_S)
        await clock.sleep(_AGAIN_S)
