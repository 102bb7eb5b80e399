"""A session of nox that is told to end: the program that it has started ends in order too."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.base.data import ROOT

pytestmark = pytest.mark.process
LIMIT_S = 60.0
#: The real noxfile's ``run``, with a program of the test in the place of pytest.
NOXFILE = """
import pathlib, sys
import noxfile
from harness.base import bootstrap

bootstrap.ensure = lambda _level, _log: pathlib.Path(sys.executable)
noxfile.nox.registry._REGISTRY.clear()

@noxfile.nox.session
def waits(session):
    noxfile.run(session, "-c", pathlib.Path("waits.py").read_text())
"""
WAITS = """
import pathlib, time
try:
    pathlib.Path("up").touch()
    time.sleep(300)
except KeyboardInterrupt:
    time.sleep(0.5)
    pathlib.Path("torn_down").touch()
    raise
"""


@pytest.mark.parametrize(
    ("number", "ignored"), [(signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGINT, True)]
)
def test_nox_told_to_end_leaves_no_program(tmp_path: Path, number: signal.Signals, ignored: bool) -> None:
    """SIGTERM is told to nox alone, and Ctrl-C to its group, by the terminal; a script's background ignores Ctrl-C."""
    (tmp_path / "noxfile_of_test.py").write_text(NOXFILE)
    (tmp_path / "waits.py").write_text(WAITS)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        nox = subprocess.Popen(
            [sys.executable, "-m", "nox", "-f", "noxfile_of_test.py", "-s", "waits"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        until = time.monotonic() + LIMIT_S
        while not (tmp_path / "up").exists():
            assert nox.poll() is None and time.monotonic() < until
            time.sleep(0.05)
        (program,) = psutil.Process(nox.pid).children()
        if number is signal.SIGINT:
            os.killpg(nox.pid, number)
        else:
            nox.send_signal(number)
        assert nox.wait(LIMIT_S) != 0
        assert (tmp_path / "torn_down").exists() and not program.is_running()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(nox.pid, signal.SIGKILL)
