"""Kept parts: started once, taken over by one run at a time, reset and proved empty; ended whatever state they are in.

The tests share one set of parts, in this order, in a machine-wide folder of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from harness.base.clock import MachineClock
from harness.base.errors import Exit
from harness.base.home import ENVIRONMENT_VARIABLE, home
from harness.model.flag import FLAG, Parameter, Template
from harness.model.stack import Rung
from harness.stack.firebase import admin, install, rest, storage
from harness.stack.firebase import reset as firebase_reset
from harness.stack.local import LocalStack, postgres_programs, postgres_reset
from harness.stack.local import kept as local_kept
from harness.stack.local.kept import Borrowed, borrow
from harness.stack.local.postgres_template import ensure as ensure_template
from harness.stack.state import cgroups, identify, kept, sweep
from harness.stack.state.lease import read_lease
from tests.lines import Lines
from tests.stack.rungs import ROOT, SMALL, ask, manifests, run_id
from tests.swept import GROUPS, swept

pytestmark = [pytest.mark.stack, pytest.mark.slow]

BEGIN = "import os; from harness.stack.state import RunState; state = RunState.begin('{}'); {}; os.kill(os.getpid(), 9)"


@pytest.fixture(scope="module", autouse=True)
def own_home() -> Iterator[None]:
    """Installed programs are shared with the machine's own folder; what runs is not."""
    tree = install.ensure(lambda line: None)
    postgres_programs.install(lambda line: None)
    template = asyncio.run(ensure_template(postgres_programs.server(), MachineClock()))
    with another_home(tree.parent.parent, template.parent):
        yield


