"""A PostgreSQL server that recovery starts itself: the primary of a rehearsal, or a restored instance.

Sentinels are commits on a connection of their own, one every 100 ms, each with its time. They tell what was lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path

import asyncpg
import msgspec

from harness.base.clock import NS, Clock, polling
from harness.base.errors import StackNotStarted
from harness.model.stack import Address
from harness.rehearsals.dr_restore.types import Loss, NotInTime
from harness.stack.local import postgres_template
from harness.stack.local.postgres_template import MAX_CONNECTIONS, remove_killed
from harness.stack.local.site import Site, copy_tree, refuse_full_disk
from harness.stack.process.processes import Process, Spec, spawn, tail
from harness.stack.process.waiting import until

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


SUPERUSER = "postgres"
SMALL_SEGMENT_MIB = 1  # many segments of little data; PostgreSQL's own 16 MiB where sizes are measured
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",
    # Recovery refuses a lower one than the primary had.
    "max_connections": str(MAX_CONNECTIONS),
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "wal_level": "replica",
    "recovery_init_sync_method": "syncfs",  # one call in place of a flush of each of 1,300 files; as durable
}


class Server:
    """One server on loopback: ``start`` then ``ready``; ``stop`` or ``kill``. ``data`` must hold a data folder."""

    def __init__(self, site: Site, name: str, data: Path, password: str) -> None:
        self.site = site
        self.name = name
        self.data = data
        self.password = password
        self.address = Address(host="127.0.0.1", port=site.state.take_port())
        self.log = site.logs / f"{name}.log"
        self.process: Process | None = None

    def start(self, settings: Mapping[str, str]) -> None:
        """Starts it with ``settings`` on top of the rehearsal's own."""
        self.process = spawn(self._spec({**_SETTINGS, **settings}), self.site.state)

    def _spec(self, settings: Mapping[str, str]) -> Spec:
        program = self.site.programs.path("postgres")
        return Spec(
            part=self.name,
            command=[program, "-D", str(self.data), "-p", str(self.address.port), *words(settings)],
            environment=self.site.programs.environment,
            log=self.log,
            folder=self.data,
            account=postgres_template.account(),
        )

    async def ready(self, limit_s: float = 30.0, *, promoted: bool = False) -> None:
        """Returns when it answers, with ``promoted`` when it takes writes. Raises ``StackNotStarted`` with its log."""
        assert self.process is not None

        async def answers() -> bool:
            try:
                connection = await self.connect()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return False
            try:
                return not promoted or not await connection.fetchval("SELECT pg_is_in_recovery()")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return False
            finally:
                await closing(connection)

        try:
            await until(answers, self.process, self.site.clock, limit_s=limit_s, what="took connections")
        except StackNotStarted:
            refuse_full_disk(tail(self.log), self.data)
            raise

    async def connect(self, database: str = postgres_template.DATABASE) -> asyncpg.Connection:
        """A connection of the superuser; the caller closes it."""
        return await asyncpg.connect(
            host=self.address.host,
            port=self.address.port,
            user=SUPERUSER,
            password=self.password,
            database=database,
            ssl=False,
            timeout=5,
        )

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[asyncpg.Connection]:
        """The same, closed at the end, also where the server is gone."""
        connection = await self.connect()
        try:
            yield connection
        finally:
            await closing(connection)

    async def sql(self, text: str) -> None:
        """Runs statements on a connection of their own."""
        async with self.connected() as connection:
            await connection.execute(text)

    async def stop(self) -> None:
        """Fast shutdown, then immediate, then SIGKILL; each bounded; idempotent."""
        if self.process is not None:
            self.process.send(signal.SIGINT)
            await self.process.ended_within(10.0)
            await self.process.stop(signal.SIGQUIT, 2.0)

    async def kill(self) -> None:
        """SIGKILL: what was not on disk or in the archive is lost."""
        if self.process is not None:
            await self.process.stop(signal.SIGKILL, 2.0)

    async def lose(self) -> None:
        """The disaster: killed, and its data folder gone."""
        await self.kill()
        await remove_killed(self.data, self.site.clock)


def words(settings: Mapping[str, str]) -> list[str]:
    """As PostgreSQL's command line takes them."""
    return [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]


async def new_primary(site: Site, name: str, settings: Mapping[str, str], *, small_segments: bool = True) -> Server:
    """A fresh server from the machine's template, started with ``settings`` and ready."""
    template = await postgres_template.ensure(site.programs, site.clock)
    data = site.folder / name
    await copy_tree(site, template / "data", data)
    if small_segments:
        await site.tool("pg_resetwal", f"--wal-segsize={SMALL_SEGMENT_MIB}", "-D", str(data))
    server = Server(site, name, data, (template / "password").read_text())
    server.start(settings)
    await server.ready()
    return server
