"""What all commands share: work with watchers beside it, and a run carried to its end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from harness.base.clock import MachineClock
from harness.base.errors import Exit, Interrupted, PartDied
from harness.base.progress import Progress
from harness.rehearsal.lifecycle import Lifecycle, run_identity, run_to_end, with_beside
from harness.stack.state.processes import process_mark


async def failing(error: Exception) -> None:
    raise error


class Endless:
    """Waits for ever, and notes that it was ended."""

    def __init__(self) -> None:
        self.ended = False

    async def __call__(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True


async def test_the_end_of_the_work_ends_what_is_beside_it() -> None:
    beside = Endless()
    await with_beside(asyncio.sleep(0), beside())
    assert beside.ended


async def test_what_fails_beside_ends_the_work_and_is_raised() -> None:
    work, other = Endless(), Endless()
    with pytest.raises(PartDied):
        await with_beside(work(), other(), failing(PartDied("gone")))
    assert work.ended and other.ended


async def test_of_two_that_fail_at_once_the_cause_is_raised() -> None:
    with pytest.raises(PartDied):
        await with_beside(failing(OSError("its connection broke")), failing(PartDied("gone")))


class Document(msgspec.Struct):
    exit_status: int | None


class Waiting:
    """A run that sends itself a signal and waits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lifecycle = Lifecycle(Progress(MachineClock()))

    async def run(self) -> Document:
        os.kill(os.getpid(), signal.SIGHUP)
        await self.lifecycle.run(Endless()())
        (self.folder / "x.json").write_text("{}\n")
        return Document(self.lifecycle.errors[0].exit)

    def interrupt(self) -> None:
        self.lifecycle.interrupt()


@pytest.fixture
def heard() -> Iterator[None]:
    """SIGHUP, also where the session was begun by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heard")
def test_a_signal_interrupts_and_the_document_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = Waiting(tmp_path)
    told: list[tuple[int | None, str]] = []

    def closing(document: Document, folder: str) -> str:
        told.append((document.exit_status, folder))
        return "the closing lines"

    status = run_to_end(lambda: made, Progress(MachineClock()), closing, printed="x.json")
    assert status == Exit.INTERRUPTED == Interrupted.exit
    assert told == [(130, str(tmp_path))]
    assert capfd.readouterr().out == "{}\n"


def test_a_run_is_named_by_when_what_seed_and_process() -> None:
    name = run_identity(MachineClock(), "rollout_week1", 7)
    assert name.endswith(f"Z-rollout_week1-s7-{process_mark()}")
    assert process_mark().startswith(f"{os.getpid():x}-")
