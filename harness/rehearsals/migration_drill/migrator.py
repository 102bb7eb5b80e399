"""The migrator as a process: started by the environment contract, killed once so many walks are there, resumed."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg

from harness.base.clock import NS, Clock
from harness.base.data import ROOT
from harness.base.errors import PartDied
from harness.base.options import working_folder
from harness.checks.stores import reading
from harness.checks.walk_tables import counted
from harness.model.message import message
from harness.model.stack import Endpoints
from harness.rehearsals.migration_drill.types import MigratorAttempt
from harness.stack.state.lease import MARKER
from harness.stack.target.targets import program
from harness.stack.target.variables import machine

OWN = (sys.executable, "-m", "harness", "migrate", "--from-environment")
NOBODY_WRITES = ("--settle", "0s")  # of our own: no deletion is on its way to Firestore
LOG = "logs/migrator.log"
REJECTS = "rejects.jsonl"
_POLL_S = 0.05
_LOOK_S = 0.5  # for walks that go again: each look counts them all
#: How many walks are there, ``None`` where nobody else may look.
Counted = Callable[[], Awaitable[int | None]]
_SQL_S = 10.0


def counting(connection: asyncpg.Connection, endpoints: Endpoints) -> Counted:
    """By a connection to the database of ``endpoints``; without their table there are none. It raises ``PartDied`` and
    ``NotAsNamed``."""

    async def count() -> int | None:
        with reading(endpoints):
            try:
                return await counted(connection, _SQL_S)
            except TimeoutError:
                return None

    return count


def variables(endpoints: Endpoints, rejects: Path, run_id: str) -> dict[str, str]:
    """What a migrator is told (docs/contract/environment.md#migrator)."""
    return {
        **machine(),
        "ENVIRONMENT": "staging",
        "DB_HOST": endpoints.database.host,
        "DB_PORT": str(endpoints.database.port),
        "DB_USER": endpoints.database_user,
        "DB_PASSWORD": endpoints.database_password,
        "DB_NAME": endpoints.database_name,
        "DB_SSLMODE": "disable",
        "FIREBASE_PROJECT_ID": endpoints.project_id,
        "GOOGLE_CLOUD_PROJECT": endpoints.project_id,
        "FIREBASE_AUTH_EMULATOR_HOST": str(endpoints.auth),
        "FIRESTORE_EMULATOR_HOST": str(endpoints.firestore),
        "MIGRATION_REJECTS": str(rejects),
        MARKER: run_id,
    }


def must_be_there(command: Sequence[str]) -> None:
    """Raises ``BadInput`` where the program of a team's own ``command`` is not there, as from the working folder, or
    may not be executed; before a stack is brought up for it."""
    if command:
        program(command[0], working_folder(), "--migrator")


class Kill(NamedTuple):
    """A drawn moment: so many walks are in PostgreSQL, and the process runs so long."""

    walks: int
    after_s: float


class Migrator:
    """One command, as often as it takes."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: Path, clock: Clock) -> None:
        self._command = command or OWN
        self._own = not command
        self._environment = environment
        self._folder = folder
        self._clock = clock

    async def run(
        self, count: Counted, limit_s: float, kill: Kill | None = None, *, quiet: bool = False
    ) -> MigratorAttempt:
        """One process to its end; or killed with all it started, at ``kill``. ``quiet``: nobody writes any more.

        Raises ``PartDied`` when it takes longer than ``limit_s``. A table that it keeps to itself for long is not
        looked at meanwhile.
        """
        begun_ns = self._clock.now_ns()
        with (self._folder / LOG).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._command, *(NOBODY_WRITES if quiet and self._own else ()),
                cwd=ROOT if self._own else Path.cwd(), env=self._environment,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        killed, looked_s = False, 0.0
        least: int | None = None
        try:
            while process.returncode is None:
                await self._clock.sleep(_POLL_S)
                ran_s = self._ran_s(begun_ns, limit_s)
                wanted = kill.walks if kill is not None and ran_s >= kill.after_s else math.inf
                if wanted == math.inf and ran_s < looked_s + _LOOK_S:
                    continue
                looked_s, there = ran_s, await count()
                if there is not None:
                    least = there if least is None else min(least, there)
                if there is not None and there >= wanted and process.returncode is None:
                    killed = True
                    os.killpg(process.pid, signal.SIGKILL)
                    await process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            status = await process.wait()
        took_s = (self._clock.now_ns() - begun_ns) / NS
        while (walks := await count()) is None:  # its last statement may go on in PostgreSQL without it
            self._ran_s(begun_ns, limit_s)
        return MigratorAttempt(seconds=took_s, walks=walks, killed=killed, status=status, least=least)

    def _ran_s(self, begun_ns: int, limit_s: float) -> float:
        """How long so far. Raises ``PartDied`` where that is longer than ``limit_s``."""
        ran_s = (self._clock.now_ns() - begun_ns) / NS
        if ran_s > limit_s:
            raise PartDied(
                message("the migrator was not done after {limit_s} s", limit_s=f"{limit_s:g}"),
                where=LOG,
                remedy="read what it said last",
            )
        return ran_s
