"""The second write: PostgreSQL first, then Firestore, later and outside the request (データ同期戦略, Write-Behind).

What waits is the walk's id, not its content: a worker reads the walk as committed and writes the whole document, so
writes of one walk that wait together become one, and a repeated write does no harm. Order is kept twice. In a pod,
a walk always goes through the same lane, one write at a time. Between pods, a worker looks at the document, then reads
the walk, and writes only over what it has seen: a write that arrives late, even after its time-out, never replaces a
newer one. It looks at the walk again after it has written: if that changed meanwhile, it goes back into the queue.

While writes wait, each new one logs how many do: what a kill of the pod would lose.

A write that was overtaken begins anew; else it is tried once. One that does not succeed within ``WRITE_TIMEOUT_S``, or
finds the queue full, is logged with its walk id and counted; the request it belongs to was answered long ago.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from api.logs import Log, describe
from api.model import WalkDetail
from api.ports import AnotherUsers, Database, MirrorSink, Overtaken

WRITE_TIMEOUT_S = 5.0
ATTEMPTS = 10  # of a write that others overtake each time


class MirrorStats(Struct):
    """Since the start. Always: submitted + requeued = coalesced + written + failed + dropped + waiting.

    ``skipped`` are writes of walks outside the mirrored share; they are not submitted. ``waiting`` counts those under
    way too. ``requeued`` are those found changed after they were written, ``overtaken`` the attempts that began anew.
    """

    submitted: int = 0
    requeued: int = 0
    coalesced: int = 0
    written: int = 0
    failed: int = 0
    dropped: int = 0
    skipped: int = 0
    waiting: int = 0
    overtaken: int = 0


class _Lane:
    """Walks that wait, by id, with the user whose write it was, for the log; ``deleters`` are those who deleted one of
    that id since its last write to Firestore."""

    def __init__(self) -> None:
        self.waiting: dict[str, str] = {}
        self.deleters: dict[str, list[str]] = {}
        self.filled = asyncio.Event()


def mirrored(walk_id: str, share_percent: int) -> bool:
    """Whether ``walk_id`` is in the mirrored share; a larger share holds all walks of a smaller one."""
    return zlib.crc32(walk_id.encode()) % 100 < share_percent


class Mirror:
    """A bounded queue and its workers. ``sink`` is ``None`` where nothing is mirrored."""

    def __init__(
        self,
        database: Database,
        sink: MirrorSink | None,
        log: Log,
        *,
        share_percent: int = 100,
        queue_max: int = 1000,
        lanes: int = 4,
    ) -> None:
        self._database = database
        self._sink = sink
        self._log = log
        self._share_percent = share_percent if sink is not None else 0
        self._queue_max = queue_max
        self._lanes = [_Lane() for _ in range(lanes)]
        self._workers: list[asyncio.Task[None]] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._ended = False
        #: Called with walk and user of each write that did not succeed: it may have been sent.
        self.given_up: Callable[[str, str], None] = _nobody
        self.stats = MirrorStats()

    def start(self) -> None:
        """Starts the workers in the running loop."""
        if self._sink is not None:
            self._workers = [asyncio.create_task(self._work(lane, self._sink)) for lane in self._lanes]

    def submit(self, walk_id: str, user_id: str, *, deleted: bool = False) -> None:
        """Takes note that the walk was written, or ``deleted``. Never waits, never raises."""
        if not mirrored(walk_id, self._share_percent):
            self.stats.skipped += 1
            return
        self.stats.submitted += 1
        self._enqueue(walk_id, user_id, deleted=deleted)
        if self.stats.waiting > len(self._lanes):  # a queue, not just writes under way
            self._log.info("Mirror writes wait", walk_id=walk_id, user_id=user_id, mirror_waiting=self.stats.waiting)

    async def drain(self, budget_s: float) -> None:
        """Writes what waits, for at most ``budget_s``; the rest is dropped, logged and counted. Ends the workers."""
        try:
            async with asyncio.timeout(max(budget_s, 0)):
                await self._idle.wait()
        except TimeoutError:
            self._log.warning(f"The mirror was not drained within {budget_s:.1f} s")
        self._ended = True
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for lane in self._lanes:
            for walk_id, user_id in lane.waiting.items():
                self._drop(walk_id, user_id, "the pod stopped first")
            self.stats.waiting -= len(lane.waiting)
            lane.waiting.clear()
            lane.deleters.clear()

    def _enqueue(self, walk_id: str, user_id: str, *, deleted: bool = False) -> None:
        lane = self._lanes[zlib.crc32(walk_id.encode()) // 100 % len(self._lanes)]
        if walk_id in lane.waiting:
            self.stats.coalesced += 1
        elif self._ended:
            self._drop(walk_id, user_id, "the pod is stopping")
        elif self.stats.waiting >= self._queue_max:
            self._drop(walk_id, user_id, "the queue is full")
        else:
            lane.waiting[walk_id] = user_id
            self.stats.waiting += 1
            lane.filled.set()
            self._idle.clear()
        if deleted and walk_id in lane.waiting:
            lane.deleters.setdefault(walk_id, []).append(user_id)

    def _drop(self, walk_id: str, user_id: str, why: str) -> None:
        self.stats.dropped += 1
        self._log.error(f"Mirror write dropped: {why}", walk_id=walk_id, user_id=user_id)

    async def _work(self, lane: _Lane, sink: MirrorSink) -> None:
        while True:
            await lane.filled.wait()
            walk_id = next(iter(lane.waiting))
            user_id, deleters = lane.waiting.pop(walk_id), lane.deleters.pop(walk_id, [])
            if not lane.waiting:
                lane.filled.clear()
            changed = False
            try:
                changed = await self._mirror(walk_id, user_id, sink, deleters)
            finally:
                self.stats.waiting -= 1
            if changed:
                self.stats.requeued += 1
                self._enqueue(walk_id, user_id)
            if self.stats.waiting == 0:
                self._idle.set()

    async def _mirror(self, walk_id: str, user_id: str, sink: MirrorSink, deleters: Sequence[str]) -> bool:
        """Mirrors the walk as it is now; whether it has changed since."""
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                walk = await self._write(walk_id, user_id, sink, deleters)
        except asyncio.CancelledError:
            self._drop(walk_id, user_id, "the pod stopped first")
            raise
        except Exception as error:
            self.stats.failed += 1
            self._log.error("Mirror write failed", walk_id=walk_id, user_id=user_id, error=describe(error))
            self.given_up(walk_id, user_id)
            return False
        self.stats.written += 1
        try:
            version = await self._database.walk_version(walk_id)
        except Exception as error:
            self._log.warning("Mirror write not confirmed", walk_id=walk_id, user_id=user_id, error=describe(error))
            self.given_up(walk_id, user_id)  # the walk may be gone, and its document there
            return False
        return version != (None if walk is None else walk.updated_at)

    async def _write(self, walk_id: str, user_id: str, sink: MirrorSink, deleters: Sequence[str]) -> WalkDetail | None:
        """The walk as it was written; ``None`` when it is gone, and its document with it: that of ``user_id`` or of one
        of the ``deleters``. Where the walk of that id is another's since, their document goes first."""
        last: Overtaken | None = None
        for _ in range(ATTEMPTS):
            seen = await sink.look(walk_id)
            walk = await self._database.load_walk(walk_id)  # after the look: what was written before it is in here
            try:
                if walk is None:
                    await _delete(walk_id, seen, dict.fromkeys((user_id, *deleters)), sink)
                else:
                    await _replace(walk, seen, deleters, sink)
            except Overtaken as overtaken:
                self.stats.overtaken += 1
                last = overtaken
            else:
                return walk
        raise Overtaken(f"{ATTEMPTS} times in turn") from last


async def _replace(walk: WalkDetail, seen: object, deleters: Sequence[str], sink: MirrorSink) -> None:
    try:
        await sink.write(walk, seen)
    except AnotherUsers:
        if not (others := [each for each in dict.fromkeys(deleters) if each != walk.user_id]):
            raise
        await _delete(walk.id, seen, others, sink)
        raise Overtaken("the document of a walk that was deleted is gone") from None


async def _delete(walk_id: str, seen: object, users: Iterable[str], sink: MirrorSink) -> None:
    """As the one of ``users`` whose document it is; raises ``AnotherUsers`` where it is none of theirs."""
    *earlier, last = users
    for user_id in earlier:
        with contextlib.suppress(AnotherUsers):
            return await sink.delete(walk_id, seen, user_id)
    return await sink.delete(walk_id, seen, last)


def _nobody(walk_id: str, user_id: str) -> None:
    """Where nobody asks."""
