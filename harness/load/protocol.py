"""The ``Load`` protocol: one plan of users and probes, carried out by processes, or in the harness' own loop."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Load(Protocol):
    """Made of a ``LoadPlan``; driven in this order. What ends by itself raises ``PartDied``, or what it met, in every
    call.
    """

    @property
    def spools(self) -> tuple[Path, ...]:
        """Where its evidence grows."""
        ...

    async def start(self) -> None:
        """Begins to admit. Raises ``BadInput``, ``EvidenceNotWritten``."""
        ...

    async def admitted(self, timeout_s: float) -> None:
        """Returns once everybody is; bounded."""
        ...

    async def go(self, origin_ns: int) -> None:
        """Starts schedule and probes: their offsets count from ``origin_ns``, best a little ahead of now."""
        ...

    async def watch(self) -> None:
        """Returns when it was stopped; raises as soon as a part of it ends by itself."""
        ...

    async def stop(self) -> None:
        """Lets requests under way finish or time out. Idempotent."""
        ...
