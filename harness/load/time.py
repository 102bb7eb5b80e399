"""The load's own clock and waits; what keeps the time is the ``runtime``'s."""

from __future__ import annotations

import asyncio
from typing import Any

from harness.load.runtime import NS, runtime

__all__ = ["NS", "gevent_wait_until", "now_ns", "sleep", "sleep_until", "wall_ns"]


def now_ns() -> int:
    """The monotonic time."""
    return runtime().now_ns()


def wall_ns() -> int:
    """The wall clock's time, ns since 1970-01-01 UTC: servers judge a token by it."""
    return runtime().wall_ns()


def gevent_wait_until(due_ns: int, ended: Any) -> bool:
    """Blocks the greenlet; true when ``ended``, an event of the runtime (gevent's ``Event``), was set before."""
    return runtime().wait_until(due_ns, ended)


async def sleep_until(due_ns: int) -> None:
    """The same in an event loop."""
    while (left_ns := due_ns - now_ns()) > 0:  # noqa: ASYNC110 - a time is awaited, not a state
        await asyncio.sleep(left_ns / NS)


async def sleep(seconds: float) -> None:
    """For periods, such as that of flushing."""
    await asyncio.sleep(seconds)
