"""Processes named so that a recycled process id is never mistaken for the one that was meant."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import subprocess
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


# CPU and memory limits of a pod's container by control groups, where this process may make them.
# Of cgroup v1 the hierarchies ``cpu`` and ``memory`` are used, of v2 the one there is, with those controllers. Where
# they cannot be written ``usable`` says no and limits stay unenforced: without root, or on v2 in a container whose
# processes are in the topmost group that it sees (a group with processes passes no controllers on).
# A run's groups are ``<hierarchy>/tekutoko.<owner>.<run id>:<part>``, the owner by its process id and its space of
# process ids, so that they are found after a killed run, even when its folder is gone. They are not nested in one of
# the run: that one would compete with PostgreSQL and the load as if all pods were one process. For the same reason
# requests set no shares here; they are what the HPA divides by.

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "memory")
_NAME = re.compile(r"tekutoko\.([0-9a-f]+-[0-9a-f]{4})\.([^:]+):")  # a run id has no colon
PERIOD_US = 100_000  # the kubelet's ``cpuCFSQuotaPeriod``
LEAST_QUOTA_US = 1_000  # the kernel takes no less, so the kubelet (``MinQuotaPeriod``) raises what is below 10m to it


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a container may use: millicores and bytes; ``None`` sets no limit, nor do 0 millicores."""

    cpu_m: int | None = None
    memory_bytes: int | None = None


def hierarchies() -> tuple[Path, ...]:
    """Where groups are made: a folder for each controller, or one for all where cgroup v2 is."""
    return (ROOT,) if _is_v2() else tuple(ROOT / controller for controller in CONTROLLERS)


class Group:
    """The control group of one container; its processes' children stay in it."""

    def __init__(self, run_id: str, part: str, limits: Limits) -> None:
        name = f"tekutoko.{process_mark()}.{run_id}:{part}"
        self._folders = tuple(hierarchy / name for hierarchy in hierarchies())
        for folder in self._folders:
            folder.mkdir(exist_ok=True)
        for file, value in _written(limits):
            folder = self._folders[0] if file.startswith("cpu.") else self._folders[-1]  # v2 has one for both
            (folder / file).write_text(value)
        swap = self._folders[-1] / "memory.swap.max"
        if limits.memory_bytes is not None and swap.exists():
            swap.write_text("0")  # the kubelet's ``NoSwap``

    def add(self, pid: int) -> None:
        """Puts a process that just began into the group; one that has ended already is nobody's loss."""
        for folder in self._folders:
            with contextlib.suppress(ProcessLookupError):
                (folder / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        """Once its processes have ended; one that is still in it leaves it to be found by the leak check."""
        for folder in self._folders:
            _remove(folder)


@functools.cache
def usable() -> bool:
    """Whether groups with limits can be made and entered here, tried once."""
    run_id = f"probe-{os.getpid()}"
    try:
        if _is_v2():
            _pass_on(ROOT)
        probe = Group(run_id, "probe", Limits(cpu_m=1000, memory_bytes=2**30))
        with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as child:  # ends with its input
            probe.add(child.pid)
        tried = True
    except OSError:
        tried = False
    return not remove_of_run(run_id) and tried


def of_run(run_id: str) -> list[Path]:
    """The groups of a run that are there."""
    return [path for path, _owner, run in _all() if run == run_id]


def remove_ownerless() -> list[Path]:
    """Removes the groups whose owner is dead, of whatever run; those that went. One with a process in it stays, and one
    whose owner is, or was, in another container."""
    own_space = process_mark().partition("-")[2]
    found = []
    for path, owner, _run in _all():
        pid, _, space = owner.partition("-")
        if space == own_space and not psutil.pid_exists(int(pid, 16)):
            found.append(path)
    for path in found:
        _remove(path)
    return [path for path in found if not path.exists()]


def remove_of_run(run_id: str) -> list[Path]:
    """Removes a run's groups; those that could not be removed."""
    for folder in of_run(run_id):
        _remove(folder)
    return of_run(run_id)


def _written(limits: Limits) -> Iterator[tuple[str, str]]:
    """The files of a group that hold its limits, and what is written into them, in that order."""
    if limits.cpu_m:  # 0 is no limit to the kubelet
        quota_us = max(LEAST_QUOTA_US, limits.cpu_m * PERIOD_US // 1000)
        if _is_v2():
            yield "cpu.max", f"{quota_us} {PERIOD_US}"
        else:
            yield "cpu.cfs_period_us", str(PERIOD_US)
            yield "cpu.cfs_quota_us", str(quota_us)
    if limits.memory_bytes is not None:
        yield ("memory.max" if _is_v2() else "memory.limit_in_bytes"), str(limits.memory_bytes)


def _is_v2() -> bool:
    """A machine that has v1's hierarchies keeps them here too, whether or not v2 is mounted beside them."""
    return (ROOT / "cgroup.controllers").exists()


def _pass_on(group: Path) -> None:
    """Gives the groups below the controllers that they need. Raises ``OSError`` where that is refused."""
    control = group / "cgroup.subtree_control"
    missing = set(CONTROLLERS) - set(control.read_text().split())
    if missing:
        control.write_text(" ".join(f"+{controller}" for controller in sorted(missing)))


def _all() -> Iterator[tuple[Path, str, str]]:
    """Every group of ours, its owner's mark, and its run."""
    for hierarchy in hierarchies():
        for path in sorted(hierarchy.glob("tekutoko.*")):
            if (found := _NAME.match(path.name)) is not None:
                yield path, found[1], found[2]


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):  # busy, or gone
        folder.rmdir()
