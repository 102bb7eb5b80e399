"""What another process is just taking away is left to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from harness.model.message import Message
from harness.stack.kind import cluster, record


def quiet(_said: Message) -> None:
    """Nobody listens."""


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
    monkeypatch.setattr(record, "alone", alone)
    assert await cluster.sweep(quiet) == deleted == (["left"] if free else [])
