"""What all commands share: work with watchers beside it, and a run carried to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from harness.base.clock import MachineClock
from harness.base.data import ROOT
from harness.base.errors import Exit, Interrupted, PartDied, RehearsalError, StackNotStarted
from harness.base.phase import Said
from harness.base.progress import Progress
from harness.cli import standing
from harness.evidence.store import Collector, EvidenceStore
from harness.model.result import Result
from harness.model.stack import EnvironmentKind
from harness.rehearsals.conformance.command import ConformanceCommand
from harness.run import lifecycle
from harness.run.context import RunContext
from harness.run.lifecycle import Lifecycle, run_identity, run_to_end
from harness.run.options import Options
from harness.run.runner import RUNGS
from harness.stack.environments.choice import manifests_of
from harness.stack.state.processes import process_mark
from harness.stack.target.targets import bundled
from tests.report.results import command

LOCAL = ROOT / "deploy" / "kubernetes" / "overlays" / "local"


class Nothing(msgspec.Struct):
    """No details."""


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

    async def down(self) -> None:
        await self()


class Told(Progress):
    """Keeps the lines."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(MachineClock())
        self._lines = lines

    def __call__(self, said: Said | str) -> None:
        self._lines.append(str(said))


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[RunContext[Nothing]]:
    """A run under way, without a stack."""
    clock = MachineClock()
    options = Options(
        rung=EnvironmentKind.LOCAL, target=bundled(), seed=7, reports=tmp_path, replay="again", manifests=LOCAL
    )
    with EvidenceStore(tmp_path / "e.sqlite", "run", clock.anchor) as store:
        yield RunContext(
            Nothing(), options, clock, Progress(clock), run_id="run", folder=tmp_path,
            manifests=manifests_of(options), evidence=Collector(store, clock), publish=lambda: None,
            judged=lambda _: (), environment=RUNGS, children=[],
        )  # fmt: skip


async def test_the_end_of_the_work_ends_what_is_beside_it(on: RunContext[Nothing]) -> None:
    beside = Endless()
    on.run_in_background(beside())
    await on.supervise(asyncio.sleep(0.01))
    assert beside.ended


async def test_what_fails_beside_ends_the_work_and_is_raised(on: RunContext[Nothing]) -> None:
    work, other = Endless(), Endless()
    on.run_in_background(other())
    on.run_in_background(failing(PartDied("gone")))
    with pytest.raises(PartDied):
        await on.supervise(work())
    assert work.ended and other.ended


async def test_of_two_that_fail_at_once_the_cause_is_raised(on: RunContext[Nothing]) -> None:
    on.run_in_background(failing(PartDied("gone")))
    with pytest.raises(PartDied):
        await on.supervise(failing(OSError("its connection broke")))


async def fails_in_its_end() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        raise PartDied("it could not be undone")


async def test_what_fails_beside_in_its_own_end_is_raised_at_the_run_s(on: RunContext[Nothing]) -> None:
    on.run_in_background(fails_in_its_end())
    await on.supervise(asyncio.sleep(0.01))
    with pytest.raises(PartDied, match="undone"):
        await on.failed_beside()


async def test_what_fails_beside_an_interrupted_work_is_raised_too(on: RunContext[Nothing]) -> None:
    on.run_in_background(fails_in_its_end())
    run = asyncio.ensure_future(on.supervise(Endless()()))
    await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    with pytest.raises(PartDied, match="undone"):
        await on.failed_beside()


async def test_a_run_without_a_failure_beside_it_raises_nothing(on: RunContext[Nothing]) -> None:
    await on.failed_beside()
    await on.supervise(asyncio.sleep(0))
    await on.failed_beside()


