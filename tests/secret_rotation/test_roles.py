"""The login roles on a real PostgreSQL that asks for passwords, and the stand-in for Secret Manager where it is built."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from harness.base.clock import MachineClock
from harness.base.errors import StackNotStarted
from harness.model.secrets import Credentials
from harness.model.stack import Address, DatabaseAccess
from harness.rehearsals.dr_restore.restore import world
from harness.rehearsals.secret_rotation.rehearsal import PAIR, Roles, first
from harness.stack.firebase.rest import request
from harness.stack.kind.images import binaries
from harness.stack.kind.secret_store import SECRET, publish
from harness.stack.local.site import Site
from tests.kind.shared import has_go
from tests.ports import free_address

pytestmark = pytest.mark.process

PATH = f"/v1/projects/p/secrets/{SECRET}"


@pytest_asyncio.fixture
async def access(tmp_path: Path) -> AsyncIterator[DatabaseAccess]:
    site = Site.begin(f"test-roles-{os.getpid()}", tmp_path, MachineClock())
    try:
        async with world(site, "roles", 0.05) as made:
            primary = made.primary
            yield DatabaseAccess(
                address=primary.address, superuser="postgres", password=primary.password, database="tekutoko"
            )
    finally:
        await site.down()


async def connect(access: DatabaseAccess, user: str, password: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=access.address.host, port=access.address.port, user=user, password=password,
        database=access.database, ssl=False,
    )  # fmt: skip


@pytest.mark.slow
async def test_two_roles_take_turns(access: DatabaseAccess) -> None:
    roles = Roles(access)
    old = await first(access, "it's 'quoted'")
    owner = await connect(access, access.superuser, access.password)
    await owner.execute("create table theirs (); alter table theirs owner to tekutoko")
    await owner.close()
    assert (old.user, await roles.logs_in(old)) == (PAIR[0], True)
    session = await connect(access, old.user, old.password)
    assert await session.fetchval("select count(*) from theirs") == 0  # the owner's tables, by membership
    assert await roles.sessions(old.user) == 1
    new = Credentials(user=PAIR[1], password="new")
    await roles.prepare(new)
    assert await roles.logs_in(new) and await roles.logs_in(old)  # both, while pods change over
    await roles.revoke(old.user)
    assert not await roles.logs_in(old) and await session.fetchval("select 1") == 1  # an open session goes on
    assert await roles.end_sessions(old.user) == 1
    # Whichever asyncpg meets first: the server's last word, the closed connection, or both at once.
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
        await session.fetchval("select 1")
    again = Credentials(user=PAIR[0], password="again")
    await roles.prepare(again)
    assert await roles.logs_in(again) and not await roles.logs_in(old)


async def test_a_database_that_does_not_answer_is_named() -> None:
    nowhere = DatabaseAccess(address=Address(host="127.0.0.1", port=9), superuser="s", password="", database="d")
    with pytest.raises(StackNotStarted, match="refused a change of its roles"):
        await Roles(nowhere).sessions("anybody")


@pytest_asyncio.fixture
async def manager() -> AsyncIterator[Address]:
    if binaries.missing(binaries.SECRETS_STORE) and not has_go():
        pytest.skip("the stand-in for Secret Manager is not built on this machine, and there is no Go")
    program = await binaries.ensure(binaries.SECRETS_STORE, print) / "secretmanager"
    address = free_address()
    process = await asyncio.create_subprocess_exec(program, "serve", str(address), stderr=subprocess.DEVNULL)
    try:
        yield address
    finally:
        process.kill()
        await process.wait()


async def test_versions_as_secret_manager_has_them(manager: Address) -> None:
    async def ask(method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, object]]:
        answer = await request(manager, method, path, body=body)
        return answer.status, msgspec.json.decode(answer.body, type=dict[str, object])

    for _ in range(600):
        try:
            assert (await ask("GET", f"{PATH}/versions/latest:access"))[0] == 404
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
    names = [await publish(manager, "p", Credentials(user="u", password=word)) for word in ("one", "two")]
    assert names == [f"projects/p/secrets/{SECRET}/versions/{number}" for number in (1, 2)]

    async def latest() -> dict[str, str]:
        status, found = await ask("GET", f"{PATH}/versions/latest:access")
        assert status == 200 and isinstance(found["payload"], dict)
        return msgspec.json.decode(base64.b64decode(found["payload"]["data"]), type=dict[str, str])

    assert await latest() == {"user": "u", "password": "two"}
    assert (await ask("POST", f"{PATH}/versions/2:disable"))[1]["state"] == "DISABLED"
    assert (await ask("GET", f"{PATH}/versions/2:access"))[0] == 400
    assert await latest() == {"user": "u", "password": "one"}
    assert (await ask("GET", f"{PATH}/versions/3:access"))[0] == 404
    assert (await ask("POST", f"{PATH}:addVersion", b"{"))[0] == 400
    too_large = msgspec.json.encode({"payload": {"data": base64.b64encode(bytes(65_537)).decode()}})
    assert (await ask("POST", f"{PATH}:addVersion", too_large))[0] == 400
    with pytest.raises(StackNotStarted, match="does not answer"):
        await publish(Address(host="127.0.0.1", port=9), "p", Credentials(user="u", password="x"))
