"""A command with something to take down, for tests that take its terminal, its pipe or its disk away.

``python -m tests.ending_job run|keep FOLDER``: ``run`` carries a run to its end as every command with a report does,
``keep`` is ``stack keep`` with a cluster that never comes up. Both write ``FOLDER/up``, say much, and write
``FOLDER/torn_down`` when they have taken down. With ``FOLDER/finish`` there, they end by themselves.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import termios
from pathlib import Path

from harness.base import terminal
from harness.base.clock import Clock, MachineClock
from harness.base.errors import Exit, more_severe
from harness.base.progress import Progress
from harness.cli import main as cli
from harness.model.result import Result
from harness.run.lifecycle import Lifecycle, run_to_end
from harness.stack.environments import choice as rungs
from harness.stack.kind import keeper
from tests.report.results import command


class Run:
    """Waits in its flow, talking; then tears down and writes its document, as ``harness.run.runner.Runner`` does."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder = folder
        self.progress = progress
        self.lifecycle = Lifecycle(progress)

    async def run(self) -> Result:
        await self.lifecycle.run(wait(self.folder, self.progress))
        await self.lifecycle.take_down((), self.tear_down)
        status = more_severe(*(error.exit for error in self.lifecycle.errors))
        (self.folder / "document.json").write_text(f'{{"exit_status": {int(status)}}}\n')
        return command(None, exit_status=int(status))

    async def tear_down(self) -> None:
        self.progress("tearing down")
        await asyncio.sleep(0.2)  # as long as a second signal needs to come
        (self.folder / "torn_down").touch()

    def interrupt(self) -> None:
        self.lifecycle.interrupt()


async def never_up(folder: Path, clock: Clock) -> None:
    """In place of a cluster's start."""
    try:
        await wait(folder, Progress(clock))
    finally:
        await asyncio.sleep(0.2)
        (folder / "torn_down").touch()


async def wait(folder: Path, progress: Progress) -> None:
    """Until ``folder/finish`` is there."""
    (folder / "up").touch()
    while not (folder / "finish").exists():
        progress.live("still here")
        progress.plain("and more " * 20)
        await asyncio.sleep(0.01)


def main(verb: str, folder: Path) -> int:
    terminal.install()
    if os.isatty(0):
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if verb == "keep":
        setattr(rungs, "provide", lambda _: None)  # noqa: B010 - two functions replaced
        setattr(keeper, "keep_for_runs", lambda clock, _: never_up(folder, clock))  # noqa: B010
        return cli.main(["stack", "keep"])
    clock = MachineClock()
    progress = Progress(clock)

    def much(_: Path) -> None:
        progress.plain("the closing lines " * 1000)

    status = run_to_end(lambda: Run(folder, progress), clock, progress, "en", as_json=True, ended=much)
    assert status in set(Exit)
    return status


if __name__ == "__main__":
    sys.exit(cli.with_output(main(sys.argv[1], Path(sys.argv[2]))))
