"""No command is silent for 30 s where there is no terminal, whatever it does: the command line itself sees to that."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from harness.base import progress as told
from harness.base.clock import MachineClock
from harness.base.progress import Heartbeat, Progress
from harness.base.virtual import VirtualClock, runner
from harness.cli import main as cli
from harness.cli.main import ALL
from tests.base.test_progress import Beaten
from tests.cli.test_commands import least

MOST_SILENT_S, LASTS_S = 30.0, 200.0


def blocks(over: threading.Event) -> None:
    """Waits without a word and without a loop."""
    assert over.wait(30)


def awaits(over: threading.Event) -> None:
    """Waits in a loop, with a phase that nobody tells of any more."""

    async def run() -> None:
        Progress(MachineClock()).begin("a step that takes long")
        assert await asyncio.to_thread(over.wait, 30)

    asyncio.run(run())


def simulates(over: threading.Event) -> None:
    """Is at work in virtual time, of which little goes by. Python's threads take turns of 5 ms: who looks has more."""
    clock = VirtualClock()

    async def run() -> None:
        Progress(clock).begin("a step that takes long", lasts_s=10)
        while not over.wait(0.001):
            await clock.sleep(1e-6)

    runner(clock)(run())


@pytest.mark.parametrize("works", [blocks, awaits, simulates])
@pytest.mark.parametrize("name", sorted(ALL))
def test_no_command_is_silent_for_30_s(
    name: str,
    works: Callable[[threading.Event], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command, beaten, heard = ALL[name].load(), Beaten(LASTS_S), [0.0]
    real = Heartbeat.heard

    def noted(beat: Heartbeat) -> None:
        heard.append(beaten.clock.at_s)
        real(beat)

    def run(_: object) -> int:
        beaten.begun.set()
        works(beaten.over)
        return 0

    monkeypatch.setattr(Heartbeat, "heard", noted)
    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(cli, "Heartbeat", lambda name: Heartbeat(name, clock=beaten.clock, wait=beaten.wait))
    assert cli.main([*name.split(), *least(command)]) == 0
    gaps = [after - before for before, after in zip(heard, [*heard[1:], LASTS_S], strict=True)]
    assert max(gaps) <= MOST_SILENT_S
    said = capsys.readouterr().err.splitlines()
    assert len(said) >= LASTS_S / MOST_SILENT_S and all(name in line or "takes long" in line for line in said)


def test_the_least_that_is_looked_for_is_below_the_promise() -> None:
    assert told.SILENT_S + told.LOOK_S < MOST_SILENT_S
