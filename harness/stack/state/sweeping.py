"""Removes what runs with a dead owner left: their processes, shared memory and folders."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from pathlib import Path

from harness.base.home import runs_folder
from harness.model.message import Message, ProgressCallback, message
from harness.stack.state import processes, shared_memory
from harness.stack.state.lease import (
    MARKER,
    OWNER_LOCK,
    PARTS_LOCK,
    Lease,
    LeaseCondition,
    condition,
    is_held,
    read_lease,
    runs_locked,
)
from harness.stack.state.processes import ProcessIdentity, identify, marked, signal_group, wait_gone

#: The part whose end needs care: killed outright, PostgreSQL leaves its shared memory segment.
DATABASE = "postgres"
_FAST_STOP_S = 4.0
_IMMEDIATE_STOP_S = 2.0
_KILL_S = 3.0
_POLL_S = 0.05


def sweep(progress: ProgressCallback) -> list[Message]:
    """Ends and removes what runs with a dead owner left; returns one line each, also told to ``progress``.

    Only processes that carry the dead run's marker or stand in its lease are ended. Bounded: about 10 s a run.
    Safe while other runs are live, in this container or another that shares the folder, and when two sweep at once: the
    second waits for the first. What cannot be told dead is told to ``progress`` and left.
    """
    removed: list[Message] = []
    with runs_locked() as runs:
        for folder in sorted(path for path in runs.iterdir() if path.is_dir() and not path.is_symlink()):
            found = condition(folder)
            of = {"run": folder.name, "folder": str(folder)}
            if found is LeaseCondition.UNKNOWN:
                unknown = message(
                    "run {run}: left as it is, whether its harness lives cannot be told; if none does, remove {folder}",
                    **of,
                )
                progress(unknown)
            if found not in (LeaseCondition.ABANDONED, LeaseCondition.ELSEWHERE):
                continue
            if found is LeaseCondition.ELSEWHERE and not any(marked(MARKER, [folder.name])):
                elsewhere = message(
                    "run {run}: left to the next command there, its harness is gone, and parts of it run on in another "
                    "container",
                    run=folder.name,
                )
                progress(elsewhere)
                continue
            lines = _sweep_run(folder, read_lease(folder))
            for line in lines:
                progress(line)
            removed += lines
        if ownerless := processes.remove_ownerless():
            gone = message("removed {count} control groups of runs that are gone", count=str(len(ownerless)))
            removed.append(gone)
            progress(removed[-1])
    return removed


def dead_runs() -> list[str]:
    """The ids of runs whose owner is dead: what ``sweep`` would remove. Changes nothing."""
    if not runs_folder().exists():
        return []
    folders = sorted(path for path in runs_folder().iterdir() if path.is_dir())
    return [folder.name for folder in folders if condition(folder) is LeaseCondition.ABANDONED]


def end_run(folder: Path) -> list[Message]:
    """Ends and removes one run, whoever owns it: for ``stack down``. One line each; bounded as ``sweep``.

    A process that only has the number of a recorded one is left alone, and what runs in another container too.
    """
    with runs_locked():
        return _sweep_run(folder, read_lease(folder), message("taken down")) if folder.exists() else []


_GONE = message("its harness is gone; removing what it left")


def _sweep_run(folder: Path, lease: Lease | None, why: Message = _GONE) -> list[Message]:
    run_id = folder.name

    def of_run(what: Message) -> Message:
        return message("run {run}: {what}", run=run_id, what=what)

    lines = [of_run(why)]
    recorded = {} if lease is None else {part.identity: part.part for part in lease.parts}
    creators = _creators(folder, lease)
    living = {identity: name for identity, name in recorded.items() if identity.alive()}
    for process, environment in marked(MARKER, [run_id]):
        identity = identify(process.pid)
        if identity is not None:
            living.setdefault(identity, environment.get("TEKUTOKO_PART", "load"))
    lines += map(of_run, _end(living))
    if _runs_on(folder):
        elsewhere = message("could not be ended whole: some of it runs in another container; end it there")
        return [*lines, of_run(elsewhere)]
    for segment in shared_memory.made_by(creators):
        # Attached: its postmaster still runs, then the line above said so, or a child of it that hangs on a slow disk.
        if segment.attached == 0 and segment.uid in _users(folder) and identify(segment.creator_pid) is None:
            lines.append(of_run(_removed(segment)))
    if groups := processes.of_run(run_id):
        left = processes.remove_of_run(run_id)
        removed, all_ = str(len(groups) - len(left)), str(len(groups))
        lines.append(of_run(message("removed {count} of {all} control groups", count=removed, all=all_)))
    shutil.rmtree(folder, ignore_errors=True)
    still = message("could not remove {folder}", folder=str(folder))
    lines.append(of_run(still if folder.exists() else message("removed {folder}", folder=str(folder))))
    return lines


def _removed(segment: shared_memory.Segment) -> Message:
    """Of another user's, which this one may not remove, the sweep goes on without."""
    named = str(segment.shmid)
    try:
        shared_memory.remove(segment)
    except OSError as error:
        return message(
            "could not remove shared memory segment {segment}: {why}", segment=named, why=str(error.strerror)
        )
    return message("removed shared memory segment {segment}", segment=named)


