"""A PostgreSQL server that recovery starts itself: the primary of a rehearsal, or a restored instance."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from harness.base.errors import StackNotStarted
from harness.model.stack import Address
from harness.rehearsals.dr_restore.sentinel import closing
from harness.stack.local import postgres_template
from harness.stack.local.postgres import MAX_CONNECTIONS, remove_killed
from harness.stack.processes import Process, Spec, spawn, tail
from harness.stack.site import Site, copy_tree, refuse_full_disk
from harness.stack.waiting import until

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

    async def sql(self, text: str) -> None:
        """Runs statements on a connection of their own."""
        connection = await self.connect()
        try:
            await connection.execute(text)
        finally:
            await closing(connection)

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
