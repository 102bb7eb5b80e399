"""CPU and memory limits of a pod's container by control groups, where this process may make them.

Only cgroup v1 is used, with a writable ``cpu`` and ``memory`` hierarchy; elsewhere ``usable`` says no and limits stay
unenforced. A run's groups are ``<hierarchy>/tekutoko.<owner's pid>.<run id>:<part>``, so that they are found after a
killed run, even when its folder is gone. They are not nested in one of the run: that one would compete with PostgreSQL
and the load as if all pods were one process. For the same reason requests set no shares here; they are what the HPA
divides by.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

ROOT = Path("/sys/fs/cgroup")
HIERARCHIES = ("cpu", "memory")
_NAME = re.compile(r"tekutoko\.(\d+)\.([^:]+):")  # a run id has no colon
PERIOD_US = 100_000  # the kubelet's ``cpuCFSQuotaPeriod``


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a container may use: millicores and bytes; ``None`` sets no limit."""

    cpu_m: int | None = None
    memory_bytes: int | None = None


class Group:
    """The control group of one container; its processes' children stay in it."""

    def __init__(self, run_id: str, part: str, limits: Limits) -> None:
        self._folders = {
            hierarchy: ROOT / hierarchy / f"tekutoko.{os.getpid()}.{run_id}:{part}" for hierarchy in HIERARCHIES
        }
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
    return [path for path, _owner, run in _all() if run == run_id]


def remove_ownerless() -> list[Path]:
    """Removes the groups whose owner is dead, of whatever run; those that went. One with a process in it stays."""
    found = [path for path, owner, _run in _all() if not psutil.pid_exists(owner)]
    for path in found:
        _remove(path)
    return [path for path in found if not path.exists()]


def remove_of_run(run_id: str) -> list[Path]:
    """Removes a run's groups; those that could not be removed."""
    for folder in of_run(run_id):
        _remove(folder)
    return of_run(run_id)


def _all() -> Iterator[tuple[Path, int, str]]:
    """Every group of ours, its owner's process id, and its run."""
    for hierarchy in HIERARCHIES:
        for path in sorted((ROOT / hierarchy).glob("tekutoko.*")):
            if (found := _NAME.match(path.name)) is not None:
                yield path, int(found[1]), found[2]


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):  # busy, or gone
        folder.rmdir()
