"""``reconcile`` acts on one stack, and the stack is on this machine."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.base.errors import BadInput, Exit
from harness.cli.reconcile import Reconcile
from harness.migration.heal import Healing
from harness.model.direction import Direction
from harness.model.stack import Address, Endpoints
from tests.nowhere import all_at

DIRECTION = Direction.TO_FIRESTORE


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Endpoints]:
    """The stacks that were healed."""
    found: list[Endpoints] = []

    async def heal(endpoints: Endpoints, *_: object, **__: object) -> Healing:
        found.append(endpoints)
        return Healing(direction=DIRECTION)

    monkeypatch.setattr("harness.migration.heal.heal", heal)
    return found


def endpoints(folder: Path, host: str) -> Path:
    path = folder / "endpoints.json"
    there = all_at(database=Address(host=host, port=1)) if host != "firestore" else all_at(
        firestore=Address(host="firestore.example", port=1)
    )  # fmt: skip
    path.write_bytes(msgspec.json.encode({"endpoints": there}))
    return path


@pytest.mark.parametrize("host", ["db.example", "10.0.0.7", "firestore"])
def test_a_store_on_another_host_is_refused_unless_it_is_meant(
    tmp_path: Path, asked: list[Endpoints], host: str
) -> None:
    there = endpoints(tmp_path, host)
    with pytest.raises(BadInput) as refused:
        Reconcile(endpoints=there, direction=DIRECTION, apply=True).run()
    assert asked == [] and "--beyond-this-machine" in str(refused.value)
    assert Reconcile(endpoints=there, direction=DIRECTION, beyond_this_machine=True).run() == Exit.OK and asked
