"""Limits by control groups: what the kernel then allows, and that no group stays unseen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.checks.leaks import Traces, leaks
from harness.state import cgroups
from harness.state.cgroups import Group, Limits

RUN = f"cgroups-test-{os.getpid()}"
BURN = (
    "import time\ninput()\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nprint(time.process_time())"
)
GROW = "input()\nkept = bytearray(200 * 2**20)\nprint(len(kept))"

pytestmark = pytest.mark.skipif(
    not cgroups.usable(), reason="control groups (v1, cpu and memory) cannot be made here: the rung enforces no limits"
)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    assert cgroups.remove_of_run(RUN) == []


def _run(code: str, limits: Limits) -> subprocess.CompletedProcess[str]:
    """``code`` in a group of those limits, entered before it goes on."""
    group = Group(RUN, "part", limits)
    command = [sys.executable, "-S", "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        group.add(process.pid)
        out, _ = process.communicate("\n", timeout=60)
    group.remove()
    assert cgroups.of_run(RUN) == []
    return subprocess.CompletedProcess(command, process.returncode, out)


def test_cpu_is_held_to_the_limit() -> None:
    used_s = float(_run(BURN, Limits(cpu_m=200)).stdout)
    assert used_s < 0.45  # 0.2 of a second that was spun through, a period's burst and the start of Python


def test_memory_beyond_the_limit_kills() -> None:
    assert _run(GROW, Limits(memory_bytes=100 * 2**20)).returncode == -signal.SIGKILL
    assert _run(GROW, Limits(memory_bytes=400 * 2**20)).returncode == 0


def test_without_limits_nothing_is_held() -> None:
    assert _run(GROW, Limits()).returncode == 0


def test_a_group_that_stays_is_a_leak_of_its_run_alone(tmp_path: Path) -> None:
    Group(RUN, "pod-1", Limits(cpu_m=500))
    had = Traces(run_id=RUN, folder=tmp_path / "gone", processes=(), ports=(), shared_files_before=frozenset())
    assert len(leaks(had)) == len(cgroups.HIERARCHIES)
    assert cgroups.of_run(RUN[:-1]) == []
    assert cgroups.remove_of_run(RUN) == []
    assert leaks(had) == []


def test_a_process_that_has_ended_is_no_error() -> None:
    group = Group(RUN, "part", Limits(cpu_m=500))
    group.add(2**22 - 1)
    group.remove()


def test_groups_of_a_dead_owner_are_removed_and_a_live_one_s_stay() -> None:
    code = f"from harness.state.cgroups import Group, Limits; Group({RUN!r}, 'dead', Limits(cpu_m=500))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    Group(RUN, "alive", Limits(cpu_m=500))
    assert len(cgroups.of_run(RUN)) == 2 * len(cgroups.HIERARCHIES)
    assert len([path for path in cgroups.remove_ownerless() if RUN in path.name]) == len(cgroups.HIERARCHIES)
    assert {path.name.partition(":")[2] for path in cgroups.of_run(RUN)} == {"alive"}
