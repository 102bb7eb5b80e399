"""compose.yaml: read as compose would, published on loopback alone, and its services started through testcontainers."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import pytest
import yaml
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from harness.base.clock import MachineClock
from harness.base.data import COMPOSE, ROOT
from harness.model.flag import FLAG, Parameter, Template
from harness.model.stack import Address
from harness.stack.firebase import admin
from harness.stack.kind.images import choice, recipes
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.compose import definitions
from harness.stack.process.waiting import CHECKS, logs_in
from harness.stack.state.lease import identity
from harness.stack.state.processes import identify
from tests.kind import images
from tests.session.needs import needs_docker

PASSWORD = "of this test's own"


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return found


def test_everything_is_published_on_loopback_alone() -> None:
    for name, service in services()["services"].items():
        assert name == "migration" or service["ports"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name


def test_every_service_has_a_health_check_and_never_pulls() -> None:
    for name, service in services()["services"].items():
        assert name == "migration" or service["healthcheck"]["test"][0] == "CMD", name
        assert service["pull_policy"] == "never", name
    volumes = services()["volumes"]
    mounted = [
        mount.split(":")[0] for service in services()["services"].values() for mount in service.get("volumes", [])
    ]
    assert mounted == list(volumes)


def test_what_is_built_of_the_checkout_is_in_it_and_begins_with_a_pinned_image() -> None:
    kept = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"]
    pinned = {pin.name("") for pin in choice.BASES.values()}
    for name, service in services()["services"].items():
        build = service["build"]
        whole = isinstance(build, dict)  # with the checkout as its context
        file = ROOT / build["dockerfile"] if whole else ROOT / build / "Dockerfile"
        copied = re.findall(r"^COPY (?!--from)(.+) \S+$", file.read_text(), re.MULTILINE)
        for path in " ".join(copied).split():
            if path != "given*":  # of what `harness images` lays beside
                assert (ROOT if whole else file.parent).joinpath(path).exists(), (name, path)
                assert not whole or path.startswith(tuple(kept)), (name, path)
        base = re.search(r"^ARG BASE=(.+)$", file.read_text(), re.MULTILINE)
        assert base is not None and base[1] in pinned, name


def test_the_services_are_those_that_the_stack_starts() -> None:
    found = definitions()
    assert set(found) == {"postgres", *CHECKS}
    images = {recipe.name for recipe in recipes.ours(MachineClock())}
    for service in found.values():
        match = re.fullmatch(r"tekutoko-rehearsal/([a-z-]+):current", service.image)
        assert match is not None and match[1] in images
        assert service.environment.get("POSTGRES_PASSWORD", "-") != ""


@pytest.fixture(scope="module")
def started() -> Iterator[dict[str, Address]]:
    images.made()
    testcontainers_config.ryuk_disabled = True  # its image cannot be pulled everywhere; the fixture removes everything
    me = identify(os.getpid())
    assert me is not None
    containers: dict[str, DockerContainer] = {}
    try:
        for name, service in definitions().items():
            container = DockerContainer(service.image, command=" ".join(service.command) or None)
            container.env = {**service.environment, "POSTGRES_PASSWORD": PASSWORD}
            container.ports = {str(service.port): ("127.0.0.1", None)}  # type: ignore[dict-item]  # Docker's own form
            # A session that is killed leaves them to the next sweep.
            container.with_kwargs(labels={labels.OWNER: f"{me.pid}/{me.started}", labels.MACHINE: identity()})
            containers[name] = container
            container.start()
        yield {
            name: Address(host="127.0.0.1", port=int(container.get_exposed_port(definitions()[name].port)))
            for name, container in containers.items()
        }
    finally:
        for container in containers.values():
            container.stop(force=True, delete_volume=True)


async def answering(check: Callable[[], Awaitable[bool]]) -> None:
    until = time.monotonic() + 60
    while not await check():
        assert time.monotonic() < until
        await asyncio.sleep(0.2)


@needs_docker
@pytest.mark.kind
@pytest.mark.timeout(1200)
async def test_the_firebase_parts_answer(started: dict[str, Address]) -> None:
    for name, check in CHECKS.items():
        await answering(lambda check=check, name=name: check(started[name]))  # type: ignore[misc]
    template = Template(parameters={FLAG: Parameter(default="true")})
    assert await admin.publish(started["remote_config"], "demo-tekutoko", template) >= 1


@needs_docker
@pytest.mark.kind
@pytest.mark.timeout(1200)
async def test_postgresql_is_15_and_its_role_no_superuser(started: dict[str, Address]) -> None:
    address = started["postgres"]
    await answering(lambda: logs_in(address, "tekutoko", "tekutoko", PASSWORD))
    assert not await logs_in(address, "tekutoko", "tekutoko", "another")
    connection = await asyncpg.connect(
        host=address.host, port=address.port, user="tekutoko", database="tekutoko", password=PASSWORD, ssl=False
    )
    try:
        assert (await connection.fetchval("SHOW server_version")).startswith("15.")
        assert not await connection.fetchval("SELECT usesuper FROM pg_user WHERE usename = current_user")
        await connection.execute("CREATE TABLE mine (id int)")
    finally:
        await connection.close()
