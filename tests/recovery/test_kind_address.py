"""On kind a restored instance must not come to the address of the lost one: pods would reach it without being led."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.errors import StackNotStarted
from harness.model.stack import Address
from harness.stack.kind import docker, ground
from harness.stack.kind.ground import ClusterResources, KindDatabase
from harness.stack.kubernetes.compose import DATABASE

LOST = "172.19.0.6"


class FakeOutside:
    """A container on the network: the first that starts there has the address that was free."""

    made: list[FakeOutside]
    process = None

    def __init__(self, part: str, *_others: object) -> None:
        self.part, self.image, self.inside = part, "postgres:1", ""
        self.did: list[object] = []
        FakeOutside.made.append(self)

    async def start(self, image: str, _variables: dict[str, str], *, network: str, script: str) -> None:
        self.did.append((image, network, script))

    async def stop(self) -> None:
        self.did.append("stop")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> KindDatabase:
    """Without a cluster: what ``lose`` and ``register`` need."""
    FakeOutside.made = []
    monkeypatch.setattr(ground, "Outside", FakeOutside)
    found = cast(Any, ClusterResources.__new__(ClusterResources))
    found.cluster = SimpleNamespace(network="kind-x")
    found.instances, found.services = {}, {DATABASE: FakeOutside("postgres")}
    found.services[DATABASE].inside = f"{LOST}:5432"
    found.ends, found.replaced = SimpleNamespace(plan=lambda _process: None), []
    found._state = found._logs = found._clock = None

    async def lead() -> None:
        raise AssertionError

    return KindDatabase(found, lead)


def joined_at(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    async def containers(_what: str, _filters: object) -> list[docker.DockerContainer]:
        return [docker.DockerContainer(id="container", names=[], labels={})]

    async def connect(_container: str, _network: str, *, what: str) -> str:
        return address

    monkeypatch.setattr(docker, "containers", containers)
    monkeypatch.setattr(docker, "connect", connect)


@pytest.mark.asyncio
async def test_the_lost_instances_address_is_kept_until_the_end(made: KindDatabase) -> None:
    await made.lose()
    lost, keeps = FakeOutside.made
    assert lost.did == ["stop"]
    assert keeps.did == [("postgres:1", "kind-x", "exec sleep infinity")]
    assert cast(Any, made)._ground.replaced == [keeps]  # removed with the run


@pytest.mark.asyncio
async def test_an_instance_at_the_lost_ones_address_is_refused(
    made: KindDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined_at(monkeypatch, LOST)
    with pytest.raises(StackNotStarted, match="the lost instance's address"):
        await made.register("x-restored", Address(host="127.0.0.1", port=1))
    assert made._ground.instances == {}


@pytest.mark.asyncio
async def test_one_at_another_address_is_admitted(made: KindDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    joined_at(monkeypatch, "172.19.0.9")
    await made.register("x-restored", Address(host="127.0.0.1", port=1))
    assert made._ground.instances == {"x-restored": "172.19.0.9:5432"}
