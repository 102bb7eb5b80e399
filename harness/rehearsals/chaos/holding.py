"""What another client of PostgreSQL can take from the API: every connection, or a lock that every request waits for."""

from __future__ import annotations

import contextlib

import asyncpg

from harness.base.clock import NS, Clock
from harness.base.errors import RehearsalError
from harness.model.stack import Endpoints
from harness.stack.protocol import Undo

MOST_CONNECTIONS = 500
#: The pools' connections that wait are counted until no more come for so long.
_QUIET_S, _COUNT_EVERY_S, _COUNT_MOST_S = 1.5, 0.25, 10.0
_LOCK = "LOCK TABLE walks IN ACCESS EXCLUSIVE MODE"
_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND pid <> pg_backend_pid()"
)


class Held:
    """Connections of ours; ``free`` ends them, and with them what they hold."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self.connections: list[asyncpg.Connection] = []

    async def connect(self) -> asyncpg.Connection:
        """One more, as the application's role. Raises asyncpg's errors."""
        at = self._endpoints
        connection = await asyncpg.connect(**at.login)
        self.connections.append(connection)
        return connection

    async def free(self) -> None:
        """Returns at once; PostgreSQL rolls back what they had begun."""
        while self.connections:
            self.connections.pop().terminate()


def holding(endpoints: Endpoints) -> tuple[Held, Undo]:
    """Nothing yet, and what ends it."""
    held = Held(endpoints)
    return held, held.free


async def every_connection(held: Held) -> int:
    """Takes each connection that ``max_connections`` leaves to the role; how many that were."""
    with contextlib.suppress(asyncpg.TooManyConnectionsError, asyncpg.CannotConnectNowError):
        while len(held.connections) < MOST_CONNECTIONS:
            await held.connect()
    return len(held.connections)


async def lock(held: Held, clock: Clock) -> int:
    """Locks the table of walks as ``ALTER TABLE`` does; returns when as many requests wait for it as the pools let.

    Returns how many. Raises ``RehearsalError`` when none came to wait: then no pool was exhausted.
    """
    holder, watcher = await held.connect(), await held.connect()
    await holder.execute("BEGIN")
    await holder.execute(_LOCK)
    begun_ns = grown_ns = clock.now_ns()
    most = 0
    while clock.now_ns() - grown_ns < _QUIET_S * NS and clock.now_ns() - begun_ns < _COUNT_MOST_S * NS:
        waiting = int(await watcher.fetchval(_WAITING))
        if waiting > most:
            most, grown_ns = waiting, clock.now_ns()
        await clock.sleep(_COUNT_EVERY_S)
    if not most:
        raise RehearsalError("the table of walks was locked, and no request came to wait for it")
    return most
