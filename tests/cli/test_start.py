"""What a start costs: the CPU of each help, and how soon a run says its first line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.base.data import ROOT
from harness.cli.main import ALL
from harness.run.registry import COMMANDS
from tests.cli.test_commands import begun

pytestmark = [pytest.mark.process, pytest.mark.alone, pytest.mark.nightly]

HELP_CPU_S = 0.3
FIRST_LINE_S = 1.0
#: Of so many tries the least counts: what else the machine does only adds.
TRIES = 5


def cpu_s(*words: str) -> float:
    """CPU of user and kernel that ``python -m harness`` takes with these words, as the kernel counts it."""
    command = [sys.executable, "-m", "harness", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("name", ["", *ALL])
def test_a_help_takes_less_than_0_3_s_of_cpu(name: str) -> None:
    took: list[float] = []
    while len(took) < TRIES and min(took, default=1.0) >= HELP_CPU_S:
        took.append(cpu_s(*name.split(), "--help"))
    assert min(took) < HELP_CPU_S, took


@pytest.mark.parametrize("words", [*map(begun, COMMANDS), ["run", "rollout_week3", "--on", "sim"]], ids=" ".join)
def test_the_first_line_of_a_run_comes_within_a_second(words: list[str], tmp_path: Path) -> None:
    took: list[float] = []
    while len(took) < TRIES and min(took, default=9.0) >= FIRST_LINE_S:
        command = [sys.executable, "-m", "harness", *words, "--reports", str(tmp_path)]
        began_s = time.monotonic()
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            first = process.stderr.readline()
            took.append(time.monotonic() - began_s)
            process.terminate()
            process.stderr.read()
        assert first.rstrip().endswith("· seed 1")
    assert min(took) < FIRST_LINE_S, took
