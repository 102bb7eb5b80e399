"""Parts that ``stack keep`` leaves running for later runs: their record, and the lock that makes them one run's.

They lie in ``runs/kept-<rung>-<mark>/`` with a lease like any run's, marked ``kept``, so that a sweep passes them over.
The mark is the machine-wide folder's: processes and control groups are found by a run's id on the whole machine, and
those of parts that are kept in another folder are not ours. The lock is the system's: it goes with the process that
holds it, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import IO

import msgspec

from harness.base.errors import NOT_JSON
from harness.base.home import runs_folder
from harness.base.private import write_private
from harness.model.stack import Endpoints, Rung
from harness.stack.state.lease import read_lease, run_folder
from harness.stack.state.machine import home_mark
from harness.stack.state.processes import ProcessIdentity

_RECORD = "kept.json"
_LOCK = "in-use.lock"
_DOWN = "down-after-use"


class KeptSet(msgspec.Struct, frozen=True, kw_only=True):
    """What was left running. ``key`` tells which checkout's parts they are; ``endpoints`` as a stack's."""

    rung: Rung
    key: str
    kept_utc: str
    endpoints: Endpoints


class User(msgspec.Struct, frozen=True):
    """The run that has the kept parts, or had them last."""

    run_id: str
    owner: ProcessIdentity


def id_to_keep(rung: Rung) -> str:
    """The run id of parts that are to be kept from now on. Raises ``StackNotStarted`` as ``home_mark``."""
    return f"kept-{rung}-{home_mark()[:8]}"


def kept_folder(rung: Rung) -> Path:
    """Where kept parts lie; one that is not there while nothing is kept. Those that were copied here are another's."""
    found = any(runs_folder().glob(f"kept-{rung}-*"))
    return run_folder(id_to_keep(rung) if found else f"kept-{rung}")


def kept_id(rung: Rung) -> str:
    """The run id that kept parts carry in their environment."""
    return kept_folder(rung).name


def read_kept(rung: Rung) -> KeptSet | None:
    """The record; ``None`` when nothing is kept, or the keeping was cut short."""
    folder = kept_folder(rung)
    lease = read_lease(folder)
    try:
        found = msgspec.json.decode((folder / _RECORD).read_bytes(), type=KeptSet)
    except (OSError, *NOT_JSON):
        return None
    return found if lease is not None and lease.kept else None


def write_kept(kept: KeptSet) -> None:
    """Writes the record, for this user alone: it holds the database's password. Raises ``OSError``."""
    write_private(kept_folder(kept.rung) / _RECORD, msgspec.json.encode(kept))


class Hold:
    """The exclusive use of a rung's kept parts, until ``release``."""

    def __init__(self, rung: Rung, lock: IO[bytes]) -> None:
        self.folder = kept_folder(rung)
        self._lock = lock

    def name(self, user: User) -> None:
        """Writes who has them."""
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(msgspec.json.encode(user))
        self._lock.flush()

    @property
    def down_asked(self) -> bool:
        """Whether ``stack down`` was called meanwhile: then they end when they are given back."""
        return (self.folder / _DOWN).exists()

    @property
    def closed(self) -> bool:
        """Whether it was released."""
        return self._lock.closed

    def release(self) -> None:
        """Idempotent."""
        self._lock.close()


def hold(rung: Rung) -> Hold | None:
    """Takes the lock; ``None`` when another process has it or nothing is there to be locked."""
    path = kept_folder(rung) / _LOCK
    try:
        lock = path.open("a+b")
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same = os.fstat(lock.fileno()).st_ino == path.stat().st_ino  # else it was taken down while we waited
    except OSError:
        same = False
    if not same:
        lock.close()
        return None
    return Hold(rung, lock)


def last_user(rung: Rung) -> User | None:
    """Who has the kept parts, or had them last."""
    try:
        return msgspec.json.decode((kept_folder(rung) / _LOCK).read_bytes(), type=User)
    except (OSError, *NOT_JSON):
        return None


def in_use(rung: Rung) -> bool:
    """Whether a live process has them."""
    if not kept_folder(rung).exists():
        return False
    holding = hold(rung)
    if holding is None:
        return True
    holding.release()
    return False


def ask_down(rung: Rung) -> None:
    """Has whoever uses them end them when it gives them back."""
    with contextlib.suppress(OSError):
        (kept_folder(rung) / _DOWN).touch()
