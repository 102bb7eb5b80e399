"""What waits for another's end is ended itself when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, cast

import pytest

from harness.base.errors import PartDied
from harness.stack.faults.injecting import until_undone
from harness.stack.process.waiting import given_up


class Slow:
    """Work that takes a while to end once it is told to."""

    def __init__(self) -> None:
        self.ended, self.enough = False, asyncio.Event()

    async def work(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await self.enough.wait()
            self.ended = True


async def test_what_is_given_up_is_ended_and_what_it_raised_is_raised() -> None:
    async def failing() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        raise PartDied("gone")

    slow = Slow()
    slow.enough.set()
    task = asyncio.ensure_future(slow.work())
    await asyncio.sleep(0)
    await given_up(task)
    assert slow.ended and task.cancelled()
    task = asyncio.ensure_future(failing())
    await asyncio.sleep(0)
    with pytest.raises(PartDied):
        await given_up(task)


async def test_an_undo_that_is_ended_ends() -> None:
    slow = Slow()
    undo = until_undone(slow.work())
    await asyncio.sleep(0)
    undoing = asyncio.ensure_future(cast(Coroutine[Any, Any, None], undo()))
    await asyncio.sleep(0)
    undoing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await undoing
    slow.enough.set()
    await asyncio.sleep(0.01)
    assert slow.ended
