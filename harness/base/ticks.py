"""The machine's monotonic time by the standard library alone: for what runs before the locked packages are there."""

from __future__ import annotations

import time
from typing import Protocol

NS = 1_000_000_000


class Ticks(Protocol):
    """Whatever tells a time: a ``Clock``, or ``MachineTicks``."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        ...


class MachineTicks:
    """``CLOCK_MONOTONIC``."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        return time.monotonic_ns()
