"""The leak checker: after tear down, what of a run is still on the machine. Stands outside what took it down."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Self

import msgspec
import psutil

from harness.stack.state import processes, shared_memory
from harness.stack.state.lease import MARKER, RunState
from harness.stack.state.ports import listening
from harness.stack.state.processes import ProcessIdentity, marked

_DEV_SHM = Path("/dev/shm")  # noqa: S108 - looked at, never written
#: Of what hangs in its ``down``: the run's lease has to stay, for by it the next command ends what lives.
NOT_DOWN = "the tear down did not come to its end: nobody knows what is left"
_LEFT_S, _LOOKS = 2.0, 11  # how long a port is listened on that was left behind, and how often that is looked at
_OURS = ("PostgreSQL.", "envoy_shared_memory")  # what the stack's parts would leave there if they used it


class Traces(msgspec.Struct, frozen=True, kw_only=True):
    """What a run had: remembered while it runs, looked for after it."""

    run_id: str
    folder: Path
    processes: tuple[ProcessIdentity, ...]
    ports: tuple[int, ...]
    shared_files_before: frozenset[str]

    @classmethod
    def of(cls, state: RunState, shared_files_before: frozenset[str]) -> Self:
        """What the run has of which that is the ``state``."""
        return cls(
            run_id=state.lease.run_id,
            folder=state.folder,
            processes=tuple(part.identity for part in state.lease.parts),
            ports=tuple(state.lease.ports),
            shared_files_before=shared_files_before,
        )


def shared_files() -> frozenset[str]:
    """The files in ``/dev/shm`` that could be of a stack's parts."""
    if not _DEV_SHM.is_dir():
        return frozenset()
    return frozenset(path.name for path in _DEV_SHM.iterdir() if path.name.startswith(_OURS))


def _unheld(names: frozenset[str]) -> list[Path]:
    """Those that no living process has mapped: another program's PostgreSQL may have made its own meanwhile."""
    paths = sorted(_DEV_SHM / name for name in names)
    for maps in Path("/proc").glob("[0-9]*/maps") if paths else ():
        try:
            held = maps.read_bytes()  # a path in it may be in any encoding
        except OSError:
            continue
        paths = [path for path in paths if os.fsencode(path) not in held]
    return [path for path in paths if path.exists()]


def _of_another_run(pid: int, run_id: str) -> bool:
    try:
        return psutil.Process(pid).environ().get(MARKER, run_id) != run_id
    except (psutil.Error, OSError, ValueError):
        return False


def _listened_on(ports: set[int], run_id: str) -> dict[int, int]:
    """Of ``ports``, those that a process listens on that is of no other run, with its id, 0 when unknown.

    The range was released, and a run that began since may use it. A port that it has just opened, or only tries, has no
    process at that look, for the files of processes are read before the sockets; Firebase's emulators try theirs a few
    times before they open it. What is left behind is there for all of ``_LEFT_S``.
    """
    found = dict.fromkeys(ports, 0)
    for look in range(_LOOKS):
        if look:
            threading.Event().wait(_LEFT_S / (_LOOKS - 1))
        found = {port: pid for port, pid in listening(set(found)).items() if not _of_another_run(pid, run_id)}
        if not found:
            break
    return found


def leaks(traces: Traces) -> list[str]:
    """One line for each thing left: processes by lease and by marker, ports, shared memory, the run's folder."""
    alive = {process.pid for process in traces.processes if process.alive()}
    lines = [f"process {pid} of the stack still runs" for pid in sorted(alive)]
    for process, environment in marked(MARKER, [traces.run_id]):
        if process.pid not in alive:
            lines.append(f"process {process.pid} ({environment.get('TEKUTOKO_PART', 'load')}) still runs")
    for port, pid in sorted(_listened_on(set(traces.ports), traces.run_id).items()):
        lines.append(f"port {port} is still listened on by process {pid or 'unknown'}")
    for segment in shared_memory.made_by(process.pid for process in traces.processes):
        lines.append(f"shared memory segment {segment.shmid} is left")
    lines += [f"{path} is left" for path in _unheld(shared_files() - traces.shared_files_before)]
    lines += [f"control group {path} is left" for path in processes.of_run(traces.run_id)]
    if traces.folder.exists():
        lines.append(f"folder {traces.folder} is left")
    return lines
