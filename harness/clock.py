"""The one clock. Every wait and every reading of the time goes through a ``Clock``; ``sim`` brings its own."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

from harness.model.evidence import Anchor

NS = 1_000_000_000


class Clock(Protocol):
    """Monotonic nanoseconds, and a sleep on the same time."""

    anchor: Anchor

    def now_ns(self) -> int:
        """The monotonic time."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns no earlier than ``seconds`` from now."""
        ...


class MachineClock:
    """The machine's ``CLOCK_MONOTONIC``, which all its processes share."""

    def __init__(self) -> None:
        self.anchor = Anchor(monotonic_ns=time.monotonic_ns(), unix_ns=time.time_ns())

    def now_ns(self) -> int:
        """The monotonic time."""
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        """Sleeps in the running event loop."""
        await asyncio.sleep(seconds)


def unix_ns(anchor: Anchor, at_ns: int) -> int:
    """``at_ns`` of the run's clock in ns since 1970-01-01 UTC."""
    return anchor.unix_ns + at_ns - anchor.monotonic_ns


def utc(anchor: Anchor, at_ns: int) -> str:
    """``at_ns`` as RFC 3339 in UTC, milliseconds."""
    stamp = datetime.fromtimestamp(unix_ns(anchor, at_ns) / NS, tz=UTC)
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")
