"""What ``stack keep|status|down`` ask of a rung, and what it answers. ``harness/stack/rungs.py`` knows every rung's."""

from __future__ import annotations

from typing import Protocol

import msgspec

from harness.base.clock import Clock
from harness.model.message import Message, Tell
from harness.model.stack import Rung


class PartStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A part that runs, or should: ``port`` 0 when it has none, ``memory_bytes`` proportional, 0 when it is gone."""

    part: str
    pid: int
    alive: bool
    port: int = 0
    memory_bytes: int = 0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was left running: ``kind`` is ``kept`` (slow parts for later runs) or ``stack`` (a whole one).

    ``trouble`` says why it cannot be used, ``None`` when it can; ``used_by`` is the live run that has it, "" when none
    does.
    """

    kind: str
    rung: Rung
    run_id: str
    since_utc: str
    owner_pid: int
    used_by: str
    trouble: Message | None
    parts: tuple[PartStatus, ...]


class Keeper(Protocol):
    """Keeps a rung's slow parts running between runs."""

    rung: Rung

    async def keep(self, clock: Clock, progress: Tell) -> None:
        """Starts them and leaves them running; nothing to do when they are whole. Raises ``StackNotStarted``.

        Parts of another checkout, or broken ones, are replaced; those that a live run uses never.
        """
        ...

    def status(self) -> Standing | None:
        """What is kept; ``None`` when nothing is, not even the rest of a keeping that was cut short."""
        ...

    def down(self, *, force: bool) -> list[Message]:
        """Ends them, one line each. In use they end when they are given back, or at once with ``force``."""
        ...
