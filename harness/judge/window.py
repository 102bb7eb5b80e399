"""The stretch of a run that is judged."""

from __future__ import annotations

import msgspec

NS = 1_000_000_000


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Half-open: ``start_ns <= t < end_ns`` on the run's monotonic clock."""

    start_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end_ns - self.start_ns) / NS
