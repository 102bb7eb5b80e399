"""Processes named so that a recycled process id is never mistaken for the one that was meant."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import psutil

_PROC = Path("/proc/self/stat").exists()
_GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied, OSError)


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A process id with when it started, in a form that a stepped wall clock does not change."""

    pid: int
    started: str

    def alive(self) -> bool:
        """Whether this very process runs (a zombie does not)."""
        found = identify(self.pid)
        return found == self and psutil.pid_exists(self.pid) and not _zombie(self.pid)


def _zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except _GONE:
        return True


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of the running process ``pid``; ``None`` when there is none."""
    try:
        if _PROC:
            # Ticks since this boot: psutil's create_time moves with the wall clock, and each process reads it anew.
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
            return ProcessIdentity(pid, f"{boot}:{ticks}")
        return ProcessIdentity(pid, f"{psutil.Process(pid).create_time():.2f}")
    except (*_GONE, IndexError):
        return None


def marked(variable: str, values: Iterable[str]) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """Processes whose environment holds ``variable`` with one of ``values``, this one excepted, with that environment.

    Other users' processes cannot be read and are passed over.
    """
    wanted = set(values)
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            environment = process.environ()
        except _GONE:
            continue
        if environment.get(variable) in wanted:
            yield process, environment


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signals the process group that ``pid`` leads; to a part that is gone, nothing."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def wait_gone(identities: Iterable[ProcessIdentity], limit_s: float) -> list[ProcessIdentity]:
    """Waits for processes that are not our children; returns those still alive after ``limit_s``."""
    processes = []
    for identity in identities:
        if identity.alive():
            with contextlib.suppress(psutil.NoSuchProcess):
                processes.append(psutil.Process(identity.pid))
    _gone, alive = psutil.wait_procs(processes, timeout=limit_s)
    return [found for process in alive if (found := identify(process.pid)) is not None and found.alive()]
