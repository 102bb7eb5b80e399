"""PostgreSQL, one server a run, reached by TCP on loopback alone.

Durability settings are PostgreSQL's own (fsync on). Shared memory is mapped from the data folder, so that nothing
lies in ``/dev/shm``; one small System V segment, PostgreSQL's lock, goes with the server.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

from harness.base.clock import Clock
from harness.base.errors import StackNotStarted
from harness.model.stack import Address
from harness.stack.local import postgres_programs, postgres_template
from harness.stack.local.postgres_programs import Programs
from harness.stack.local.postgres_template import DATABASE, USER
from harness.stack.processes import Process, Spec, spawn
from harness.stack.protocol import STANDBY
from harness.stack.ready import logs_in
from harness.stack.state import RunState
from harness.stack.waiting import until

MAX_CONNECTIONS = 100  # PostgreSQL's own default
READY_LIMIT_S = 20.0
FAST_STOP_S = 3.0
BACKUP_LIMIT_S = 60.0
SUPERUSER = "postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",
    "max_connections": str(MAX_CONNECTIONS),
    "shared_buffers": "32MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


async def remove_killed(data: Path, clock: Clock) -> None:
    """Removes the data folder of a killed server, whose children may still write for a moment. ``StackNotStarted``."""
    for _ in range(100):
        if await asyncio.to_thread(_removed, data):
            return
        await clock.sleep(0.05)
    raise StackNotStarted("the data folder of the killed server cannot be removed", where=str(data))


def _removed(data: Path) -> bool:
    shutil.rmtree(data, ignore_errors=True)
    return not data.exists()


class Postgres:
    """One run's server. ``start`` then ``ready``; ``stop`` is a fast shutdown."""

    def __init__(self, state: RunState, logs: Path, clock: Clock, part: str = "postgres") -> None:
        """``programs`` are the npm package's, until others are set before ``start``."""
        self.part = part
        self.programs: Programs = postgres_programs.server()
        self._state = state
        self._log = logs / f"{part}.log"
        self._clock = clock
        self.data = state.folder / part
        self.address = Address(host="127.0.0.1", port=state.take_port())
        self.password = ""
        self.process: Process | None = None

    async def start(self) -> Process:
        """Copies the template (made first where missing) and starts the server."""
        template = await postgres_template.ensure(self.programs, self._clock)
        self.password = (template / "password").read_text()
        postgres_template.copy(template, self.data)
        return self._spawn()

    async def follow(self, primary: Postgres) -> Process:
        """Instead of ``start``: a standby of ``primary``, by ``pg_basebackup -R``. Raises ``StackNotStarted``."""
        self.password = primary.password
        owner = postgres_template.account()
        self.data.mkdir(mode=0o700)
        if owner is not None:
            os.chown(self.data, owner.uid, owner.gid, follow_symlinks=False)
        login = f"host={primary.address.host} port={primary.address.port} user={SUPERUSER} application_name={STANDBY}"
        program = self.programs.path("pg_basebackup")
        options = ("-w", "-R", "-X", "stream", "--checkpoint=fast", "--no-sync", "-D", str(self.data))
        backup = spawn(
            Spec(
                part=f"{self.part}-basebackup",
                command=[program, "-d", login, *options],
                environment={**self.programs.environment, "PGPASSWORD": self.password},
                log=self._log,
                folder=self.data,
                account=owner,
            ),
            self._state,
        )
        try:
            await backup.ended_within(BACKUP_LIMIT_S)
            if backup.returncode != 0:
                raise backup.not_started(f"the base backup {backup.died()}")
        finally:
            await backup.stop(signal.SIGKILL, 0)
        return self._spawn()

    async def restart(self) -> Process:
        """Fast shutdown, then the same data again; follow with ``ready``."""
        await self.stop()
        return self._spawn()

    def _spawn(self) -> Process:
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        program = self.programs.path("postgres")
        spec = Spec(
            part=self.part,
            command=[program, "-D", str(self.data), "-p", str(self.address.port), *settings],
            environment=self.programs.environment,
            log=self._log,
            folder=self.data,
            account=postgres_template.account(),
        )
        self.process = process = spawn(spec, self._state)
        return process

    async def ready(self) -> None:
        """Returns when the application's role can log in. Raises ``StackNotStarted``."""
        assert self.process is not None
        await until(self._logs_in, self.process, self._clock, limit_s=READY_LIMIT_S, what="accepted a login")

    async def stop(self) -> None:
        """Fast shutdown, then immediate, then SIGKILL; each bounded."""
        if self.process is not None:
            self.process.send(signal.SIGINT)
            await self.process.ended_within(FAST_STOP_S)
            await self.process.stop(signal.SIGQUIT, 1.0)

    async def _logs_in(self) -> bool:
        return await logs_in(self.address, USER, DATABASE, self.password)
