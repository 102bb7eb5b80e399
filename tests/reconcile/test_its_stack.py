"""``reconcile`` acts on one stack: what is believed of a run is of that stack's run, and the stack is on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.clock import Anchor
from harness.base.errors import BadInput, Exit
from harness.cli.reconcile import Reconcile
from harness.evidence.gathered import EVIDENCE
from harness.evidence.store import EvidenceStore
from harness.migration.healing import Healing
from harness.model.direction import Direction
from harness.model.evidence import Operation
from harness.model.stack import Address
from tests.nowhere import all_at
from tests.reconcile.test_evidence import row

DIRECTION = Direction.TO_FIRESTORE


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was healed by: the walks whose deletion the API confirmed."""
    found: list[Any] = []

    async def heal(*_: object, deleted: Any, **__: object) -> Healing:
        found.append(set(deleted))
        return Healing(direction=DIRECTION)

    monkeypatch.setattr("harness.migration.heal.heal", heal)
    return found


def endpoints(folder: Path, host: str = "127.0.0.1", **told: Any) -> Path:
    path = folder / "endpoints.json"
    there = all_at(database=Address(host=host, port=1)) if host != "firestore" else all_at(
        firestore=Address(host="firestore.example", port=1)
    )  # fmt: skip
    path.write_bytes(msgspec.json.encode({"endpoints": there} | told))
    return path


@pytest.mark.parametrize("apply", [False, True])
@pytest.mark.parametrize("told", [{"run_id": "of-today"}, {"run_id": "of-before"}, {}])
def test_the_evidence_of_another_run_says_nothing_of_this_stack(
    tmp_path: Path, asked: list[Any], told: dict[str, str], apply: bool
) -> None:
    """Walk ids come of the seed: what an older run deleted has the ids of today's walks."""
    with EvidenceStore(tmp_path / EVIDENCE, "of-before", Anchor(monotonic_ns=0, unix_ns=0)) as store:
        store.append([row(1, Operation.PUT_WALK), row(2, Operation.DELETE_WALK)])
    command = Reconcile(endpoints=endpoints(tmp_path, **told), evidence=tmp_path, direction=DIRECTION, apply=apply)
    if told == {"run_id": "of-before"}:
        assert command.run() == Exit.OK and asked == [{"w-2"}]
        return
    with pytest.raises(BadInput) as refused:
        command.run()
    assert asked == [] and "of-before" in str(refused.value) and refused.value.where == str(tmp_path)


@pytest.mark.parametrize("host", ["db.example", "10.0.0.7", "firestore"])
def test_a_store_on_another_host_is_refused_unless_it_is_meant(tmp_path: Path, asked: list[Any], host: str) -> None:
    there = endpoints(tmp_path, host)
    with pytest.raises(BadInput) as refused:
        Reconcile(endpoints=there, direction=DIRECTION, apply=True).run()
    assert asked == [] and "--beyond-this-machine" in str(refused.value)
    assert Reconcile(endpoints=there, direction=DIRECTION, beyond_this_machine=True).run() == Exit.OK and asked
