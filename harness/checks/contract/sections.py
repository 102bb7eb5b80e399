"""What the page of a run of checks shows besides them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from harness.model.message import Message, message
from harness.model.section import Lines, Section


def not_covered(sentences: Iterable[str]) -> Section:
    """What no check can tell, whatever the target."""
    return Lines(title=message("Not covered by any check"), lines=tuple(Message(text=what) for what in sentences))
