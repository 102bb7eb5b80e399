"""What a run brings into a whole cluster: one run at a time has it, and a killed one's is found."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.base.clock import MachineClock
from harness.base.errors import StackNotStarted
from harness.stack.kind import addon, record
from harness.stack.kind.addon import ClusterWide


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ClusterWide, ClusterWide]:
    monkeypatch.setattr(record, "clusters_folder", lambda: tmp_path)
    return ClusterWide("c", "thing"), ClusterWide("c", "thing")


async def take(place: ClusterWide) -> None:
    await place.take(MachineClock(), lambda _line: None)


async def test_another_run_waits_and_has_it_then(places: tuple[ClusterWide, ClusterWide]) -> None:
    first, second = places
    await take(first)
    waiting = asyncio.ensure_future(take(second))
    await asyncio.sleep(0.1)
    assert (first.installed, second.installed, waiting.done()) == (True, False, False)
    with second.left() as left:
        assert not left, "a run has it"
    first.unmark()
    await first.release()
    await waiting
    assert (first.installed, second.installed) == (False, True), "what another has is no leak of the first"
    await second.release()


async def test_what_a_killed_run_left_is_found_once(places: tuple[ClusterWide, ClusterWide]) -> None:
    first, second = places
    with second.left() as left:
        assert not left, "nothing was brought"
    await take(first)
    await first.release()  # as the end of its process does; the mark stays
    with second.left() as left:
        assert left
        second.unmark()
    with second.left() as left:
        assert not left


async def test_a_wait_has_an_end(places: tuple[ClusterWide, ClusterWide], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addon, "LOCK_LIMIT_S", 0.1)
    await take(places[0])
    with pytest.raises(StackNotStarted, match="another harness holds thing"):
        await take(places[1])
    assert not places[1].installed
    await places[0].release()
