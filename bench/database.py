"""One real PostgreSQL for both sides, migrated by the bundled API's own command, with walks to list."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import psutil

from bench import clock
from bench.processes import ROOT, environment
from harness.base.clock import MachineClock
from harness.stack.local.postgres_programs import provided
from harness.stack.local.postgres_template import DATABASE, USER, Postgres
from harness.stack.state import RunState, sweep

WALKS_A_USER = 20
MIGRATE_LIMIT_S = 30.0

_FILL = """
INSERT INTO walks (id, user_id, title, description, start_time, total_distance, total_steps, polyline_data, status,
    created_at, updated_at)
SELECT gen_random_uuid(), users.id, 'Walk ' || n, 'planned', now() - n * interval '1 day', 1000 + n, 1400 + n,
    repeat('_p~iF~ps|U', 20), 'completed', now() - n * interval '1 day', now() - n * interval '1 day'
FROM users, generate_series(1, $1::int) AS n"""


class Database(msgspec.Struct, kw_only=True):
    """Where it answers, and its processes. ``environment`` is what the API and the twin are told of it."""

    state: RunState
    environment: dict[str, str]
    pid: int

    def processes(self) -> list[psutil.Process]:
        """The server and its backends now."""
        server = psutil.Process(self.pid)
        return [server, *server.children(recursive=True)]


@contextlib.asynccontextmanager
async def running(folder: Path, users: list[str]) -> AsyncIterator[Database]:
    """A server with ``users`` and ``WALKS_A_USER`` walks of each. Its state lies with the runs', so it is swept too."""
    machine = MachineClock()
    sweep(lambda _: None)  # PostgreSQL of a bench that was killed
    state = RunState.begin(f"bench-{clock.now_ns()}")
    server = Postgres(state, folder, machine)
    try:
        server.programs = await provided(every=False, state=state, logs=folder, progress=lambda _: None)
        process = await server.start()
        await server.ready()
        told = {
            "DB_HOST": "127.0.0.1",
            "DB_PORT": str(server.address.port),
            "DB_USER": USER,
            "DB_NAME": DATABASE,
            "DB_PASSWORD": server.password,
            "DB_SSLMODE": "disable",
        }
        await _migrate(told)
        await _fill(told, users)
        yield Database(state=state, environment=told, pid=process.pid)
    finally:
        await server.stop()
        state.end()


async def _migrate(told: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api", "migrate", cwd=ROOT, env=environment(**told),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(MIGRATE_LIMIT_S):
        output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the migrations failed:\n{output.decode()}")


async def _fill(told: dict[str, str], users: list[str]) -> None:
    connection = await asyncpg.connect(
        host=told["DB_HOST"], port=int(told["DB_PORT"]), user=USER, database=DATABASE, password=told["DB_PASSWORD"],
        ssl=False, timeout=5,
    )  # fmt: skip
    try:
        # Otherwise both sides would wait for the disk, and their ratio would say little of either.
        await connection.execute(f"ALTER DATABASE {DATABASE} SET synchronous_commit = off")
        await connection.execute("INSERT INTO users (id) SELECT unnest($1::text[])", users)
        await connection.execute(_FILL, WALKS_A_USER)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
