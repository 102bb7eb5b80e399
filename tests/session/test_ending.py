"""Ctrl-C of a session of tests: what its workers share is torn down, and no program that a test has started stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from harness.base.home import ENVIRONMENT_VARIABLE
from tests.session.ending import SESSION, end_programs, waited_for

pytestmark = pytest.mark.process

LIMIT_S = 60.0
CONFTEST = """
from tests.session import ending

def pytest_configure(config):
    ending.hear_once()
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(ending.Ending(config))
"""
#: One tears down more slowly than pytest-xdist's workers are given to begin to end; the other's program hears no Ctrl-C.
TESTS = """
import asyncio, pathlib, subprocess, sys, time, pytest

PROGRAM = '''
import pathlib, signal, time
try:
    pathlib.Path("begun").touch()
    time.sleep(300)
except KeyboardInterrupt:
    time.sleep(1)
    pathlib.Path("program").touch()
'''

@pytest.fixture
def shared():
    yield
    time.sleep(3)
    pathlib.Path("fixture").touch()

async def waits():
    try:
        pathlib.Path("there").touch()
        await asyncio.sleep(300)
    finally:
        await asyncio.sleep(3)
        pathlib.Path("task").touch()

def test_with_a_fixture(shared):
    asyncio.run(waits())

def test_with_a_program():
    subprocess.Popen([sys.executable, "-c", PROGRAM], start_new_session=True).wait()
"""


def appears(*files: Path) -> None:
    until = time.monotonic() + LIMIT_S
    while not all(file.exists() for file in files):
        assert time.monotonic() < until, f"none of {files}"
        time.sleep(0.05)


@pytest.fixture
def session(tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    """Starts a session of these two tests, and returns when both are under way."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_two.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {ENVIRONMENT_VARIABLE: str(tmp_path / "home"), "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"]

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        appears(tmp_path / "begun", tmp_path / "there")
        return process

    return start


@pytest.mark.parametrize("hears", ["the first alone", "all of the group, and again"])
def test_ctrl_c_ends_workers_and_programs_in_order(
    tmp_path: Path, session: Callable[[], subprocess.Popen[str]], hears: str
) -> None:
    process = session()
    of_it = psutil.Process(process.pid).children(recursive=True)
    assert len(of_it) == 3, "two workers and a program"
    if hears == "the first alone":
        process.send_signal(signal.SIGINT)
    else:
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(1)
        for number in (signal.SIGINT, signal.SIGHUP):
            os.killpg(process.pid, number)
    told, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, told
    assert "Ctrl-C: what the tests share is torn down" in told
    assert [name for name in ("task", "fixture", "program") if not (tmp_path / name).exists()] == [], told
    assert not [each for each in of_it if each.is_running()]


def test_a_program_is_ended_as_by_ctrl_c_and_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    ends = "import time\ntry:\n print(flush=True); time.sleep(60)\nexcept KeyboardInterrupt: print('ended')"
    stays = "import signal, time\nsignal.signal(2, lambda *_: None)\nprint(flush=True)\ntime.sleep(60)"
    started = [
        subprocess.Popen([sys.executable, "-c", text], env={**os.environ, SESSION: mark}, stdout=subprocess.PIPE)
        for text, mark in [(ends, "ours"), (stays, "ours"), (stays, "another's")]
    ]
    try:
        for each in started:
            assert each.stdout is not None
            each.stdout.readline()
        end_programs("ours", limit_s=2.0)
        assert [psutil.pid_exists(each.pid) for each in started] == [False, False, True]
        assert started[0].communicate(timeout=5)[0].split() == [b"ended"]
    finally:
        for each in started:
            each.kill()
            each.communicate()


def test_the_session_is_waited_for_and_its_interruption_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What runs it is interrupted too; a session that heard nothing is told."""
    text = f"""
import os, pathlib, signal, threading, time
threading.Timer(0.5, os.kill, (os.getppid(), signal.SIGINT)).start()
try:
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(3)
    pathlib.Path({str(tmp_path / "ended")!r}).touch()
"""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)}
    try:
        with pytest.raises(KeyboardInterrupt):
            waited_for([sys.executable, "-c", text])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert (tmp_path / "ended").exists()
