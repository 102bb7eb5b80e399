"""Sentinels: one commit every 100 ms on a connection of its own, with its time; what they tell of a loss."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence

import asyncpg
import msgspec

from harness.base.clock import NS, Clock, polling
from harness.rehearsals.dr_restore.cases import Loss
from harness.rehearsals.dr_restore.waiting import NotInTime

SCHEMA = """
CREATE SCHEMA rehearsal;
CREATE TABLE rehearsal.sentinel (n bigint PRIMARY KEY, at_ns bigint NOT NULL);
"""
#: $1 the number, $2 when it was sent.
INSERT = "INSERT INTO rehearsal.sentinel VALUES ($1, $2)"
_ANSWER_S = 2.0
#: Whatever a connection can raise while its server dies.
GONE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Sentinel(msgspec.Struct, frozen=True, kw_only=True):
    """One acknowledged commit: the commit lies between the two times."""

    n: int
    sent_ns: int
    acknowledged_ns: int


class Sentinels:
    """Writes until ``stop``. A failure is counted, never raised."""

    def __init__(
        self, clock: Clock, connect: Callable[[], Awaitable[asyncpg.Connection]], every_s: float, insert: str = INSERT
    ) -> None:
        self.acknowledged: list[Sentinel] = []
        self.sent: set[int] = set()
        self.failures_in_row = 0
        self._connect = connect
        self._connection: asyncpg.Connection | None = None
        self._clock = clock
        self._every_ns = round(every_s * NS)
        self._insert = insert
        self._task: asyncio.Task[None] | None = None

    def lead_to(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        """The next commit goes to another server."""
        self._connect = connect
        if self._connection is not None:
            self._connection.terminate()

    def start(self) -> None:
        """Begins to write."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Ends it; idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def failing(self, failures: int, limit_s: float) -> int:
        """Returns the time at which ``failures`` commits in a row had failed. Raises ``NotInTime``."""
        again = polling(self._clock, limit_s=limit_s, every_s=0.01)
        while self.failures_in_row < failures:
            if not await again():
                raise NotInTime(
                    f"the disaster was not noticed: no {failures} sentinels in a row failed within {limit_s:g} s",
                    where="the commits of the rehearsal's own connection to the database that was struck",
                    remedy="read the servers' logs in the report's folder: is that server still there?",
                )
        return self._clock.now_ns()

    async def succeeding(self, after_ns: int, limit_s: float) -> int:
        """Returns when the first commit sent after ``after_ns`` was acknowledged. Raises ``NotInTime``."""
        give_up_ns = self._clock.now_ns() + round(limit_s * NS)
        while self._clock.now_ns() < give_up_ns:
            if self.acknowledged and self.acknowledged[-1].sent_ns > after_ns:
                return self.acknowledged[-1].acknowledged_ns
            await self._clock.sleep(0.01)
        raise NotInTime(
            f"the restored instance took no commit within {limit_s:g} s",
            where="the commits of the rehearsal's own connection, led to the restored instance",
            remedy="read its log in the report's folder",
        )

    async def _run(self) -> None:
        due_ns = self._clock.now_ns()
        n = 0
        try:
            while True:
                await self._clock.sleep(max(0.0, (due_ns - self._clock.now_ns()) / NS))
                n += 1
                try:
                    if self._connection is None or self._connection.is_closed():
                        self._connection = await self._connect()
                    await self._commit(self._connection, n)
                    self.failures_in_row = 0
                except GONE:
                    self.failures_in_row += 1
                due_ns = max(due_ns + self._every_ns, self._clock.now_ns())
        finally:
            if self._connection is not None and not self._connection.is_closed():
                self._connection.terminate()

    async def _commit(self, connection: asyncpg.Connection, n: int) -> None:
        sent_ns = self._clock.now_ns()
        self.sent.add(n)
        await connection.execute(self._insert, n, sent_ns, timeout=_ANSWER_S)
        self.acknowledged.append(Sentinel(n=n, sent_ns=sent_ns, acknowledged_ns=self._clock.now_ns()))


async def recovered(connection: asyncpg.Connection) -> set[int]:
    """The sentinels that a restored database holds."""
    return {n for (n,) in await connection.fetch("SELECT n FROM rehearsal.sentinel")}


def loss(
    struck_ns: int, gone_ns: int, acknowledged: Sequence[Sentinel], sent: Collection[int], found: set[int]
) -> Loss:
    """What was lost of the ``acknowledged`` by a disaster that came between ``struck_ns`` and ``gone_ns``; pure.

    Nobody sees the moment itself: the loss is at most what counts from ``gone_ns``, when it was known to have happened,
    and at least what counts from ``struck_ns``. Commits acknowledged between the two count as any other. A sentinel
    that was sent and never answered may be there or not: both are right.
    """
    there = [sentinel for sentinel in acknowledged if sentinel.n in found]
    last = max(there, key=lambda sentinel: sentinel.n, default=None)
    return Loss(
        rpo_s=None if last is None else (gone_ns - last.sent_ns) / NS,
        rpo_least_s=None if last is None else max(0.0, (struck_ns - last.acknowledged_ns) / NS),
        acknowledged=len(acknowledged),
        recovered=len(there),
        lost=len(acknowledged) - len(there),
        holes=tuple(s.n for s in acknowledged if last is not None and s.n < last.n and s.n not in found),
        unknown=tuple(sorted(n for n in found if n not in sent)),
    )


async def closing(connection: asyncpg.Connection) -> None:
    """Closes a connection whose server may be gone."""
    with contextlib.suppress(*GONE):
        await connection.close(timeout=2)
