"""What every command with a stack shares: a name, a folder, a flow that can be interrupted, and its ending."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.base.clock import Clock, MachineClock, utc
from harness.base.errors import Interrupted, RehearsalError, more_severe, of_full_disk
from harness.base.phase import PhaseLine
from harness.base.progress import Progress
from harness.base.shown import with_codes
from harness.base.terminal import ending_signals
from harness.base.virtual import VirtualClock, runner
from harness.model.message import message
from harness.model.stack import EnvironmentKind
from harness.report.language import no_folder

if TYPE_CHECKING:
    from harness.model.result import Result


#: How long a step of the ending may take; the longest, taking a cluster of our own down, has a limit of 240 s itself.
ENDING_LIMIT_S = 600.0
_CANCEL_LIMIT_S = 5.0  # for one that is over its limit to end when it is told so


class RunUnderWay(Protocol):
    """A run under way."""

    folder: Path

    async def run(self) -> Result:
        """Its result, however it ended."""
        ...

    def interrupt(self) -> None:
        """Ends the flow at its next wait; tear down and report follow. Harmless once they have begun."""
        ...


class Teardown(Protocol):
    """What a run has on the machine besides the harness itself: its stack, a database of its own."""

    async def down(self) -> None:
        """Ends it and removes what it made. Idempotent."""
        ...

    def leaks(self) -> list[str]:
        """What is left of it after ``down``."""
        ...


def clock_of(rung: EnvironmentKind) -> Clock:
    """The time that a run on ``rung`` goes by."""
    return VirtualClock() if rung is EnvironmentKind.SIM else MachineClock()


def run_to_end(
    make: Callable[[], RunUnderWay],
    clock: Clock,
    progress: Progress,
    lang: str,
    *,
    as_json: bool,
    ended: Callable[[Path], None],
) -> int:
    """Runs what ``make`` makes to its end in the time of ``clock``, interrupted in an orderly way by signals, and says
    its closing lines; the exit status.

    ``ended`` is told the run's folder: an error of it stands above the closing lines, and its status counts where it is
    the more severe. ``as_json``: the result goes to standard output, itself and not its file, which the disk may have
    refused.
    """
    from harness.report.github import annotated, at
    from harness.report.language import language
    from harness.report.published import RESULT
    from harness.report.terminal import closing_lines

    say = language(lang)

    async def run() -> int:
        work = make()
        progress.say = say
        loop = asyncio.get_running_loop()
        for number in ending_signals():
            loop.add_signal_handler(number, work.interrupt)
        result = await work.run()
        statuses = [result.status]
        lines = [*closing_lines(result, str(work.folder), say, progress.detail)]
        try:
            ended(work.folder)
        except RehearsalError as error:
            statuses.append(error.exit)
            lines.insert(0, PhaseLine(say("error: {error}", error=str(error)), tone="bad"))
        progress.closing(lines if progress.detail == "decision" else [PhaseLine(""), *lines])
        if "GITHUB_ACTIONS" in os.environ:
            lines_of = annotated(result, say, at(result.facts.replay))
            with_codes(sys.stderr).write("".join(f"{line}\n" for line in lines_of))
        if as_json:
            sys.stdout.write(RESULT.encode(result).decode())
        return more_severe(*statuses)

    return runner(clock)(run())


def run_identity(clock: Clock, name: str, seed: int) -> str:
    """A run's id: when, what, which seed, and the process that owns it, so that two runs never meet."""
    from harness.stack.state.processes import process_mark

    stamp = utc(clock.anchor, clock.now_ns())[:19].replace("-", "").replace(":", "")
    return f"{stamp}Z-{name}-s{seed}-{process_mark()}"


def open_folder(reports: Path, run_id: str) -> Path:
    """Makes a run's folder. Raises ``RehearsalError`` when the reports folder refuses."""
    folder = reports / run_id
    try:
        (folder / "logs").mkdir(parents=True)
    except OSError as error:
        raise no_folder(folder, error) from error
    return folder


