"""What Ctrl-C ends: the tests under way as pytest ends them, and then every program that they have left under way.

A terminal sends Ctrl-C to all processes of its group. Each worker of pytest-xdist is given the time to tear down what its
tests share (a stack, the cluster), which pytest-xdist alone would cut off after 15 s. A program that a test has started in
a session of its own hears nothing of Ctrl-C, and one that was killed beside its test cannot tear its stack down: both
carry the mark of the session of tests in their environment, are ended by it, and their runs' remains are swept.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import uuid
from types import FrameType
from typing import Any

import psutil
import pytest

from harness.stack.state.processes import marked
from tests.session import homes

SESSION = "TEKUTOKO_TEST_SESSION"
ENDS_BY_ITSELF_S = 2.0  # within it, whoever heard Ctrl-C has begun to end
WORKERS_END_S = 120.0  # a worker may have the cluster to delete
PROGRAMS_END_S = 60.0  # each takes its stack down
KILLED_WITHIN_S = 5.0
SESSION_ENDS_S = ENDS_BY_ITSELF_S + WORKERS_END_S + PROGRAMS_END_S + 30


def only_once() -> None:
    """Neither Ctrl-C again nor a closed terminal breaks off what Ctrl-C has begun to end; programs started from now on
    hear both.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda number, frame: None)


def hear_once() -> None:
    """From now on, Ctrl-C interrupts what is under way, and then nothing any more. ``asyncio.run`` has a rule of its own
    only where Python's is in force: it would be cut short by the second signal, that of a caller who passes Ctrl-C on.
    A shell's job in the background is begun with Ctrl-C ignored, and so would be each program that a test starts.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        only_once()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)


class Ending:
    """A plugin of the process that was started by hand or by ``push``, none of its workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.mark = uuid.uuid4().hex
        os.environ[SESSION] = self.mark  # inherited by workers, and by the programs that tests start
        self._nodes: list[Any] = []  # xdist.workermanage.WorkerController
        self._interrupted = False

    def pytest_testnodeready(self, node: Any) -> None:
        """A worker is there."""
        self._nodes.append(node)

    def pytest_keyboard_interrupt(self) -> None:
        """Waits for the workers, which end as a whole session does."""
        self._interrupted = True
        self._tell(f"Ctrl-C: what the tests share is torn down, for {WORKERS_END_S:g} s at most")
        if not self._ended(ENDS_BY_ITSELF_S):  # Ctrl-C was told to this process alone, or the end takes time
            for worker in psutil.Process().children():
                worker.send_signal(signal.SIGINT)
            self._ended(WORKERS_END_S)

    def _tell(self, line: str) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            self._config.get_terminal_writer().line(f"\n{line}", flush=True)

    def _ended(self, limit_s: float) -> bool:
        """Whether the last worker's session has ended within ``limit_s``."""
        until = time.monotonic() + limit_s
        for node in self._nodes:
            try:
                node.channel.waitclose(max(0.01, until - time.monotonic()))
            except node.channel.TimeoutError:
                return False
            except (EOFError, node.channel.RemoteError):
                continue  # it is gone
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Ends, after Ctrl-C, what the tests have left, when the last worker is gone."""
        if self._interrupted:
            self._tell(f"what the tests have left under way is ended, within {PROGRAMS_END_S:g} s")
            end_programs(self.mark)
            homes.sweep_all()


def end_programs(mark: str, limit_s: float = PROGRAMS_END_S) -> None:
    """Ends the programs whose environment has the mark of this session: as Ctrl-C does, and after ``limit_s`` at once."""
    programs = {process.pid: process for process, _ in marked(SESSION, [mark])}
    for process in programs.values():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.ppid() not in programs:  # it ends its own
                process.send_signal(signal.SIGINT)
    psutil.wait_procs(programs.values(), timeout=limit_s)
    left = [process for process, _ in marked(SESSION, [mark])]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=KILLED_WITHIN_S)


def waited_for(command: list[str], **options: Any) -> int:
    """Runs a session of tests; its exit status. Ctrl-C is the session's to end by, and its end is awaited."""
    process = subprocess.Popen(command, **options)
    try:
        return process.wait()
    except KeyboardInterrupt:
        only_once()
        try:
            process.wait(ENDS_BY_ITSELF_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # told to this process alone; else nothing is new to it
        process.wait(SESSION_ENDS_S)
        raise
