"""What another process is just bringing up, or taking away, is left to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base.clock import MachineClock
from harness.base.errors import StackNotStarted
from harness.model.message import Message
from harness.stack.kind import cluster, record, uses
from harness.stack.local import keeper
from harness.stack.state import Condition, kept


def quiet(_said: Message) -> None:
    """Nobody listens."""


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """What was ended of a folder whose harness lives, and that has no record of kept parts yet."""
    found: list[Path] = []

    def end_run(folder: Path, *, living: bool = True) -> list[Message]:
        assert living
        found.append(folder)
        return []

    monkeypatch.setattr(kept, "kept_folder", lambda _rung: tmp_path)
    monkeypatch.setattr(keeper, "condition", lambda _folder: Condition.LIVES)
    monkeypatch.setattr(keeper, "end_run", end_run)
    return found


async def test_parts_that_are_being_kept_are_neither_replaced_nor_taken_down(ended: list[Path], tmp_path: Path) -> None:
    """A second `stack keep` ended the first, and often itself."""
    with pytest.raises(StackNotStarted, match="another process is bringing the parts up"):
        await keeper.LocalKeeper().keep(MachineClock(), quiet)
    (said,) = keeper.LocalKeeper().down(force=False)
    assert "another process is bringing them up" in str(said) and ended == []
    keeper.LocalKeeper().down(force=True)
    assert ended == [tmp_path]


@pytest.mark.parametrize("free", [True, False])
async def test_a_cluster_that_another_sweeps_is_passed_over(monkeypatch: pytest.MonkeyPatch, free: bool) -> None:
    """Of two commands after one run that was killed the second ended with the stack's status."""
    deleted: list[str] = []

    async def names() -> list[str]:
        return ["left"]

    async def delete(name: str, _progress: object) -> bool:
        deleted.append(name)
        return True

    @contextlib.contextmanager
    def alone(_name: str) -> Iterator[bool]:
        yield free

    monkeypatch.setattr(cluster, "names", names)
    monkeypatch.setattr(cluster, "_delete", delete)
    monkeypatch.setattr(record, "left_behind", lambda _name: True)
    monkeypatch.setattr(uses, "alone", alone)
    assert await cluster.sweep(quiet) == deleted == (["left"] if free else [])
