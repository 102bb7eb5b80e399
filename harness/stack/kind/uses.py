"""Who uses a cluster that outlives runs: a lock that users share and whoever removes the cluster must have alone.

It is the system's, and goes with the process that holds it. It lies beside the cluster's folder, ``<name>.uses``, and
names its users.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from harness.base.errors import NOT_JSON
from harness.stack.kind import record
from harness.stack.state import lives
from harness.stack.state.processes import ProcessIdentity, identify


class ClusterUser(msgspec.Struct, frozen=True):
    """A run, the process that owns it, and whether it has come or gone."""

    run_id: str
    owner: ProcessIdentity
    gone: bool = False


class ClusterUse:
    """One user's share, until ``end``."""

    def __init__(self, lock: IO[bytes], user: ClusterUser) -> None:
        self._lock = lock
        self._user = user
        self._write()

    def end(self) -> None:
        """Idempotent."""
        if not self._lock.closed:
            self._user = msgspec.structs.replace(self._user, gone=True)
            self._write()
            self._lock.close()

    def _write(self) -> None:
        self._lock.write(msgspec.json.encode(self._user) + b"\n")
        self._lock.flush()


def share(name: str, run_id: str) -> ClusterUse | None:
    """Holds the cluster ``name`` for ``run_id``; ``None`` when it is being removed."""
    owner = identify(os.getpid())
    assert owner is not None
    record.clusters_folder().mkdir(parents=True, exist_ok=True)
    lock = _path(name).open("ab")
    if not _taken(lock, name, fcntl.LOCK_SH):
        lock.close()
        return None
    return ClusterUse(lock, ClusterUser(run_id, owner))


@contextlib.contextmanager
def alone(name: str) -> Iterator[bool]:
    """Keeps users away meanwhile; false when there are some, and then nothing is kept."""
    if not _path(name).parent.exists():
        yield True
        return
    with _path(name).open("ab") as lock:
        free = _taken(lock, name, fcntl.LOCK_EX)
        try:
            yield free
        finally:
            if free:
                _path(name).unlink(missing_ok=True)


def users(name: str) -> list[str]:
    """The ids of the live runs that use it."""
    try:
        said = [msgspec.json.decode(line, type=ClusterUser) for line in _path(name).read_bytes().splitlines()]
    except (OSError, *NOT_JSON):
        return []
    gone = {user.run_id for user in said if user.gone}
    return [user.run_id for user in said if user.run_id not in gone and (user.owner.alive() or lives(user.run_id))]


def ask_down(name: str) -> None:
    """Has the last user delete it."""
    _request(name).touch()


def down_asked(name: str) -> bool:
    """Whether ``stack down`` was called while it was in use."""
    return _request(name).exists()


def _path(name: str) -> Path:
    return record.clusters_folder() / f"{name}.uses"


def _request(name: str) -> Path:
    return record.folder(name) / "down-after-use"  # goes with the cluster's files


def _taken(lock: IO[bytes], name: str, how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
        return os.fstat(lock.fileno()).st_ino == _path(name).stat().st_ino  # else it was removed meanwhile
    except OSError:
        return False
