"""The first unplanned end of a part that is no pod of the target: an error while the stack comes up, and afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from harness.base.errors import RehearsalError
from harness.model.message import message
from harness.stack.feed import Feed
from harness.stack.processes import Process


class Ends:
    """``death`` gets the error of the first; ``close`` when ends are no surprise any more."""

    def __init__(self, feed: Feed) -> None:
        self.death: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._feed = feed
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = False

    def guard(self, process: Process) -> None:
        """Notices its end."""
        self._feed.event("log", process.part, f"logs/{process.log.name}")
        self.keep(self._notice(process))

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` until ``close``; what it raises is a part's end."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def ending(self) -> None:
        """From now on every end is planned."""
        self._ending = True

    async def close(self) -> None:
        """Ends all watching."""
        self._ending = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self.death.done():
            self.death.cancel()

    async def until(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` to its end; a death before it ends it, and is raised in its place."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait([task, self.death], return_when=asyncio.FIRST_COMPLETED)
            if self.death.done() and not self.death.cancelled():
                self.death.result()
            task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _notice(self, process: Process) -> None:
        await process.wait()
        raise process.part_died()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._ending or task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, RehearsalError):
            self._feed.event("component", error.what.partition(" ")[0].rstrip(":"), message("died"))
        self._feed.fail_with(error)
        if not self.death.done():
            self.death.set_exception(error)
            self.death.exception()  # read here: nobody may be waiting for it
