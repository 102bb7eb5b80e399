"""Virtual time: an event loop that jumps to its next timer, and the clock of the harness and of the API on it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from harness.base.clock import NS, Anchor, Clock

T = TypeVar("T")
#: Not 0, so that nothing that holds no time yet looks like one.
START_S = 1000
EPOCH_UNIX_S = 1_760_918_400  # 2025-10-20T00:00:00Z
ANCHOR = Anchor(monotonic_ns=START_S * NS, unix_ns=EPOCH_UNIX_S * NS)


class VirtualClock:
    """The time of a loop of its own, in whole nanoseconds, for the harness (``Clock``) and the API (its own ``Clock``).

    It stands still until ``run``, and again after it.
    """

    anchor = ANCHOR

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def now_ns(self) -> int:
        """The monotonic time."""
        return ANCHOR.monotonic_ns if self._loop is None else round(self._loop.time() * NS)

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

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """``work`` in the clock's own loop, once.

        Timers of the same moment run in the order of the loop's heap, which the same calls always fill alike. The
        resolution is that of the evidence, so that a wait ends at the nanosecond asked for. Cycles are collected
        afterwards: what is collected in mid-run, and when, hangs on what the process did before.
        """
        import looptime

        assert self._loop is None, "a virtual clock runs once"
        collected = gc.isenabled()
        gc.disable()
        self._loop = loop = looptime.new_event_loop(start=START_S, resolution=1e-9, noop_cycles=0)
        try:
            return loop.run_until_complete(work)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
            if collected:
                gc.enable()


def runner(clock: Clock | None) -> Callable[[Coroutine[Any, Any, T]], T]:
    """What runs a whole command in the time of ``clock``: ``asyncio.run``, or the virtual clock's own loop."""
    if isinstance(clock, VirtualClock):
        return clock.run
    return asyncio.run
