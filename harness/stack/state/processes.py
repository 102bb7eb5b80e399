"""Processes named so that a recycled process id is never mistaken for the one that was meant."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import psutil

from harness.model.message import ProgressCallback, message

TELL_EVERY_S = 10.0
_PROC = Path("/proc/self/stat").exists()
_GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied, OSError)


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A process id with when it started, in a form that a stepped wall clock does not change, and with the space of
    process ids (the PID namespace) in which it has that id; "" where the system has but one, or tells none."""

    pid: int
    started: str
    space: str = ""

    def alive(self) -> bool:
        """Whether this very process runs (a zombie does not), as far as this space of process ids shows it.

        What runs in another container is never alive here: whether an owner lives there is asked by ``held``.
        """
        found = identify(self.pid)
        if found is None or found.started != self.started or self.space not in ("", found.space):
            return False
        return psutil.pid_exists(self.pid) and not _zombie(self.pid)

    @property
    def elsewhere(self) -> bool:
        """Whether its process id is of another space than ours."""
        return self.space not in ("", this_space())

    @property
    def boot(self) -> str:
        """The mark of the boot in which it began, as ``this_boot`` gives it."""
        return self.started.partition(":")[0]

    @property
    def of_this_boot(self) -> bool:
        """Whether it began since the machine did: before, its process id was another's."""
        return self.boot == this_boot()


def this_boot() -> str:
    """A mark of the time since the machine began, the same in all its containers; "" where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def this_space() -> str:
    """A mark of this space of process ids, which no other has while it lasts; "" where the system tells none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def process_mark() -> str:
    """Of this process, in the name of its run: no other on this machine has it meanwhile, not in another container."""
    return f"{os.getpid():x}-{int(re.sub(r'[^0-9]', '', this_space()) or 0) & 0xFFFF:04x}"


def sees_itself() -> bool:
    """Whether ``/proc`` shows this space of process ids, and not that of the container's host."""
    return not _PROC or str(Path("/proc/self").readlink()) == str(os.getpid())


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
            # As bytes: the name in it is cut after 15 of them, be it amid a character.
            ticks = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
            return ProcessIdentity(pid, f"{this_boot()}:{ticks}", this_space())
        return ProcessIdentity(pid, f"{psutil.Process(pid).create_time():.2f}")
    except (*_GONE, IndexError):
        return None


def began_unix_s(pid: int) -> float | None:
    """When the process ``pid`` began, by the wall clock; ``None`` when there is none."""
    try:
        return psutil.Process(pid).create_time()
    except _GONE:
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


def tell(pid: int, number: signal.Signals) -> bool:
    """Whether this user may signal the process ``pid``, and has; one that has ended in this moment needs it no more."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def ends_in_order(process: ProcessIdentity, limit_s: float, what: str, say: ProgressCallback) -> bool:
    """Whether it ends within ``limit_s``; ``say`` is told of ``what`` every ``TELL_EVERY_S`` that it is waited for."""
    waited_s = 0.0
    while wait_gone([process], min(TELL_EVERY_S, limit_s - waited_s)):
        waited_s += TELL_EVERY_S
        if waited_s >= limit_s:
            say(
                message("{what} did not end in order within {seconds} s: killing it", what=what, seconds=f"{limit_s:g}")
            )
            return False
        say(
            message(
                "{what} is ending, since {waited} s of at most {seconds} s",
                what=what,
                waited=f"{waited_s:g}",
                seconds=f"{limit_s:g}",
            )
        )
    return True


def wait_gone(identities: Iterable[ProcessIdentity], limit_s: float) -> list[ProcessIdentity]:
    """Waits for processes that are not our children; returns those still alive after ``limit_s``."""
    processes = []
    for identity in identities:
        if identity.alive():
            with contextlib.suppress(psutil.NoSuchProcess):
                processes.append(psutil.Process(identity.pid))
    _gone, alive = psutil.wait_procs(processes, timeout=limit_s)
    return [found for process in alive if (found := identify(process.pid)) is not None and found.alive()]
