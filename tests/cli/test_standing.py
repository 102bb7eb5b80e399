"""``stack down`` gives a standing stack all the time that its own ending has, and says whom it waits for."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.cli import standing
from harness.rehearsal.lifecycle import ENDING_LIMIT_S
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
