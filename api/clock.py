"""The machine's clock, and waiting. The event loop owns every wait, so in a virtual-time loop these jump with it."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """The machine's time."""

    def unix_s(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return time.time()

    def monotonic_ns(self) -> int:
        """Nanoseconds that never go back."""
        return time.monotonic_ns()


async def pause(seconds: float) -> None:
    """Waits in the running loop; ``pause(0)`` lets the others have a turn."""
    await asyncio.sleep(seconds)
