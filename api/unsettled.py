"""Writes whose outcome nobody knows: PostgreSQL may have committed although its answer was lost.

The caller got a 503, or the request ended with the pod. What was committed has to be mirrored all the same, and a walk
that was deleted has photos. So the walk is looked at later, when the statement has ended one way or the other
(``api.postgres`` bounds it in the server too), and as often as it takes until PostgreSQL answers; once more after a
minute, for a statement that something between held back. A look too many does no harm: the mirror writes what is there.

A walk that is not there is no walk deleted: it may live in Firestore alone, and be anybody's. Its document goes only
when its own user asked for that.

A mirror write that was given up may arrive late, too. Over a newer document it holds no more (``api.ports``), but after
the walk was deleted there is none: what it makes then is found here, and deleted.
"""

from __future__ import annotations

import asyncio

from msgspec import Struct

from api.clock import pause
from api.logs import Log, describe
from api.mirror import Mirror
from api.ports import Ports
from api.removals import Removals

LOOK_AFTER_S = (6.0, 60.0)  # the first beyond api.postgres.COMMAND_TIMEOUT_S
EVERY_S = 1.0
LOOK_TIMEOUT_S = 5.0
WAITING_MAX = 1000
_NS = 1_000_000_000


class UnsettledStats(Struct):
    """Since the start. Always: noted = settled + dropped + waiting, and ``waiting`` are those without a look yet.

    ``settled`` were looked at once at least, or are looked at together with a later one of the same walk and user.
    """

    noted: int = 0
    settled: int = 0
    dropped: int = 0
    waiting: int = 0


class _Write(Struct):
    writes: bool  # PostgreSQL
    deletes: bool
    late: bool  # a mirror write that was given up, on its way perhaps
    noted_ns: int
    looks: int = 0
    tried: bool = False  # at the end, once, whether it could be looked at or not

    @property
    def due_ns(self) -> int:
        return self.noted_ns + round(LOOK_AFTER_S[self.looks] * _NS)


class Unsettled:
    """A bounded set and one worker."""

    def __init__(self, ports: Ports, mirror: Mirror, removals: Removals, log: Log) -> None:
        self._database = ports.database
        self._sink = ports.mirror
        self._clock = ports.clock
        self._mirror = mirror
        self._removals = removals
        self._log = log
        self._writes: dict[tuple[str, str], _Write] = {}
        self._any = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self.stats = UnsettledStats()

    def start(self) -> None:
        """Starts the worker in the running loop."""
        self._worker = asyncio.create_task(self._work())

    def note(self, walk_id: str, user_id: str, *, deletes: bool = False) -> None:
        """Takes note that ``user_id`` may have written or deleted the walk. Never waits, never raises."""
        self._log.warning("The outcome of a write is unknown", walk_id=walk_id, user_id=user_id)
        if not self._note((walk_id, user_id), _Write(True, deletes, False, self._clock.monotonic_ns())):
            self._dropped((walk_id, user_id), "too many wait")

    def note_late(self, walk_id: str, user_id: str) -> None:
        """Takes note that the mirror gave up a write of the walk, which is logged. Never waits, never raises."""
        self._note((walk_id, user_id), _Write(False, False, True, self._clock.monotonic_ns()))

    def _note(self, key: tuple[str, str], write: _Write) -> bool:
        """Whether there is room for it."""
        self.stats.noted += 1
        before = self._writes.get(key)
        if before is not None:
            write.writes, write.deletes = write.writes or before.writes, write.deletes or before.deletes
            write.late = write.late or before.late
            if not before.looks:
                self._end(settled=True)  # one look tells of both
        elif len(self._writes) >= WAITING_MAX:
            self.stats.dropped += 1
            return False
        self._writes[key] = write
        self.stats.waiting += 1
        self._any.set()
        return True

    async def drain(self, budget_s: float) -> None:
        """Looks once at what was not looked at yet, and at what is noted the while, for at most ``budget_s``; the rest
        is logged and counted."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        try:
            async with asyncio.timeout(max(budget_s, 0)):
                while left := [(key, write) for key, write in self._writes.items() if not write.tried]:
                    for key, write in left:
                        write.tried = True
                        if not write.looks and self._writes.get(key) is write:
                            await self._look(key, write)  # meanwhile the mirror may note a late one in its place
        except TimeoutError:
            self._log.warning(f"Writes of unknown outcome were not all looked at within {budget_s:.1f} s")
        for key, write in self._writes.items():
            if not write.looks:
                self._end(settled=False)
            if not write.looks and write.writes:
                self._dropped(key, "the pod stopped before its outcome was known")
        self._writes.clear()

    async def _work(self) -> None:
        while True:
            await self._any.wait()
            await pause(EVERY_S)
            now_ns = self._clock.monotonic_ns()
            for key, write in list(self._writes.items()):
                if write.due_ns <= now_ns and not await self._look(key, write):
                    break  # whatever did not answer is asked again in a moment
            if not self._writes:
                self._any.clear()

    async def _look(self, key: tuple[str, str], write: _Write) -> bool:
        """Whether PostgreSQL, and where it must be asked Firestore, answered."""
        walk_id, user_id = key
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                there = await self._database.walk_version(walk_id) is not None
                gone = not there and (write.deletes or write.late)
                mirrored = (there and write.writes) or (gone and await self._is_their_document(walk_id, user_id))
        except Exception as error:
            self._log.debug("A write's outcome is still unknown", walk_id=walk_id, error=describe(error))
            return False
        if mirrored:
            self._mirror.submit(walk_id, user_id, deleted=write.deletes)
        deleted = gone and write.deletes
        if deleted:
            self._removals.submit(user_id, walk_id)
        if self._writes.get(key) is not write:
            return True  # another one was noted meanwhile, which ended this one and has a look of its own
        if not write.looks:
            self._end(settled=True)
        write.looks += 1
        last = write.looks == len(LOOK_AFTER_S)
        if deleted and write.late and not last:
            write.writes = write.deletes = False  # this is known; the late write is looked for once more
        elif deleted or last:
            del self._writes[key]
        return True

    async def _is_their_document(self, walk_id: str, user_id: str) -> bool:
        return self._sink is not None and await self._sink.owner(walk_id) == user_id

    def _end(self, *, settled: bool) -> None:
        self.stats.waiting -= 1
        if settled:
            self.stats.settled += 1
        else:
            self.stats.dropped += 1

    def _dropped(self, key: tuple[str, str], why: str) -> None:
        walk_id, user_id = key
        self._log.error(f"Mirror write dropped: {why}", walk_id=walk_id, user_id=user_id)
