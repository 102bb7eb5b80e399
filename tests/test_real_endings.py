"""Whole runs whose terminal or disk goes away, and pairs of whole runs in two containers: the long doubles of
``test_terminal.py`` and ``test_ownership.py``, for the night."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import Exit
from harness.base.home import runs_folder
from tests.session.needs import IN_A_SPACE, needs_spaces
from tests.test_ownership import marked_processes

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.nightly, pytest.mark.timeout(400, func_only=True)]
ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 180
PAIRS = int(os.environ.get("ENDING_PAIRS", "20"))
JUDGED = {Exit.OK, Exit.HOLD}  # five seconds prove nothing; that they were judged is what is looked for


def command(reports: Path, window: str) -> list[str]:
    words = ["run", "rollout_week1", "--on", "local", "--window", window, "--reports", str(reports)]
    return [sys.executable, "-m", "harness", *words]


def documents(reports: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(reports.glob("2*/result.json"))]


def nothing_left(document: dict[str, Any]) -> bool:
    run_id = document["run_id"]
    return (
        document["facts"].get("leaks", []) == []
        and marked_processes(run_id) == []
        and not (runs_folder() / run_id).exists()
    )


class Terminal:
    """A terminal with one run in it; what it shows is read as it comes."""

    def __init__(self, words: list[str]) -> None:
        self._ours, its = pty.openpty()
        self.text = ""
        begin = "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        begin += "os.execv(sys.argv[1], sys.argv[1:])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", begin, *words], cwd=ROOT, stdin=its, stdout=its, stderr=its
        )
        os.close(its)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while shown := os.read(self._ours, 4096):
                self.text += shown.decode(errors="replace")
        except OSError:
            return

    def wait_for(self, words: str) -> None:
        until = time.monotonic() + LIMIT_S
        while words not in self.text:
            assert self.process.poll() is None and time.monotonic() < until, self.text
            time.sleep(0.05)

    def close(self) -> None:
        """As when an SSH connection is lost."""
        os.close(self._ours)


@pytest.mark.parametrize("phase", ["bringing the stack up", "measuring for"])
def test_a_run_whose_terminal_is_closed_takes_everything_down(tmp_path: Path, phase: str) -> None:
    terminal = Terminal(command(tmp_path / "reports", "60s"))
    terminal.wait_for(phase)
    time.sleep(1)
    terminal.close()
    assert terminal.process.wait(LIMIT_S) == Exit.INTERRUPTED
    (document,) = documents(tmp_path / "reports")
    assert document["exit_status"] == Exit.INTERRUPTED and "interrupted" in str(document["facts"]["errors"][0])
    assert nothing_left(document)


def test_a_run_with_a_full_disk_under_its_standard_error_is_judged(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run(
            command(tmp_path / "reports", "5s"), cwd=ROOT, stderr=full, stdout=full, check=False, timeout=LIMIT_S
        )
    (document,) = documents(tmp_path / "reports")
    assert document["exit_status"] == run.returncode and run.returncode in JUDGED
    assert nothing_left(document)


@needs_spaces
@pytest.mark.parametrize("number", range(PAIRS))
def test_pairs_of_runs_in_two_containers_do_each_other_no_harm(tmp_path: Path, number: int) -> None:
    """On one folder of state and one Docker engine. ``ENDING_PAIRS`` sets how many."""
    folders = [tmp_path / f"reports-{side}" for side in "ab"]
    both = [
        subprocess.Popen(
            [*IN_A_SPACE, *command(folder, "5s")],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for folder in folders
    ]  # fmt: skip
    said = [process.communicate(timeout=2 * LIMIT_S)[1] for process in both]
    for process, folder, text in zip(both, folders, said, strict=True):
        assert process.returncode in JUDGED, text
        assert "left by a killed run" not in text
        (document,) = documents(folder)
        assert document["facts"].get("errors", []) == [] and nothing_left(document)
