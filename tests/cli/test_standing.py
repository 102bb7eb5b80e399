"""``stack down`` gives a standing stack all the time that its own ending has, and says whom it waits for."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock, Mock

import pytest

from harness.base.clock import MachineClock
from harness.base.errors import StackNotStarted
from harness.cli import stack_command, standing
from harness.run.lifecycle import ENDING_LIMIT_S
from harness.stack.state import processes
from tests.lines import Lines

PID = 4321


class Owner:
    """The process of a ``stack up`` that takes so long to end; its time is what is waited for it."""

    pid = PID

    def __init__(self, takes_s: float) -> None:
        self.takes_s, self.waited_s, self.signals = takes_s, 0.0, list[int]()

    def alive(self) -> bool:
        return self.waited_s < self.takes_s and signal.SIGKILL not in self.signals


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Ends the stack of an owner: the lines, and what was said meanwhile."""

    def end(owner: Owner) -> tuple[list[str], list[str]]:
        said = Lines()

        def wait_gone(owners: list[Owner], limit_s: float) -> list[Owner]:
            assert limit_s > 0
            owner.waited_s += limit_s
            return [each for each in owners if each.alive()]

        lease = SimpleNamespace(owner=owner)
        facts = SimpleNamespace(run_id="a-stack")
        monkeypatch.setattr(standing, "recorded", lambda: [(facts, lease)])
        for module in (standing, processes):
            monkeypatch.setattr(module, "wait_gone", wait_gone)
        monkeypatch.setattr(standing, "run_folder", lambda run_id: tmp_path / run_id)
        monkeypatch.setattr(standing, "end_run", lambda folder: [])
        monkeypatch.setattr(os, "kill", lambda pid, number: owner.signals.append(number))
        return [*map(str, standing.end_standing_stacks(said.tell))], said

    return end


def test_one_that_drains_its_mirror_is_awaited_and_not_killed(ended: Any) -> None:
    owner = Owner(takes_s=95.0)
    assert ended(owner) == (
        ["stack a-stack: taken down"],
        [f"stack a-stack is ending, since {10 * n} s of at most 1260 s" for n in range(1, 10)],
    )
    assert owner.signals == [signal.SIGTERM]


def test_one_that_never_ends_is_killed_after_all_its_time(ended: Any) -> None:
    owner = Owner(takes_s=float("inf"))
    _, said = ended(owner)
    assert owner.signals == [signal.SIGTERM, signal.SIGKILL]
    assert said[-1] == "stack a-stack did not end in order within 1260 s: killing it"
    assert owner.waited_s > 2 * ENDING_LIMIT_S, "a bring-up that ends, and a tear down, have a limit each"


def test_one_that_ends_before_it_is_told_is_taken_down_all_the_same(ended: Any) -> None:
    """Between the look whether it lives and the signal: that was a traceback of ``stack down``."""
    owner = Owner(takes_s=0.001)
    owner.signals = cast(list[int], MagicMock(append=Mock(side_effect=ProcessLookupError)))
    assert ended(owner) == (["stack a-stack: taken down"], [])


def test_another_user_s_is_told_and_left(ended: Any) -> None:
    owner = Owner(takes_s=95.0)
    owner.signals = cast(list[int], MagicMock(append=Mock(side_effect=PermissionError)))
    told = "stack a-stack could not be ended: its user may end it"
    assert ended(owner) == ([told], []) and owner.waited_s == 0.0


async def test_a_detached_stack_that_takes_long_to_give_up_hides_no_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tear down may take minutes: that it was not awaited stood in the place of why it did not come up."""
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "home"))
    (tmp_path / "log").write_text("no room here")
    child = Mock(pid=PID, poll=Mock(return_value=None), wait=Mock(side_effect=subprocess.TimeoutExpired("up", 30)))
    with pytest.raises(StackNotStarted, match="no room here"):
        await stack_command._up_detached(child, tmp_path / "log", MachineClock(), 0.0)
    child.terminate.assert_called_once()