class Waiting:
    """A run that sends itself a signal and waits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lifecycle = Lifecycle(Progress(MachineClock()))

    async def run(self) -> Result:
        os.kill(os.getpid(), signal.SIGHUP)
        await self.lifecycle.run(Endless()())
        return command(None, exit_status=int(self.lifecycle.errors[0].exit))

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
    clock, told = MachineClock(), list[Path]()
    status = run_to_end(lambda: Waiting(tmp_path), clock, Progress(clock), "en", as_json=True, ended=told.append)
    assert status == Exit.INTERRUPTED == Interrupted.exit
    assert told == [tmp_path]
    printed = capfd.readouterr()
    assert msgspec.json.decode(printed.out, type=Result).exit_status == 130
    assert "Not finished" in printed.err


class Ready:
    """A run that is over. Its disk took nothing."""

    def __init__(self, folder: Path, result: Result) -> None:
        self.folder = folder
        self._result = result

    async def run(self) -> Result:
        return self._result

    def interrupt(self) -> None:
        raise AssertionError("nobody interrupts it")


@pytest.mark.usefixtures("heard")
def test_what_is_printed_is_the_document_and_not_what_the_disk_took(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result, clock = command(None, exit_status=Exit.RUN_BROKEN), MachineClock()
    done = Ready(tmp_path, result)
    assert run_to_end(lambda: done, clock, Progress(clock), "en", as_json=True, ended=lambda _: None) == Exit.RUN_BROKEN
    assert msgspec.json.decode(capfd.readouterr().out, type=Result) == result


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(("own", "all_in_all"), [(Exit.OK, Exit.RUN_BROKEN), (Exit.INTERRUPTED, Exit.INTERRUPTED)])
def test_a_copy_that_cannot_be_written_takes_nothing_from_how_the_run_ended(
    own: Exit, all_in_all: Exit, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copied = ConformanceCommand(junit=tmp_path / "copy.xml").ended  # of a junit.xml that the disk refused
    done, clock = Ready(tmp_path, command(None, exit_status=own)), MachineClock()
    status = run_to_end(lambda: done, clock, Progress(clock), "en", as_json=False, ended=copied)
    said = capfd.readouterr().err
    assert status == all_in_all
    assert said.index("error: the report could not be written: No such file") < said.index("Not finished")
    assert not (tmp_path / "copy.xml").exists()


def test_a_run_is_named_by_when_what_seed_and_process() -> None:
    name = run_identity(MachineClock(), "rollout_week1", 7)
    assert name.endswith(f"Z-rollout_week1-s7-{process_mark()}")
    assert process_mark().startswith(f"{os.getpid():x}-")


class Unseen:
    """A stack that does not come up, and that nobody can look at afterwards."""

    async def up(self) -> None:
        raise StackNotStarted("no PostgreSQL")

    async def down(self) -> None:
        """Nothing is up."""

    def leaks(self) -> list[str]:
        raise PermissionError("/proc")


async def test_a_stack_that_nobody_can_look_at_afterwards_is_a_leak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "stack_for", lambda *_, **__: Unseen())
    monkeypatch.setattr("harness.cli.standing.state.sweep", lambda _: None)
    forgotten: list[str] = []
    monkeypatch.setattr(standing, "remove_run_folder", forgotten.append)
    options = Options(
        rung=EnvironmentKind.LOCAL, target=bundled(), seed=7, reports=tmp_path, replay="again", manifests=LOCAL
    )
    said: list[str] = []
    made = standing.StandingStack(options, MachineClock(), Told(said))
    assert await made.run(lambda _: None) == Exit.INTERNAL
    assert [type(error) for error in made.lifecycle.errors] == [StackNotStarted, RehearsalError]
    assert "LEAK: nobody could look: PermissionError('/proc')" in said and not forgotten


class Undoes:
    """Holds a fault for ever, and takes ``seconds`` to undo it once it is ended."""

    def __init__(self, seconds: float) -> None:
        self.undone: bool | None = None
        self.undoing = asyncio.Event()
        self._seconds = seconds

    async def __call__(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.undone = False
            self.undoing.set()
            await asyncio.sleep(self._seconds)
            self.undone = True


async def interrupted_twice(undoes: Undoes) -> tuple[Lifecycle, list[str]]:
    """A flow under way that is interrupted, and again while it undoes what it did."""
    said: list[str] = []
    made = Lifecycle(Told(said))
    under_way = asyncio.ensure_future(made.run(undoes()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    made.interrupt()
    await undoes.undoing.wait()
    made.interrupt()
    await asyncio.wait_for(under_way, 20)
    return made, said


async def test_a_second_signal_does_not_end_what_the_flow_undoes() -> None:
    undoes = Undoes(0.05)
    made, said = await interrupted_twice(undoes)
    assert undoes.undone is True
    assert [error.exit for error in made.errors] == [Exit.INTERRUPTED]
    assert said == ["interrupted: taking everything down, then writing the report", "already taking everything down"]


async def test_what_hangs_while_it_undoes_is_ended_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "ENDING_LIMIT_S", 0.05)
    undoes = Undoes(3600)
    made, _ = await interrupted_twice(undoes)
    assert undoes.undone is False
    assert [error.exit for error in made.errors] == [Exit.INTERRUPTED]


async def test_a_step_of_the_ending_that_hangs_is_named_and_the_next_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "ENDING_LIMIT_S", 0.05)
    said: list[str] = []
    made, hung, after = Lifecycle(Told(said)), Endless(), asyncio.Event()

    async def down() -> None:
        after.set()

    await made.take_down((), hung.down, down)
    assert after.is_set() and hung.ended
    (error,) = made.errors
    assert error.what == "a step of the ending, Endless.down, did not end within 0.05 s"
    assert error.exit is Exit.INTERNAL
    assert said[-1] == f"{error.what}: going on without it"


async def test_one_that_does_not_end_when_it_is_told_to_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "ENDING_LIMIT_S", 0.05)
    monkeypatch.setattr(lifecycle, "_CANCEL_LIMIT_S", 0.05)
    made, enough = Lifecycle(Told([])), asyncio.Event()

    async def deaf() -> None:
        while not enough.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await enough.wait()

    await made.take_down((), deaf)
    assert len(made.errors) == 1
    enough.set()


async def test_a_second_signal_does_not_end_a_step_of_the_ending() -> None:
    made, ended = Lifecycle(Told([])), asyncio.Event()

    async def down() -> None:
        await asyncio.sleep(0.05)
        ended.set()

    work = asyncio.ensure_future(made.take_down((), down))
    await asyncio.sleep(0.01)
    work.cancel()
    await work
    assert ended.is_set() and made.errors == []


async def test_a_run_that_nobody_interrupted_is_not_told_to_be() -> None:
    """What it waited for was cancelled: a mistake of ours ended in 130 as Ctrl-C does."""
    made, gone = Lifecycle(Told([])), asyncio.get_running_loop().create_future()
    gone.cancel()

    async def flow() -> None:
        await gone

    await made.run(flow())
    (error,) = made.errors
    assert error.exit is Exit.INTERNAL and "was cancelled" in str(error)


async def test_a_run_whose_command_is_cancelled_was_interrupted() -> None:
    """Before its signals are its own, Ctrl-C cancels what runs the command."""
    made = Lifecycle(Told([]))
    command = asyncio.ensure_future(made.run(Endless()()))
    await asyncio.sleep(0)
    command.cancel()
    await asyncio.wait([command])
    assert [error.exit for error in made.errors] == [Exit.INTERRUPTED]
