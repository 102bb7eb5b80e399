"""A command whose terminal, pipe or disk goes away: it ends as on Ctrl-C, or not at all, and always in order."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base import terminal
from harness.base.clock import MachineClock
from harness.base.errors import Exit
from harness.base.progress import Progress

pytestmark = pytest.mark.process
ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 30
LOST = ("run", "keep")


def command(verb: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "tests.ending_job", verb, str(folder)]


def started(verb: str, folder: Path, **streams: object) -> subprocess.Popen[bytes]:
    """The job, once it has something to take down."""
    home = {**os.environ, "TEKUTOKO_REHEARSAL_HOME": str(folder / "home")}
    job = subprocess.Popen(command(verb, folder), cwd=ROOT, env=home, restore_signals=True, **streams)  # type: ignore[call-overload]
    until = time.monotonic() + LIMIT_S
    while not (folder / "up").exists():
        assert job.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    return job  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Also where the session was begun by nohup: a child has SIGHUP as its parent."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("verb", LOST)
def test_a_closed_terminal_ends_in_order(tmp_path: Path, verb: str) -> None:
    ours, its = pty.openpty()
    job = started(verb, tmp_path, stdin=its, stdout=its, stderr=its)
    os.close(its)
    time.sleep(0.1)
    os.close(ours)  # SIGHUP by the kernel, and every write fails with EIO from now on
    assert job.wait(LIMIT_S) == Exit.INTERRUPTED
    assert (tmp_path / "torn_down").exists()


@pytest.mark.parametrize("verb", LOST)
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_hang_up_that_comes_twice_ends_in_order(tmp_path: Path, verb: str, number: signal.Signals) -> None:
    job = started(verb, tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    job.send_signal(number)
    time.sleep(0.05)
    job.send_signal(number)  # the shell's, after the kernel's
    assert job.wait(LIMIT_S) == Exit.INTERRUPTED
    assert (tmp_path / "torn_down").exists()


def test_what_nohup_began_is_not_hung_up(tmp_path: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    job = started("run", tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    job.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert job.poll() is None
    (tmp_path / "finish").touch()
    assert job.wait(LIMIT_S) == Exit.OK


@pytest.mark.parametrize("verb", LOST)
def test_what_was_begun_with_ctrl_c_ignored_is_ended_by_it(tmp_path: Path, verb: str) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        job = started(verb, tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    finally:
        signal.signal(signal.SIGINT, before)
    job.send_signal(signal.SIGINT)
    try:
        assert job.wait(10) == Exit.INTERRUPTED
    finally:
        job.kill()
    assert (tmp_path / "torn_down").exists()


@pytest.mark.parametrize("verb", LOST)
def test_standard_error_that_nobody_reads_holds_nothing_up(tmp_path: Path, verb: str) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    job = started(verb, tmp_path, stdout=subprocess.DEVNULL, stderr=writer)
    os.close(writer)
    try:
        time.sleep(0.5)  # it has said more by now than the pipe holds
        (tmp_path / "finish").touch()
        job.wait(10)
        assert (tmp_path / "torn_down").exists()
    finally:
        job.kill()
        os.close(reader)


def broken_pipe() -> int:
    """The writing end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("which", ["stderr", "stdout", "both"])
def test_a_closed_pipe_ends_nothing(tmp_path: Path, which: str) -> None:
    writer = broken_pipe()
    streams = {name: writer if which in (name, "both") else subprocess.DEVNULL for name in ("stdout", "stderr")}
    job = started("run", tmp_path, **streams)
    os.close(writer)
    time.sleep(0.2)
    (tmp_path / "finish").touch()
    assert job.wait(LIMIT_S) == Exit.OK
    assert (tmp_path / "torn_down").exists()


@pytest.mark.parametrize("verb", LOST)
@pytest.mark.parametrize("interrupted", [False, True])
def test_a_full_disk_under_standard_error_ends_nothing(tmp_path: Path, verb: str, interrupted: bool) -> None:
    with Path("/dev/full").open("wb") as full:
        job = started(verb, tmp_path, stdout=subprocess.DEVNULL, stderr=full)
    time.sleep(0.2)
    if interrupted:
        job.send_signal(signal.SIGINT)
    else:
        (tmp_path / "finish").touch()
    assert job.wait(LIMIT_S) == (Exit.INTERRUPTED if interrupted else Exit.OK)
    assert (tmp_path / "torn_down").exists()


def test_a_full_disk_under_standard_output_is_told_and_is_in_the_status(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        job = started("run", tmp_path, stdout=full, stderr=subprocess.PIPE)
    (tmp_path / "finish").touch()
    _, said = job.communicate(timeout=LIMIT_S)
    assert job.returncode == Exit.RUN_BROKEN
    assert "standard output could not be written: No space left on device" in said.decode()
    assert (tmp_path / "torn_down").exists()


def test_closed_descriptors_are_no_place_for_the_next_file(tmp_path: Path) -> None:
    (tmp_path / "finish").touch()
    shell = f"{' '.join(command('run', tmp_path))} >&- 2>&- <&-"
    assert subprocess.run(["/bin/sh", "-c", shell], cwd=ROOT, check=False, timeout=LIMIT_S).returncode == Exit.OK
    assert (tmp_path / "document.json").read_text() == '{"exit_status": 0}\n'


@pytest.mark.parametrize(("into", "status"), [("/dev/full", Exit.RUN_BROKEN), ("pipe", Exit.OK)])
def test_a_command_without_a_run_is_held_to_the_same(into: str, status: Exit) -> None:
    writer = broken_pipe() if into == "pipe" else os.open(into, os.O_WRONLY)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "harness", "stack", "status", "--json"],
            cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=60,
            env={**os.environ, "TEKUTOKO_REHEARSAL_HOME": "/nonexistent/home"},
        )  # fmt: skip
    finally:
        os.close(writer)
    assert done.returncode == status, done.stderr


def test_progress_is_written_again_once_the_disk_has_space() -> None:
    class Full:
        full, said = True, ""

        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> int:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.said += text
            return len(text)

        def flush(self) -> None:
            return None

    stream = Full()
    progress = Progress(MachineClock(), stream)  # type: ignore[arg-type]
    progress.plain("lost")
    stream.full = False
    progress.plain("seen")
    assert stream.said == "seen\n"


def test_a_stream_takes_what_its_encoding_lacks(tmp_path: Path) -> None:
    with (tmp_path / "said").open("w", encoding="ascii") as file:
        stream = terminal.forgiving(file.fileno(), file, by_line=True)
        stream.write("散歩\n")
        stream.flush()
    assert (tmp_path / "said").read_text() == "\\u6563\\u6b69\n"
