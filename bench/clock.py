"""The bench's own clock, the twin's too."""

from __future__ import annotations

import asyncio
import time


def now_ns() -> int:
    """``CLOCK_MONOTONIC``."""
    return time.monotonic_ns()


def cpu_ns() -> int:
    """CPU time of this process, user and system."""
    return time.process_time_ns()


def unix_s() -> float:
    """Seconds since 1970."""
    return time.time()


async def pause(seconds: float) -> None:
    """Waits in the running loop."""
    await asyncio.sleep(seconds)
