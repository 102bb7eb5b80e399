"""The one clock. Every wait and every reading of the time goes through a ``Clock``; ``sim`` brings its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from harness.base import ticks

NS = ticks.NS


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """Ties the monotonic clock to UTC: ``monotonic_ns`` was read at ``unix_ns``."""

    monotonic_ns: int
    unix_ns: int


class Clock(Protocol):
    """Monotonic nanoseconds, and a sleep on the same time."""

    anchor: Anchor

    def now_ns(self) -> int:
        """The monotonic time."""
        ...

    def wall_ns(self) -> int:
        """The wall clock's time in ns since 1970-01-01 UTC, wherever it was set; only ``ClockSteps`` needs it."""
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

    def wall_ns(self) -> int:
        """The wall clock's time."""
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        """Sleeps in the running event loop."""
        await asyncio.sleep(seconds)


def polling(clock: Clock, *, limit_s: float, every_s: float) -> Callable[[], Awaitable[bool]]:
    """What a loop awaits between two looks at what it waits for: true after ``every_s``, when it may look again; false
    at once, when ``limit_s`` from now on have passed.
    """
    give_up_ns = clock.now_ns() + round(limit_s * NS)

    async def again() -> bool:
        if clock.now_ns() >= give_up_ns:
            return False
        await clock.sleep(every_s)
        return True

    return again


#: What the wall clock may gain or lose against the monotonic one and no step be told: reading both takes time, and NTP
#: slews by up to 500 millionths.
STEP_NS, _SLEWED, _READING_NS = NS, 0.0005, NS // 10


class ClockSteps:
    """Notices a wall clock that steps against the monotonic one: its time was set, or the machine was suspended, in
    which the monotonic clock stands still. Tokens and the databases' stamps follow the one, everything here the other.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = self._looked = clock.anchor

    def step_ns(self) -> int | None:
        """By how much the wall clock stepped since it was last told; ``None`` when it did not."""
        before_ns, wall_ns, now_ns = self._clock.now_ns(), self._clock.wall_ns(), self._clock.now_ns()
        if now_ns - before_ns > _READING_NS:
            return None  # held up between the readings: nothing can be told from them
        # Since the last look next to nothing was slewed; since the beginning steps of less than a second add up.
        before, self._looked = (self._looked, self._since), Anchor(monotonic_ns=now_ns, unix_ns=wall_ns)
        for since in before:
            gained_ns = wall_ns - unix_ns(since, now_ns)
            if abs(gained_ns) > STEP_NS + _SLEWED * (now_ns - since.monotonic_ns):
                self._since = self._looked
                return gained_ns
        return None


def unix_ns(anchor: Anchor, at_ns: int) -> int:
    """``at_ns`` of the run's clock in ns since 1970-01-01 UTC."""
    return anchor.unix_ns + at_ns - anchor.monotonic_ns


def utc(anchor: Anchor, at_ns: int) -> str:
    """``at_ns`` as RFC 3339 in UTC, milliseconds."""
    stamp = datetime.fromtimestamp(unix_ns(anchor, at_ns) / NS, tz=UTC)
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")
