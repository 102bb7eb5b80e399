"""System V shared memory: PostgreSQL holds a small segment as its lock; ``kill -9`` of the postmaster leaves it."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

_TABLE = Path("/proc/sysvipc/shm")  # Linux alone; elsewhere nothing is found and nothing is removed
_IPC_RMID = 0
_GONE = (errno.EINVAL, errno.EIDRM)


class Segment(msgspec.Struct, frozen=True):
    """A segment: its id, the process that made it, how many are attached, and the user whose it is."""

    shmid: int
    creator_pid: int
    attached: int
    uid: int


def segments() -> list[Segment]:
    """Every segment of the machine."""
    if not _TABLE.exists():
        return []
    rows = [line.split() for line in _TABLE.read_text().splitlines()[1:]]
    return [Segment(int(row[1]), int(row[4]), int(row[6]), int(row[7])) for row in rows]


def made_by(pids: Iterable[int]) -> list[Segment]:
    """Segments made by one of ``pids``."""
    wanted = set(pids)
    return [segment for segment in segments() if segment.creator_pid in wanted]


def remove(segment: Segment) -> None:
    """Removes a segment; one that is gone needs it no more. Raises ``OSError`` when the system refuses."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.shmctl(segment.shmid, _IPC_RMID, None) != 0 and (number := ctypes.get_errno()) not in _GONE:
        raise OSError(number, os.strerror(number))
