"""A migration under load: one statement, as the application's own user, that waits for no lock for long."""

from __future__ import annotations

from typing import Any

import asyncpg

from harness.base.clock import Clock
from harness.base.errors import StackNotStarted
from harness.model.message import message
from harness.model.stack import Endpoints

#: ALTER TABLE queues behind every open transaction, and every later one behind it: better to give up and come again.
LOCK_TIMEOUT = "2s"
_ATTEMPTS = 10
_AGAIN_S = 0.5
_TIMEOUT_S = 10.0


class NotApplicable(Exception):  # noqa: N818 - an outcome, not an error
    """The target's schema is not the contract's."""


async def migrate(endpoints: Endpoints, statement: str, clock: Clock) -> None:
    """Raises ``NotApplicable``, and ``StackNotStarted`` when PostgreSQL does not answer or its lock is never free."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            await _run(endpoints, statement)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
            raise NotApplicable(str(error)) from error
        except asyncpg.LockNotAvailableError as error:
            if attempt == _ATTEMPTS:
                raise _failed(endpoints, error) from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise _failed(endpoints, error) from error
        else:
            return
        await clock.sleep(_AGAIN_S)


async def counts(endpoints: Endpoints, query: str) -> dict[str, int]:
    """A query of names and counts. Raises as ``migrate`` does."""
    try:
        rows = await _run(endpoints, query)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _failed(endpoints, error) from error
    return {str(name): int(count) for name, count in rows}


async def _run(endpoints: Endpoints, statement: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(
        **endpoints.login,
        timeout=_TIMEOUT_S,
        server_settings={"lock_timeout": LOCK_TIMEOUT, "application_name": "migration"},
    )
    try:
        return [tuple(row) for row in await connection.fetch(statement, timeout=_TIMEOUT_S)]
    finally:
        await connection.close(timeout=_TIMEOUT_S)


def _failed(endpoints: Endpoints, error: Exception) -> StackNotStarted:
    return StackNotStarted(
        message("the migration failed: {why}", why=repr(error)),
        where=str(endpoints.database),
        remedy="read postgres.log",
    )