@contextlib.contextmanager
def another_home(npm: Path, template: Path) -> Iterator[None]:
    """A machine-wide folder for these programs, in which nothing is kept; nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="tekutoko-kept-", dir="/var/tmp"))
    folder.chmod(0o755)  # PostgreSQL runs as another user where we are root
    (folder / "npm").symlink_to(npm)
    (folder / "template").symlink_to(template)
    before = os.environ.get(ENVIRONMENT_VARIABLE)
    os.environ[ENVIRONMENT_VARIABLE] = str(folder)
    try:
        yield
    finally:
        command("down", "--force")
        os.environ.pop(ENVIRONMENT_VARIABLE)
        if before is not None:
            os.environ[ENVIRONMENT_VARIABLE] = before
        shutil.rmtree(folder)


def command(*words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "harness", "stack", *words]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def status() -> tuple[int, list[dict[str, Any]]]:
    done = command("status", "--json")
    return done.returncode, json.loads(done.stdout)


async def borrowed(said: Lines | None = None) -> Borrowed | None:
    return await borrow("test", (said if said is not None else Lines()).tell)


def identities() -> dict[str, Any]:
    lease = read_lease(kept.kept_folder(Rung.LOCAL))
    assert lease is not None
    return {part.part: part.identity for part in lease.parts}


async def soil(lent: Borrowed) -> None:
    """Something of a run in every part."""
    ends = lent.endpoints
    account = f"/identitytoolkit.googleapis.com/v1/projects/{ends.project_id}/accounts"
    made = await rest.request(
        ends.auth, "POST", account, body=b'{"email": "a@b.c"}', headers={"Authorization": "Bearer owner"}
    )
    assert made.status == 200
    await admin.publish(ends.remote_config, ends.project_id, Template(parameters={FLAG: Parameter(default="true")}))
    assert ends.storage is not None
    await storage.put(ends.storage, ends.storage_bucket, "photos/1", b"x", "image/jpeg")
    await write_document(ends)
    await execute(ends, "tekutoko", "tekutoko", "CREATE TABLE leftover (id int)")
    for statement in ("CREATE DATABASE other", "CREATE ROLE other", "ALTER SYSTEM SET work_mem = '9MB'"):
        await execute(ends, "postgres", "postgres", statement)


async def write_document(ends: Any) -> None:
    import grpc.aio
    from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
    from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport

    database = f"projects/{ends.project_id}/databases/(default)"
    async with grpc.aio.insecure_channel(str(ends.firestore)) as channel:
        client = FirestoreAsyncClient(transport=FirestoreGrpcAsyncIOTransport(channel=channel))
        write = {"update": {"name": f"{database}/documents/walks/A", "fields": {}}}
        await client.commit(request={"database": database, "writes": [write]}, timeout=5)


async def execute(ends: Any, user: str, database: str, statement: str) -> None:
    connection = await asyncpg.connect(
        host="127.0.0.1", port=ends.database.port, user=user, database=database, password=ends.database_password
    )
    await connection.execute(statement)
    await connection.close()


def test_keep_leaves_the_parts_running_and_says_so() -> None:
    done = command("keep")
    assert done.returncode == Exit.OK, done.stderr
    code, (found,) = status()
    assert (code, found["kind"], found["used_by"], found["trouble"]) == (0, "kept", "", "")
    assert {part["part"] for part in found["parts"]} == {"postgres", "auth", "firestore", "remote_config", "storage"}
    assert all(part["alive"] and part["port"] and part["memory_bytes"] > 2**20 for part in found["parts"])
    before = identities()
    assert command("keep").returncode == Exit.OK
    assert identities() == before, "whole parts are not started again"
    assert swept() == [], "no killed run's"


async def test_what_a_run_left_is_seen_then_reset() -> None:
    lent = await borrowed()
    assert lent is not None
    await soil(lent)
    ends = lent.endpoints
    seen = [*await firebase_reset.left(ends), *await postgres_reset.left(ends)]
    assert seen == [
        "auth holds 1 accounts",
        "firestore holds 1 documents",
        f"storage holds 1 objects in {ends.storage_bucket}",
        f"remote_config holds 1 versions of {ends.project_id}",
        "postgres holds 1 other roles",
        "postgres holds 1 other databases",
        "postgres holds 1 settings",
        "postgres holds 1 relations in tekutoko",
        "postgres holds 2 types in tekutoko",
    ]
    lent.give_back(Path("/nonexistent"))
    again = await borrowed()
    assert again is not None
    assert [*await firebase_reset.left(ends), *await postgres_reset.left(ends)] == []
    again.give_back(Path("/nonexistent"))


async def test_what_cannot_be_reset_is_not_used() -> None:
    found = kept.read_kept(Rung.LOCAL)
    assert found is not None
    await execute(found.endpoints, "postgres", "postgres", "CREATE TABLE stays (id int)")  # in a database of its own
    said = Lines()
    assert await borrowed(said) is None
    assert "postgres holds 1 relations in postgres" in said[0] and "starts its own" in said[0]
    await execute(found.endpoints, "postgres", "postgres", "DROP TABLE stays")


async def test_a_stack_takes_them_over_alone_and_gives_them_back(tmp_path: Path) -> None:
    before = identities()
    lines = Lines()

    def stack() -> LocalStack:
        return LocalStack(
            run_id=run_id(),
            manifests=manifests(),
            target=SMALL,
            folder=tmp_path,
            clock=MachineClock(),
            use_kept=True,
            progress=lines.tell,
        )

    made = stack()
    begun = time.monotonic()
    try:
        await made.up()
        took_s = time.monotonic() - begun
        assert (await ask(made.endpoints().service)).status == 200
        assert made.endpoints().database.port == kept.read_kept(Rung.LOCAL).endpoints.database.port  # type: ignore[union-attr]
        assert lines[0] == "took over the kept parts, reset and proved empty"
        code, (found,) = status()
        assert code == 0 and found["used_by"].startswith("test-")
        said = Lines()
        assert await borrowed(said) is None
        assert "in use by test-" in said[0] and "starts its own" in said[0]
        refused = command("down")
        assert "they end when it gives them back" in refused.stdout
        assert all(identity.alive() for identity in before.values())
        (kept.kept_folder(Rung.LOCAL) / "down-after-use").unlink()
    finally:
        await made.down()
    assert made.leaks() == []
    assert took_s < 30
    assert identities() == before and all(identity.alive() for identity in before.values())
    assert (tmp_path / "logs" / "postgres.log").read_text(), "the run has what the parts said"
    assert status()[1][0]["used_by"] == ""


async def test_another_checkout_s_parts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_kept, "own_key", lambda: "another")
    said = Lines()
    assert await borrowed(said) is None
    assert "another version of the checkout" in said[0] and "stack keep" in said[0]


async def test_a_dead_part_is_seen_and_replaced() -> None:
    before = identities()
    os.kill(before["auth"].pid, signal.SIGKILL)
    said = Lines()
    for _ in range(100):
        if not before["auth"].alive():
            break
        await asyncio.sleep(0.02)
    assert await borrowed(said) is None
    assert "auth died" in said[0]
    code, (found,) = status()
    assert code == Exit.HOLD and found["trouble"] == "auth died"
    assert command("keep").returncode == Exit.OK
    assert not any(identity.alive() for identity in before.values())
    assert status()[0] == 0


def test_down_leaves_what_is_kept_in_another_folder() -> None:
    ours = identities()
    with another_home(home() / "npm", home() / "template"):
        assert command("keep").returncode == Exit.OK
        theirs, folder = identities(), kept.kept_folder(Rung.LOCAL)
        assert command("down", "--on", "local").returncode == Exit.OK
        assert not any(identity.alive() for identity in theirs.values()) and not folder.exists()
        assert not cgroups.of_run(folder.name)
    assert all(identity.alive() for identity in ours.values())
    assert status()[0] == Exit.OK


def test_what_an_earlier_version_keeps_is_ended() -> None:
    """Its id was the same in every machine-wide folder."""
    with another_home(home() / "npm", home() / "template"):
        begin = BEGIN.format("kept-local", "state.keep()")
        assert subprocess.run([sys.executable, "-c", begin], cwd=ROOT, check=False).returncode == -signal.SIGKILL
        folder = kept.kept_folder(Rung.LOCAL)
        assert folder.exists() and folder.name == "kept-local"
        assert command("down", "--on", "local").returncode == Exit.OK
        assert not folder.exists()


def test_down_ends_all_and_never_a_process_that_only_has_the_number() -> None:
    before = identities()
    folder = kept.kept_folder(Rung.LOCAL)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        found = identify(stranger.pid)
        assert found is not None
        lease = read_lease(folder)
        assert lease is not None
        reused = msgspec.structs.replace(lease.parts[0], identity=msgspec.structs.replace(found, started="another"))
        parts = [*lease.parts, reused]
        (folder / "lease.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(lease, parts=parts)))
        done = command("down")
        assert done.returncode == Exit.OK, done.stdout
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    assert not any(identity.alive() for identity in before.values())
    assert not folder.exists()
    assert not cgroups.of_run(folder.name)
    # A run that a test beside has killed leaves groups, which are the machine's: whoever comes first removes them.
    [said] = command("down", "--on", "local").stdout.splitlines()
    assert said == "nothing was left running" or said.endswith(GROUPS)
    # Docker may have clusters of the tests beside: they have another folder of state, are named and left alone
    [said] = command("down").stdout.splitlines()
    assert said in ("nothing was left running", "nothing else was left running") or said.endswith(GROUPS)


def test_a_keeping_that_was_cut_short_is_swept_like_any_run() -> None:
    begin = BEGIN.format(kept.id_to_keep(Rung.LOCAL), "pass")
    killed = subprocess.run([sys.executable, "-c", begin], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert status()[0] == Exit.HOLD
    assert kept.read_kept(Rung.LOCAL) is None
    sweep(lambda line: None)
    assert not kept.kept_folder(Rung.LOCAL).exists()