def _end(living: dict[ProcessIdentity, str]) -> list[Message]:
    databases = [identity for identity, name in living.items() if name == DATABASE]
    others = [identity for identity in living if identity not in databases]
    # Clients first: a fast shutdown of PostgreSQL then has nobody to disconnect.
    left = _stop(others, signal.SIGKILL, _KILL_S)
    for number, limit_s in (
        (signal.SIGINT, _FAST_STOP_S),
        (signal.SIGQUIT, _IMMEDIATE_STOP_S),
        (signal.SIGKILL, _KILL_S),
    ):
        databases = _stop(databases, number, limit_s)
    left += databases
    ended = [identity for identity in living if identity not in left]
    lines = [message("ended {part} (process {pid})", part=living[each], pid=str(each.pid)) for each in ended]
    return lines + [message("process {pid} could not be ended", pid=str(each.pid)) for each in left]


def _stop(identities: list[ProcessIdentity], number: signal.Signals, limit_s: float) -> list[ProcessIdentity]:
    for identity in identities:
        if identity.alive():
            _send(identity.pid, number)
    return wait_gone(identities, limit_s)


def _send(pid: int, number: signal.Signals) -> None:
    """To the whole group when killing what leads one; PostgreSQL's gentle signals go to the postmaster alone."""
    try:
        leads = os.getpgid(pid) == pid
        if leads and number is signal.SIGKILL:
            signal_group(pid, number)
        else:
            os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _runs_on(folder: Path) -> bool:
    """Whether its harness or a part of it holds the folder still; also when that cannot be looked at.

    PostgreSQL's children end by themselves moments after their parent: they are waited for, at most ``_KILL_S``.
    """
    for _ in range(round(_KILL_S / _POLL_S)):
        try:
            if not is_held(folder / OWNER_LOCK) and not is_held(folder / PARTS_LOCK):
                return False
        except OSError:
            return True
        threading.Event().wait(_POLL_S)
    return True


def _creators(folder: Path, lease: Lease | None) -> set[int]:
    """The process ids that may have made a shared memory segment of the run. After the machine began anew, or in
    another container, they are other programs' numbers."""
    if lease is None:
        return set()
    parts = {part.identity for part in lease.parts}
    pids = {identity.pid for identity in parts if identity.of_this_boot and not identity.elsewhere}
    same = lease.owner.of_this_boot and not lease.owner.elsewhere
    return pids | (set(_postmaster(folder)) if same else set())


def _users(folder: Path) -> set[int]:
    """Whose segments the run's may be: ours, and those of the accounts that its folders belong to."""
    try:
        return {os.geteuid(), *(path.lstat().st_uid for path in folder.iterdir())}
    except OSError:
        return {os.geteuid()}


def _postmaster(folder: Path) -> list[int]:
    """The process id in ``postmaster.pid``, for a harness killed between starting PostgreSQL and recording it."""
    try:
        return [int((folder / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])]
    except (OSError, ValueError):
        return []
