"""Virtual time: an event loop that jumps to its next timer, and the clocks of the harness and the API on it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any, TypeVar

import looptime

from harness.base.clock import Anchor

T = TypeVar("T")
NS = 1_000_000_000
#: Not 0, so that nothing that holds no time yet looks like one.
START_S = 1000
EPOCH_UNIX_S = 1_760_918_400  # 2025-10-20T00:00:00Z
ANCHOR = Anchor(monotonic_ns=START_S * NS, unix_ns=EPOCH_UNIX_S * NS)


class VirtualClock:
    """The running loop's time, in whole nanoseconds, for the harness (``Clock``) and for the API (its own ``Clock``)."""

    anchor = ANCHOR

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now_ns(self) -> int:
        """The monotonic time."""
        return round(self._loop.time() * NS)

    def wall_ns(self) -> int:
        """The wall clock, which nobody sets here."""
        return ANCHOR.unix_ns + self.now_ns() - ANCHOR.monotonic_ns

    async def sleep(self, seconds: float) -> None:
        """Until the loop has jumped there."""
        await asyncio.sleep(seconds)

    def monotonic_ns(self) -> int:
        """The same, as the API calls it."""
        return self.now_ns()

    def unix_s(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return self.wall_ns() / NS


def run(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """``work`` in a loop of its own, and the virtual seconds it took.

    Timers of the same moment run in the order of the loop's heap, which the same calls always fill alike. The
    resolution is that of the evidence, so that a wait ends at the nanosecond asked for. Cycles are collected afterwards:
    what is collected in mid-run, and when, hangs on what the process did before.
    """
    collected = gc.isenabled()
    gc.disable()
    loop = looptime.new_event_loop(start=START_S, resolution=1e-9, noop_cycles=0)
    try:
        result = loop.run_until_complete(work)
        return result, loop.time() - START_S
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        if collected:
            gc.enable()
