"""What killed runs left in Docker is looked for within a limit: an engine that hangs holds no run on another rung up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from harness.base.errors import StackNotStarted
from harness.model.message import ProgressCallback
from harness.stack.environments import choice as rungs
from harness.stack.kind import at_hand, orphans
from tests.lines import Lines


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.stack.state.sweep", lambda _say: None)
    monkeypatch.setattr(at_hand, "docker_answers", lambda: True)


async def _hangs(_say: ProgressCallback, _aside: ProgressCallback) -> None:
    await asyncio.Event().wait()


async def _refuses(_say: ProgressCallback, _aside: ProgressCallback) -> None:
    raise StackNotStarted("the engine refuses", where="docker", remedy="start it")


@pytest.mark.parametrize(
    ("engine", "line"),
    [
        (_hangs, "could not be looked for in Docker: no end within 0.05 s"),
        (_refuses, "could not be looked for in Docker: the engine refuses"),
    ],
)
async def test_a_run_goes_on_and_says_so(
    monkeypatch: pytest.MonkeyPatch, engine: Callable[[ProgressCallback, ProgressCallback], None], line: str
) -> None:
    monkeypatch.setattr(rungs, "_SWEEP_LIMIT_S", 0.05)
    monkeypatch.setattr(orphans, "sweep", engine)
    said, aside = Lines(), Lines()
    await asyncio.wait_for(rungs.sweep(said.tell, aside.tell), 5)
    assert (said, aside) == ([line], [])
