"""CPU and memory limits of a pod's container by control groups, where this process may make them.

Only cgroup v1 is used, with a writable ``cpu`` and ``memory`` hierarchy; elsewhere ``usable`` says no and limits stay
unenforced. A run's groups are ``<hierarchy>/tekutoko.<run id>:<part>``, so that they are found after a killed run. They
are not nested in one of the run: that one would compete with PostgreSQL and the load as if all pods were one process.
For the same reason requests set no shares here; they are what the HPA divides by.
"""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path

import msgspec

ROOT = Path("/sys/fs/cgroup")
HIERARCHIES = ("cpu", "memory")
PERIOD_US = 100_000  # the kubelet's ``cpuCFSQuotaPeriod``


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a container may use: millicores and bytes; ``None`` sets no limit."""

    cpu_m: int | None = None
    memory_bytes: int | None = None


class Group:
    """The control group of one container; its processes' children stay in it."""

    def __init__(self, run_id: str, part: str, limits: Limits) -> None:
        self._folders = {hierarchy: ROOT / hierarchy / f"{_prefix(run_id)}{part}" for hierarchy in HIERARCHIES}
        for folder in self._folders.values():
            folder.mkdir(exist_ok=True)
        cpu, memory = self._folders["cpu"], self._folders["memory"]
        if limits.cpu_m is not None:
            (cpu / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (cpu / "cpu.cfs_quota_us").write_text(str(limits.cpu_m * PERIOD_US // 1000))
        if limits.memory_bytes is not None:
            (memory / "memory.limit_in_bytes").write_text(str(limits.memory_bytes))

    def add(self, pid: int) -> None:
        """Puts a process that just began into the group; one that has ended already is nobody's loss."""
        for folder in self._folders.values():
            with contextlib.suppress(ProcessLookupError):
                (folder / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        """Once its processes have ended; one that is still in it leaves it to be found by the leak check."""
        for folder in self._folders.values():
            _remove(folder)


@functools.cache
def usable() -> bool:
    """Whether groups with limits can be made and entered here, tried once."""
    try:
        probe = Group(f"probe-{os.getpid()}", "probe", Limits(cpu_m=1000, memory_bytes=2**30))
    except OSError:
        return False
    probe.remove()
    return not remove_of_run(f"probe-{os.getpid()}")


def of_run(run_id: str) -> list[Path]:
    """The groups of a run that are there."""
    folders = [ROOT / hierarchy for hierarchy in HIERARCHIES]
    return [path for folder in folders if folder.is_dir() for path in sorted(folder.glob(f"{_prefix(run_id)}*"))]


def remove_of_run(run_id: str) -> list[Path]:
    """Removes a run's groups; those that could not be removed."""
    for folder in of_run(run_id):
        _remove(folder)
    return of_run(run_id)


def _prefix(run_id: str) -> str:
    return f"tekutoko.{run_id}:"  # a run id has no colon


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):  # busy, or gone
        folder.rmdir()