class Lifecycle:
    """Runs the flow, notes whatever ended it, and runs the steps of the ending, each whatever became of the others."""

    def __init__(self, progress: Progress) -> None:
        self.errors: list[RehearsalError] = []
        self._progress = progress
        self._flow: asyncio.Task[None] | None = None
        self._interrupted = False

    async def run(self, flow: Coroutine[Any, Any, None]) -> None:
        """Returns when ``flow`` has ended, however it did; ``errors`` says how."""
        self._flow = asyncio.ensure_future(flow)
        try:
            await self._flow
        except asyncio.CancelledError as error:
            asked = self._interrupted or ((task := asyncio.current_task()) is not None and task.cancelling())
            interrupted = Interrupted("the run was interrupted", remedy="the evidence so far is in the report")
            self.note(interrupted if asked else RuntimeError(f"what the run waited for was cancelled: {error!r}"))
        except Exception as error:
            self.note(error)

    def interrupt(self) -> None:
        """Ends the flow at its next wait; the ending follows. Harmless once that has begun: a second Ctrl-C ends not
        what the flow undoes on its way out, such as a frozen node. That has ``ENDING_LIMIT_S``, as a step has.
        """
        if self._flow is None or self._flow.done() or self._interrupted:
            self._progress(message("already taking everything down"))
            return
        self._interrupted = True
        self._flow.cancel()  # before anything is told
        self._flow.get_loop().call_later(ENDING_LIMIT_S, self._flow.cancel)
        self._progress(message("interrupted: taking everything down, then writing the report"))

    async def finally_(self, step: Callable[[], Awaitable[None]]) -> None:
        """Runs a step of the ending; what it raises is noted and does not stop the next, nor does one that hangs."""
        task = asyncio.ensure_future(_awaited(step))
        if not await _ended(task, ENDING_LIMIT_S):
            self._gave_up(step)
            task.cancel()
            await _ended(task, _CANCEL_LIMIT_S)
        elif task.cancelled():
            self.note(RehearsalError("a step of the ending was cancelled", remedy="look for what it would have ended"))
        elif isinstance(error := task.exception(), Exception):
            self.note(error)

    def _gave_up(self, step: Callable[[], Awaitable[None]]) -> None:
        limit = f"{ENDING_LIMIT_S:g}"
        what = message("a step of the ending, {step}, did not end within {limit} s", step=_named(step), limit=limit)
        self._progress(message("{what}: going on without it", what=what))
        self.note(
            RehearsalError(what, remedy="look for what it would have ended; the next command sweeps what is left")
        )

    async def take_down(self, held: Sequence[Teardown], *steps: Callable[[], Awaitable[None]]) -> tuple[str, ...]:
        """Runs the steps, then takes down what is held, the last that was held first, each whatever became of the
        others; what is left of it. That it cannot be looked for is a leak like any other."""
        last_first = tuple(reversed(held))
        self._progress.begin(self._progress.say("taking everything down"))
        for step in (*steps, *(part.down for part in last_first)):
            await self.finally_(step)
        leaks: list[str] = []
        for part in last_first:
            try:
                leaks += part.leaks()
            except Exception as error:
                self.note(error)
                leaks.append(f"nobody could look: {error!r}")
        for leak in leaks:
            self._progress(message("LEAK: {what}", what=leak))
        return tuple(leaks)

    def write(self, *steps: Callable[[], object]) -> None:
        """Runs the steps that write a report; a disk that refuses is noted and does not stop the next."""
        for step in steps:
            try:
                step()
            except Exception as error:  # a page that cannot be drawn must not cost the run its result
                self.note(error)

    def note(self, error: Exception) -> None:
        """Keeps an error for the report; one that is no ``RehearsalError``, nor a full disk's, is a mistake of ours."""
        told: Exception = of_full_disk(error) or error
        if not isinstance(told, RehearsalError):
            what = message("internal error: {why}", why=repr(error))
            told = RehearsalError(what, remedy="please keep the report's folder and tell the maintainers")
            told.__cause__ = error
            if error not in [known.__cause__ for known in self.errors]:
                with contextlib.suppress(OSError, ValueError):  # the terminal may be what was lost
                    traceback.print_exception(error)
        if str(told) not in {str(known) for known in self.errors}:  # a reader that is asked twice says it twice
            self.errors.append(told)


async def _awaited(step: Callable[[], Awaitable[None]]) -> None:
    await step()


async def _ended(task: asyncio.Task[None], limit_s: float) -> bool:
    """Whether ``task`` ends within ``limit_s``. A second Ctrl-C must not end what takes a stack down: it waits on."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit_s
    while not task.done() and loop.time() < end:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({task}, timeout=end - loop.time())
    return task.done()


def _named(step: Callable[[], Awaitable[None]]) -> str:
    """The step as its code names it: ``Users.stop``."""
    return str(getattr(step, "__qualname__", step))
