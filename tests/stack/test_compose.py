"""``docker compose up --wait`` on compose.yaml as docs/environments.md has it: ready when it returns, usable, and gone after down.

Where Docker has no compose plugin, the same program built of its Go module (``tests/session/builds.py``) does it.
``test_outside.py`` starts the same services without it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import yaml

from harness.base.data import COMPOSE
from harness.base.free_port import any_free_port
from harness.model.flag import FLAG, Parameter, Template
from harness.model.stack import Address
from harness.stack.firebase import admin, rest, storage
from harness.stack.firebase.documents import Documents, Value
from harness.stack.kind import at_hand
from harness.stack.kind.images import binaries
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.compose import OUTSIDE
from harness.stack.state.lease import identity
from harness.stack.state.processes import identify
from tests.kind import images
from tests.session.needs import needs_docker

PROJECT = "demo-tekutoko"
PASSWORD = "of this test's own"
UP_LIMIT_S = 240  # seven containers at once on a busy machine; a quiet one takes 10

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1200), needs_docker]


def program() -> list[str]:
    """Docker with its plugin, or the plugin by itself; skips the test where there is neither."""
    if at_hand.ask("compose", "version", "--short") is not None:
        return ["docker", "compose"]
    built = binaries.Module("compose").folder() / "docker-compose"
    if not built.exists():
        pytest.skip("this Docker has no compose plugin, and none is built: python -m tests.session.builds builds it")
    return [str(built)]


class Composed:
    """The project of this test: compose.yaml, with ports and a name of its own and a label that a sweep knows."""

    def __init__(self, folder: Path) -> None:
        me = identify(os.getpid())
        assert me is not None
        self.name = f"tekutoko-test-{me.pid}"
        self.addresses = {part: Address(host="127.0.0.1", port=any_free_port()) for part in (*OUTSIDE, "api")}
        marked = {"labels": {labels.OWNER: f"{me.pid}/{me.started}", labels.MACHINE: identity()}}
        self._marks = folder / "marks.yaml"  # a session that is killed leaves its containers to the next sweep
        self._marks.write_text(yaml.safe_dump({"services": dict.fromkeys((*self.addresses, "migration"), marked)}))

    def __call__(self, *arguments: str, limit_s: float = 60) -> str:
        ports = {f"{part.upper()}_PORT": str(address.port) for part, address in self.addresses.items()}
        done = subprocess.run(
            [*program(), "-p", self.name, "-f", str(COMPOSE), "-f", str(self._marks), *arguments],
            env={**os.environ, **ports, "POSTGRES_PASSWORD": PASSWORD},
            capture_output=True, text=True, timeout=limit_s, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"docker compose {arguments}: {done.stderr}"
        return done.stdout

    def up(self) -> None:
        self("up", "--wait", "--wait-timeout", str(UP_LIMIT_S), limit_s=UP_LIMIT_S + 30)

    def down(self, *options: str) -> None:
        """One service after the other: Docker 20.10 can stop for good where the endpoints of one network go at once."""
        for part in (*self.addresses, "migration"):
            self("rm", "--stop", "--force", part)
        self("down", *options)

    def left(self) -> list[str]:
        """What Docker still has of the project, of any kind."""
        of = f"label=com.docker.compose.project={self.name}"
        kinds = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
        return [line for kind in kinds for line in (at_hand.ask(*kind, "-q", "--filter", of) or "").splitlines()]


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    images.made()
    project = Composed(tmp_path_factory.mktemp("compose"))
    try:
        project.up()
        yield project
    finally:
        project.down("--volumes")
    assert project.left() == []


async def connected(address: Address) -> Any:
    return await asyncpg.connect(
        host=address.host, port=address.port, user="tekutoko", database="tekutoko", password=PASSWORD, ssl=False
    )


async def signed_up(auth: Address) -> str:
    new = {"email": "walker@rehearsal.invalid", "password": "walks-a-lot", "returnSecureToken": True}
    path = "/identitytoolkit.googleapis.com/v1/accounts:signUp?key=any"
    signed = await rest.request(auth, "POST", path, body=msgspec.json.encode(new))
    assert signed.status == 200
    return str(msgspec.json.decode(signed.body)["idToken"])


def test_every_service_is_healthy_and_on_loopback_alone(composed: Composed) -> None:
    rows = [json.loads(line) for line in composed("ps", "--all", "--format", "json").splitlines()]
    running = dict.fromkeys(composed.addresses, ("running", "healthy"))
    states = {row["Service"]: (row["State"], row["Health"]) for row in rows}
    assert states == {**running, "migration": ("exited", "")}
    published = {
        row["Service"]: {(each["URL"], each["PublishedPort"]) for each in row["Publishers"] if each["PublishedPort"]}
        for row in rows
    }
    assert published == {part: {(each.host, each.port)} for part, each in composed.addresses.items()} | {
        "migration": set()
    }


async def test_each_firebase_part_does_its_work_at_once(composed: Composed) -> None:
    at = composed.addresses
    documents, walk = Documents(at["firestore"], PROJECT), {"title": Value("string", "Ueno")}
    await documents.put("w1", walk)
    assert (await documents.all())["w1"] == walk
    await documents.close()

    bucket = f"{PROJECT}.appspot.com"
    await storage.put(at["storage"], bucket, "walks/photo.jpg", b"\xff\xd8 a photo", "image/jpeg")
    assert [each.name for each in await storage.objects(at["storage"], bucket)] == ["walks/photo.jpg"]

    template = Template(parameters={FLAG: Parameter(default="true")})
    assert await admin.publish(at["remote_config"], PROJECT, template) >= 1


async def test_the_api_keeps_a_walk_in_its_tables_and_mirrors_it(composed: Composed) -> None:
    at = composed.addresses
    signed = {"Authorization": f"Bearer {await signed_up(at['auth'])}"}
    made = await rest.request(at["api"], "POST", "/v1/walks", body=b'{"title": "Yanaka"}', headers=signed)
    assert made.status == 201, made.body
    walk = str(msgspec.json.decode(made.body)["id"]).upper()  # as the app names its documents
    connection = await connected(at["postgres"])
    assert await connection.fetchval("SELECT title FROM walks WHERE id = $1", walk) == "Yanaka"
    await connection.close()
    documents = Documents(at["firestore"], PROJECT)
    async with asyncio.timeout(10):
        while walk not in await documents.all():
            pass
    await documents.close()


async def test_the_database_outlives_down_and_not_down_with_its_volumes(composed: Composed) -> None:
    connection = await connected(composed.addresses["postgres"])
    assert (await connection.fetchval("SHOW server_version")).startswith("15.")
    await connection.execute("CREATE TABLE kept (id int)")
    await connection.close()

    composed.down()
    composed.up()
    connection = await connected(composed.addresses["postgres"])
    assert await connection.fetchval("SELECT count(*) FROM kept") == 0
    await connection.close()

    composed.down("--volumes")
    assert composed.left() == []
    composed.up()
    connection = await connected(composed.addresses["postgres"])
    assert await connection.fetchval("SELECT to_regclass('kept')") is None
    await connection.close()
