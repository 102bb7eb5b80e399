"""Where a fault of a node or a zone is to strike: where the most pods are, so that it hits some."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.base.clock import Clock
from harness.base.errors import RehearsalError
from harness.judge import zones
from harness.model.evidence import EventRow
from harness.model.message import message


class Places:
    """Reads the pods' places from the evidence as it is when asked."""

    def __init__(self, events: Callable[[], Sequence[EventRow]], clock: Clock) -> None:
        self._events = events
        self._clock = clock

    def zone(self) -> str:
        """The zone with the most pods that serve. Raises ``RehearsalError`` when none is known."""
        return _known("zone", zones.fullest(zones.placement(self._events(), self._clock.now_ns())))

    def node(self) -> str:
        """The node with the most pods that serve. Raises ``RehearsalError`` when none is known."""
        return _known("node", zones.fullest(zones.nodes(self._events(), self._clock.now_ns())))


def _known(what: str, found: str) -> str:
    if not found:
        raise RehearsalError(
            message("no pod that serves is in a known {what}: the fault would strike nothing", what=what)
        )
    return found
