"""The API's memory database, read past it by the checkers, and one that loses what it has confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from api.memory import MemoryDatabase
from api.model import User, Walk, WalkChange
from api.ports import Clock
from harness.checks.dual_write import StoredWalk

DELAY_S = 0.005


class SimDatabase(MemoryDatabase):
    """``loses`` n: every n-th PUT of a walk that was there is confirmed and then lost, as by a commit that was not."""

    def __init__(self, clock: Clock, loses: int = 0) -> None:
        super().__init__(clock, DELAY_S)
        self._loses = loses
        self._puts = 0

    def stored(self) -> list[StoredWalk]:
        """Every walk, as ``harness.stores.read_walks`` gives them."""
        newest = sorted(self._walks.values(), key=lambda walk: (walk.updated_at, walk.id), reverse=True)
        return [
            StoredWalk(id=walk.id, columns=msgspec.structs.asdict(walk), locations=self._located(walk.id))
            for walk in newest
        ]

    def _located(self, walk_id: str) -> list[Mapping[str, Any]]:
        located = sorted(self._locations[walk_id].items())
        return [{"walk_id": walk_id, **msgspec.structs.asdict(each)} for _, each in located]

    def _save(self, user: User, walk_id: str, change: WalkChange) -> Walk:
        before, located = self._walks.get(walk_id), dict(self._locations.get(walk_id, {}))
        walk = super()._save(user, walk_id, change)
        self._puts += before is not None
        if self._loses and before is not None and self._puts % self._loses == 0:
            self._walks[walk_id], self._locations[walk_id] = before, located
        return walk
