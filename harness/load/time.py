"""The load processes' own clock: ``CLOCK_MONOTONIC``, which all processes of a machine share."""

from __future__ import annotations

import asyncio
import time
from typing import Any

NS = 1_000_000_000


def now_ns() -> int:
    """The monotonic time."""
    return time.monotonic_ns()


def wall_ns() -> int:
    """The wall clock's time, ns since 1970-01-01 UTC: servers judge a token by it."""
    return time.time_ns()


def gevent_wait_until(due_ns: int, ended: Any) -> bool:
    """Returns at ``due_ns`` or as soon after as the greenlet gets its turn; before only when ``ended``, a gevent
    ``Event``, is set: then true.
    """
    while (left_ns := due_ns - time.monotonic_ns()) > 0:
        if ended.wait(left_ns / NS):
            return True
    return bool(ended.is_set())


async def sleep_until(due_ns: int) -> None:
    """The same in an event loop."""
    while (left_ns := due_ns - time.monotonic_ns()) > 0:  # noqa: ASYNC110 - a time is awaited, not a state
        await asyncio.sleep(left_ns / NS)


async def sleep(seconds: float) -> None:
    """For periods, such as that of flushing."""
    await asyncio.sleep(seconds)
