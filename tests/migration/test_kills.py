"""The command itself, killed at drawn moments: whatever was killed, the next run comes to the same end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import Exit
from harness.base.seed import stream
from tests.migration.stores import PROJECT, Stores, consent, walk

pytestmark = [pytest.mark.process, pytest.mark.timeout(3_000)]
ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120.0
END = """
SELECT 'w', to_jsonb(w)::text FROM walks AS w
UNION ALL SELECT 'l', (to_jsonb(l) - 'id')::text FROM walk_locations AS l
UNION ALL SELECT 'c', to_jsonb(c)::text FROM consents AS c
UNION ALL SELECT 'u', id FROM users
UNION ALL SELECT 'r', to_jsonb(r)::text FROM tekutoko_migration.refused AS r
ORDER BY 1, 2"""


@pytest.mark.parametrize("kills", [pytest.param(2, id="some"), pytest.param(100, id="100", marks=pytest.mark.nightly)])
async def test_killed_at_any_moment_it_comes_to_the_same_end(stores: Stores, tmp_path: Path, kills: int) -> None:
    await stores.empty()
    documents: dict[str, Any] = {}
    for number in range(450):
        documents |= walk(f"k{number}", f"u{number % 7}", points=number % 9)
    documents |= walk("odd", "u1", status="flying")
    for first in range(0, len(documents), 100):
        await stores.put(dict(list(documents.items())[first : first + 100]))
    await stores.put(consent("u1", 1) | consent("u2", 2, consent_type="none"))
    clock = asyncio.get_running_loop()
    begun_s = clock.time()
    assert await migrate(stores, tmp_path) == Exit.HOLD  # two were refused
    whole_s, end = clock.time() - begun_s, await held(stores)
    assert len(end) > 450
    chance, killed, tries = stream(1, "kills"), 0, 0
    while killed < kills:
        await emptied(stores)
        tries, begun_s = tries + 1, clock.time()
        if await migrate(stores, tmp_path, kill_after_s=chance.random() * whole_s) == -signal.SIGKILL:
            killed += 1
        else:  # it was done before: what is drawn next is within the time that it took
            whole_s = min(whole_s, clock.time() - begun_s)
        assert await migrate(stores, tmp_path) == Exit.HOLD
        assert await held(stores) == end
    assert tries <= 3 * kills
    assert len((tmp_path / "rejects.jsonl").read_bytes().splitlines()) == 2


async def migrate(stores: Stores, folder: Path, kill_after_s: float | None = None) -> int:
    """The status of one process of the command."""
    assert stores.auth is not None
    login = stores.login
    told = {
        "DB_HOST": login["host"], "DB_PORT": str(login["port"]), "DB_USER": login["user"], "DB_NAME": login["database"],
        "DB_PASSWORD": "", "DB_SSLMODE": "disable", "FIREBASE_PROJECT_ID": PROJECT,
        "FIRESTORE_EMULATOR_HOST": str(stores.firestore), "FIREBASE_AUTH_EMULATOR_HOST": str(stores.auth),
        "MIGRATION_REJECTS": str(folder / "rejects.jsonl"),
    }  # fmt: skip
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "harness", "migrate", "--from-environment", "--settle", "0s",
            cwd=ROOT, env=os.environ | told, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        return await asyncio.wait_for(process.wait(), LIMIT_S if kill_after_s is None else kill_after_s)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):  # it ended in that moment
            process.kill()
        return await process.wait()


async def held(stores: Stores) -> list[Any]:
    connection = await stores.connect()
    try:
        return [tuple(row) for row in await connection.fetch(END)]
    finally:
        await connection.close()


async def emptied(stores: Stores) -> None:
    """PostgreSQL alone."""
    connection = await stores.connect()
    try:
        await connection.execute("TRUNCATE walk_locations, walks, consents, users")
        await connection.execute("DROP SCHEMA IF EXISTS tekutoko_migration CASCADE")
    finally:
        await connection.close()
