"""What ``stack status`` tells of something that was left running."""

from __future__ import annotations

import msgspec

from harness.model.message import Message
from harness.model.stack import EnvironmentKind


class PartStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A part that runs, or should: ``memory_bytes`` is proportional, and 0 when it is gone."""

    part: str
    pid: int
    alive: bool
    memory_bytes: int = 0


class LeftRunning(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was left running: ``kind`` is ``kept`` (a cluster for later runs) or ``stack`` (a whole one).

    ``trouble`` says why it cannot be used, ``None`` when it can; ``used_by`` is the live run that has it, "" when none
    does.
    """

    kind: str
    rung: EnvironmentKind
    run_id: str
    since_utc: str
    owner_pid: int
    used_by: str
    trouble: Message | None
    parts: tuple[PartStatus, ...]
