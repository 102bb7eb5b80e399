"""The load processes' own clock: ``CLOCK_MONOTONIC``, which all processes of a machine share."""

from __future__ import annotations

import asyncio
import time

NS = 1_000_000_000


def now_ns() -> int:
    """The monotonic time."""
    return time.monotonic_ns()


def unix_ns() -> int:
    """The wall clock; for an anchor only."""
    return time.time_ns()


def gevent_sleep_until(due_ns: int) -> None:
    """Returns at ``due_ns`` or as soon after as the greenlet gets its turn; never before."""
    import gevent  # the probes' process has no gevent

    while (left_ns := due_ns - time.monotonic_ns()) > 0:
        gevent.sleep(left_ns / NS)


async def sleep_until(due_ns: int) -> None:
    """The same in an event loop."""
    while (left_ns := due_ns - time.monotonic_ns()) > 0:  # noqa: ASYNC110 - a time is awaited, not a state
        await asyncio.sleep(left_ns / NS)


async def sleep(seconds: float) -> None:
    """For periods, such as that of flushing."""
    await asyncio.sleep(seconds)
