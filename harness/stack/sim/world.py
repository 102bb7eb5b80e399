"""One world: every part of a run in memory, and what is wrong with them where something is planted."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec

from api.memory import MemoryDatabase
from api.model import User, Walk, WalkChange, WalkDetail, WalkPage
from api.ports import Clock
from harness.base.seed import stream
from harness.base.virtual import VirtualClock
from harness.stack.sim.firestore import MemoryFirestore, Mirror
from harness.stack.sim.parts import SimParts
from harness.stack.sim.service import Lie, PlantedAnswer, SimCaller, SimService

# The API's memory database, read past the API by the checkers; it may lose what it confirmed, or show it late.

DELAY_S = 0.005


class SimDatabase(MemoryDatabase):
    """``loses`` n: every n-th PUT of a walk that was there is confirmed and then lost, as by a commit that was not.
    ``shows_old`` n: every n-th list or walk is as before its user's last PUT, as from a replica that lags.
    """

    def __init__(self, clock: Clock, loses: int = 0, shows_old: int = 0) -> None:
        super().__init__(clock, DELAY_S)
        self._loses = loses
        self._shows_old = shows_old
        self._puts = self._reads = 0
        self._before: dict[str, WalkDetail] = {}

    async def get_walk(self, user: User, walk_id: str) -> WalkDetail | None:
        """The user's walk, or an older one."""
        walk, old = await super().get_walk(user, walk_id), self._old(user)
        return old if walk is not None and old is not None and old.id == walk_id else walk

    async def list_walks(self, user: User, page: int, limit: int) -> WalkPage:
        """The user's walks, or an older one among them."""
        found, old = await super().list_walks(user, page, limit), self._old(user)
        walks = [_listed(old) if old is not None and walk.id == old.id else walk for walk in found.walks]
        return msgspec.structs.replace(found, walks=walks)

    def _old(self, user: User) -> WalkDetail | None:
        self._reads += 1
        return self._before.get(user.uid) if self._shows_old and self._reads % self._shows_old == 0 else None

    def rows(self) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Every walk past the API, the last written first: its row of ``walks``, its rows of ``walk_locations``."""
        newest = sorted(self._walks.values(), key=lambda walk: (walk.updated_at, walk.id), reverse=True)
        return [(msgspec.structs.asdict(walk), self._located(walk.id)) for walk in newest]

    def _located(self, walk_id: str) -> list[dict[str, Any]]:
        located = sorted(self._locations[walk_id].items())
        return [{"walk_id": walk_id, **msgspec.structs.asdict(each)} for _, each in located]

    def _save(self, user: User, walk_id: str, change: WalkChange) -> Walk:
        before, located = self._walks.get(walk_id), dict(self._locations.get(walk_id, {}))
        if before is not None and self._shows_old:
            points = [point for _, point in sorted(located.items())]
            self._before[user.uid] = WalkDetail(**msgspec.structs.asdict(before), locations=points)
        walk = super()._save(user, walk_id, change)
        self._puts += before is not None
        if self._loses and before is not None and self._puts % self._loses == 0:
            self._walks[walk_id], self._locations[walk_id] = before, located
        return walk


def _listed(walk: WalkDetail) -> Walk:
    return Walk(*(getattr(walk, name) for name in Walk.__struct_fields__))


class PlantedFaults(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong in a world; nothing unless told. It shows that the judge sees it.

    Shares are exact at every request, of phones' requests (``errors``, ``slow``: waits ``slow_ms``) and of probes
    (``unavailable``). Every ``puts_lost``-th PUT and ``documents_lost``-th mirror write is confirmed and lost, every
    ``reads_old``-th list or walk is as before its user's last PUT. ``deaf`` instances do not hear of a roll back.
    With ``one_by_one_ms`` phones' requests are served one after another, each so long: where more come they queue.
    ``lie`` says what becomes of each answer of a pod.
    """

    errors: Fraction = Fraction(0)
    slow: Fraction = Fraction(0)
    slow_ms: float = 0.0
    unavailable: Fraction = Fraction(0)
    puts_lost: int = 0
    reads_old: int = 0
    documents_lost: int = 0
    deaf: frozenset[str] = frozenset()
    one_by_one_ms: float = 0.0
    lie: Lie | None = None

    def plants(self) -> tuple[PlantedAnswer, ...]:
        """Those in front of the pods."""
        made = (
            PlantedAnswer(caller=SimCaller.PHONE, share=self.errors),
            PlantedAnswer(caller=SimCaller.PHONE, share=self.slow, delay_ms=self.slow_ms),
            PlantedAnswer(caller=SimCaller.PROBE, share=self.unavailable),
        )
        return tuple(plant for plant in made if plant.share)


class SimWorld:
    """The parts of one run, which share a clock and one stream of chance of ``seed``."""

    def __init__(self, clock: VirtualClock, seed: int, planted: PlantedFaults) -> None:
        self.clock = clock
        self.service = SimService(clock, stream(seed, "sim"), planted.plants(), planted.one_by_one_ms)
        self.service.lie = planted.lie
        self.database = SimDatabase(clock, planted.puts_lost, planted.reads_old)
        self.firestore = MemoryFirestore(clock)
        self.mirror = Mirror(self.firestore, planted.documents_lost)
        self.parts = SimParts(clock, planted.deaf)
