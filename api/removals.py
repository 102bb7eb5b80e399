"""Photos of deleted walks, removed from Cloud Storage later and outside the request.

As the mirror: a removal is tried once, within ``REMOVAL_TIMEOUT_S``; one that fails, or finds the queue full, is
logged with its walk id and counted. The request it belongs to was answered long ago.
"""

from __future__ import annotations

import asyncio

from msgspec import Struct

from api.logs import Log, describe
from api.ports import Storage

REMOVAL_TIMEOUT_S = 5.0
QUEUE_MAX = 1000


class RemovalStats(Struct):
    """Since the start, in walks. Always: submitted = removed + failed + dropped + waiting."""

    submitted: int = 0
    removed: int = 0
    failed: int = 0
    dropped: int = 0
    waiting: int = 0


class Removals:
    """A bounded queue and one worker. ``storage`` is ``None`` where no photos are kept."""

    def __init__(self, storage: Storage | None, log: Log, *, queue_max: int = QUEUE_MAX) -> None:
        self._storage = storage
        self._log = log
        self._queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue(queue_max)
        self._worker: asyncio.Task[None] | None = None
        self.stats = RemovalStats()

    def start(self) -> None:
        """Starts the worker in the running loop."""
        if self._storage is not None:
            self._worker = asyncio.create_task(self._work(self._storage))

    def submit(self, user_id: str, walk_id: str) -> None:
        """Takes note that the walk is gone. Never waits, never raises."""
        if self._storage is None:
            return
        self.stats.submitted += 1
        try:
            self._queue.put_nowait((user_id, walk_id))
            self.stats.waiting += 1
        except asyncio.QueueFull:
            self._drop(user_id, walk_id, "the queue is full")

    async def drain(self, budget_s: float) -> None:
        """Removes what waits, for at most ``budget_s``; the rest is dropped, logged and counted. Ends the worker."""
        if self._worker is None:
            return
        try:
            async with asyncio.timeout(max(budget_s, 0)):
                await self._queue.join()
        except TimeoutError:
            self._log.warning(f"Photos of deleted walks were not removed within {budget_s:.1f} s")
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)
        while not self._queue.empty():
            user_id, walk_id = self._queue.get_nowait()
            self._queue.task_done()  # or a drain after this one would wait for it
            self.stats.waiting -= 1
            self._drop(user_id, walk_id, "the pod stopped first")

    def _drop(self, user_id: str, walk_id: str, why: str) -> None:
        self.stats.dropped += 1
        self._log.error(f"Photo removal dropped: {why}", walk_id=walk_id, user_id=user_id)

    async def _work(self, storage: Storage) -> None:
        while True:
            user_id, walk_id = await self._queue.get()
            try:
                async with asyncio.timeout(REMOVAL_TIMEOUT_S):
                    await storage.remove_walk(user_id, walk_id)
                self.stats.removed += 1
            except asyncio.CancelledError:
                self._drop(user_id, walk_id, "the pod stopped first")
                raise
            except Exception as error:
                self.stats.failed += 1
                self._log.error("Photo removal failed", walk_id=walk_id, user_id=user_id, error=describe(error))
            finally:
                self.stats.waiting -= 1
                self._queue.task_done()
