"""Which walks of one user each side has acknowledged: a 404 for any other walk is the right answer."""

from __future__ import annotations

from harness.model.evidence import Operation, Side


class KnownWalks:
    """Grows with the writes a side confirms, shrinks with deletes, confirmed or not."""

    def __init__(self) -> None:
        self._held: dict[Side, set[str]] = {side: set() for side in Side}

    def missing_expected(self, side: Side, walk_id: str) -> bool:
        """Whether ``side`` may rightly say that there is no such walk."""
        return walk_id not in self._held[side]

    def record(self, side: Side, operation: Operation, walk_id: str, *, acknowledged: bool) -> None:
        """Takes note of a finished request. A delete that was not confirmed may have happened all the same."""
        if operation is Operation.DELETE_WALK:
            self._held[side].discard(walk_id)
        elif acknowledged:
            self._held[side].add(walk_id)
