"""A lock on a file, held by a process for its life: how everybody who sees the file sees that the process lives.

The kernel gives it up when the process ends, however that ends; it holds between users, containers and spaces of
process ids that share the folder. A process id does not: in another container it is another process, or none.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class HeldLock:
    """The lock, until ``release`` or the end of this process and of all that it handed ``descriptor`` to."""

    def __init__(self, path: Path) -> None:
        """Takes it, waiting for whoever only looks whether it is held. Raises ``OSError``."""
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        except OSError:
            os.close(self.descriptor)
            raise

    def release(self) -> None:
        """Gives this process' share of it up; idempotent. A process that was handed it holds it on."""
        if self.descriptor >= 0:
            os.close(self.descriptor)  # not LOCK_UN, which would take it from the others too
            self.descriptor = -1


def is_held(path: Path) -> bool | None:
    """Whether a process holds the lock ``path``; ``None`` when there is no such file. Raises ``OSError``."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
