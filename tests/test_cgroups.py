"""Limits by control groups: what the kernel then allows, and that no group stays unseen."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.stack.state import processes
from harness.stack.state.leaks import Traces, leaks
from harness.stack.state.processes import Group, Limits, process_mark
from tests.session.needs import needs_limits

RUN = f"cgroups-test-{os.getpid()}"
BURN = (
    "import time\ninput()\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nprint(time.process_time())"
)
GROW = "input()\nkept = bytearray(200 * 2**20)\nprint(len(kept))"


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    assert processes.remove_of_run(RUN) == []


def _run(code: str, limits: Limits) -> subprocess.CompletedProcess[str]:
    """``code`` in a group of those limits, entered before it goes on."""
    group = Group(RUN, "part", limits)
    command = [sys.executable, "-S", "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        group.add(process.pid)
        out, _ = process.communicate("\n", timeout=60)
    group.remove()
    assert processes.of_run(RUN) == []
    return subprocess.CompletedProcess(command, process.returncode, out)


@pytest.mark.process
@needs_limits
def test_cpu_is_held_to_the_limit() -> None:
    # 0.2 of a second that was spun through, a period's burst and the start of Python. Where the machine stands still
    # amid it, the kernel counts that as the program's.
    assert any(float(_run(BURN, Limits(cpu_m=200)).stdout) < 0.45 for _ in range(3))


@pytest.mark.process
@needs_limits
def test_memory_beyond_the_limit_kills() -> None:
    assert _run(GROW, Limits(memory_bytes=100 * 2**20)).returncode == -signal.SIGKILL
    assert _run(GROW, Limits(memory_bytes=400 * 2**20)).returncode == 0


@pytest.mark.process
@needs_limits
def test_without_limits_nothing_is_held() -> None:
    assert _run(GROW, Limits()).returncode == 0


@needs_limits
def test_a_group_that_stays_is_a_leak_of_its_run_alone(tmp_path: Path) -> None:
    Group(RUN, "pod-1", Limits(cpu_m=500))
    had = Traces(run_id=RUN, folder=tmp_path / "gone", processes=(), ports=(), shared_files_before=frozenset())
    assert len(leaks(had)) == len(processes.hierarchies())
    assert processes.of_run(RUN[:-1]) == []
    assert processes.remove_of_run(RUN) == []
    assert leaks(had) == []


@needs_limits
def test_a_process_that_has_ended_is_no_error() -> None:
    group = Group(RUN, "part", Limits(cpu_m=500))
    group.add(2**22 - 1)
    group.remove()


@pytest.mark.process
@needs_limits
def test_groups_of_a_dead_owner_are_removed_and_a_live_one_s_stay() -> None:
    """Any other command of the machine may remove them first."""
    code = f"from harness.stack.state.processes import Group, Limits; Group({RUN!r}, 'dead', Limits(cpu_m=500))"
    owner = subprocess.Popen(
        [sys.executable, "-c", f"{code}; print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdin is not None and owner.stdout is not None and owner.stdout.readline() == b"\n"
    Group(RUN, "alive", Limits(cpu_m=500))
    assert len(processes.of_run(RUN)) == 2 * len(processes.hierarchies())
    owner.communicate(b"\n", timeout=60)
    processes.remove_ownerless()
    assert {path.name.partition(":")[2] for path in processes.of_run(RUN)} == {"alive"}


# -- cgroup v2, on a tree made by hand: what is written where ---------------------------------------------------------


@pytest.fixture
def v2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As a systemd host has it. The kernel's files go with their group; here they are removed first."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("memory pids\n")
    monkeypatch.setattr(processes, "ROOT", tmp_path)
    monkeypatch.setattr(processes, "_remove", shutil.rmtree)
    return tmp_path


def usable() -> bool:
    """Tried anew."""
    return processes.usable.__wrapped__()


def test_v2_has_one_group_with_both_limits(v2: Path) -> None:
    group = Group(RUN, "pod.0", Limits(cpu_m=250, memory_bytes=2**28))
    group.add(4711)
    (folder,) = processes.of_run(RUN)
    assert folder == v2 / f"tekutoko.{process_mark()}.{RUN}:pod.0"
    written = {path.name: path.read_text() for path in folder.iterdir()}
    assert written == {"cpu.max": "25000 100000", "memory.max": str(2**28), "cgroup.procs": "4711"}
    group.remove()
    assert processes.of_run(RUN) == []


def test_v2_s_memory_limit_is_no_invitation_to_swap(v2: Path) -> None:
    folder = v2 / f"tekutoko.{process_mark()}.{RUN}:pod.0"
    folder.mkdir()
    (folder / "memory.swap.max").write_text("max")
    Group(RUN, "pod.0", Limits(cpu_m=250))
    assert (folder / "memory.swap.max").read_text() == "max"
    Group(RUN, "pod.0", Limits(memory_bytes=2**28))
    assert (folder / "memory.swap.max").read_text() == "0"
    assert processes.remove_of_run(RUN) == []


@pytest.mark.parametrize(("cpu_m", "quota_us"), [(1, 1000), (9, 1000), (10, 1000), (11, 1100)])
def test_a_quota_is_never_below_what_the_kernel_takes(
    v2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpu_m: int, quota_us: int
) -> None:
    Group(RUN, "pod.0", Limits(cpu_m=cpu_m))
    (folder,) = processes.of_run(RUN)
    assert (folder / "cpu.max").read_text() == f"{quota_us} 100000"
    v1 = tmp_path / "v1"
    for controller in processes.CONTROLLERS:
        (v1 / controller).mkdir(parents=True)
    monkeypatch.setattr(processes, "ROOT", v1)
    Group(RUN, "pod.0", Limits(cpu_m=cpu_m))
    folder, _ = processes.of_run(RUN)
    assert (folder / "cpu.cfs_quota_us").read_text() == str(quota_us)
    assert processes.remove_of_run(RUN) == []


@needs_limits
def test_the_smallest_limit_is_taken_by_the_kernel_of_this_machine() -> None:
    Group(RUN, "part", Limits(cpu_m=1)).remove()


def test_no_millicores_are_no_limit(v2: Path) -> None:
    Group(RUN, "pod.0", Limits(cpu_m=0))
    assert [list(folder.iterdir()) for folder in processes.of_run(RUN)] == [[]]
    assert processes.remove_of_run(RUN) == []


def test_v2_without_a_limit_writes_none(v2: Path) -> None:
    Group(RUN, "pod.0", Limits())
    assert [list(folder.iterdir()) for folder in processes.of_run(RUN)] == [[]]
    assert processes.remove_of_run(RUN) == []


@pytest.mark.process
def test_v2_passes_on_only_the_controllers_that_lack(v2: Path) -> None:
    assert usable()
    control = v2 / "cgroup.subtree_control"
    assert control.read_text() == "+cpu"
    control.write_text("cpu memory\n")
    assert usable()
    assert control.read_text() == "cpu memory\n"
    assert list(v2.glob("tekutoko.*")) == []


@pytest.mark.process
@pytest.mark.parametrize("refused", ["cgroup.subtree_control", "cpu.max", "memory.max", "cgroup.procs"])
def test_v2_that_refuses_a_file_enforces_nothing_and_keeps_no_group(
    v2: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    written = Path.write_text

    def write(path: Path, text: str) -> int:
        if path.name == refused:
            raise PermissionError(refused)
        return written(path, text)

    monkeypatch.setattr(Path, "write_text", write)
    assert not usable()
    assert list(v2.glob("tekutoko.*")) == []


def test_v2_beside_v1_s_hierarchies_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unified").mkdir()
    (tmp_path / "unified" / "cgroup.controllers").write_text("")
    monkeypatch.setattr(processes, "ROOT", tmp_path)
    assert processes.hierarchies() == (tmp_path / "cpu", tmp_path / "memory")
