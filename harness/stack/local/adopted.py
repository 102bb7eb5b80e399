"""A process of a stack that another of our commands started: watched, but neither reaped nor ended."""

from __future__ import annotations

from pathlib import Path

from harness.stack.processes import Watched
from harness.stack.state import ProcessIdentity


class Adopted(Watched):
    """A part that ``stack keep`` left running. ``release`` ends the watch and leaves the process alone."""

    def __init__(self, part: str, log: Path, identity: ProcessIdentity) -> None:
        self._identity = identity
        super().__init__(part, log, identity.pid)
        if not identity.alive():  # looked at after the watch began: from here on no other process can be meant
            self._ended()

    def died(self) -> str:
        """How it ended, for people; only its parent is told more."""
        return "still runs" if self.returncode is None else "ended"

    def release(self) -> None:
        """Idempotent."""
        self._unwatch()
        self._exit.cancel()

    def _has_ended(self) -> bool:
        return not self._identity.alive()

    def _code(self) -> int:
        return -1  # unknown
