"""What a run brings into a whole cluster and takes away again: one run at a time has it.

A lock in the cluster's folder dies with its process; a mark beside it says that the thing is, or may be, there. Whoever
finds the mark without the lock removes what it stands for.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator

from harness.base.clock import Clock
from harness.model.message import Tell
from harness.stack.kind import record
from harness.stack.kind.lock import locked

LOCK_LIMIT_S = 900.0  # another run's whole rehearsal


class ClusterWide:
    """``name`` in ``cluster``: ``take`` before it is made, ``unmark`` once it is gone, ``release`` in the end."""

    def __init__(self, cluster: str, name: str) -> None:
        self._lock = record.folder(cluster) / f"{name}.lock"
        self._mark = record.folder(cluster) / name
        self._held = contextlib.AsyncExitStack()
        self.installed = False  # or may be: by this run, not yet unmarked

    async def take(self, clock: Clock, progress: Tell) -> None:
        """Waits while another run has it. Raises ``StackNotStarted`` after 15 minutes."""
        await self._held.enter_async_context(locked(self._lock, clock, progress, limit_s=LOCK_LIMIT_S))
        self._mark.touch()
        self.installed = True

    def unmark(self) -> None:
        """It is gone."""
        self._mark.unlink(missing_ok=True)
        self.installed = False

    async def release(self) -> None:
        """Another run may have it."""
        await self._held.aclose()

    @contextlib.contextmanager
    def left(self) -> Iterator[bool]:
        """Whether a killed run left it; nobody takes it meanwhile."""
        if not self._mark.exists():
            yield False
            return
        with self._lock.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False  # a run has it
                return
            yield True
