"""A target that is wrong on purpose: the bundled API, of whose lists and walks some are as before their user's last write.

Started by the environment contract, as any other: ``TEST_OLD_EVERY`` is n, of which each pod answers every n-th read so.
No answer fails, and each has the contract's form: such are the answers of a replica that lags, or of a cache.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec

from api import postgres, serve
from api.model import Walk, WalkDetail, WalkPage
from api.settings import read_settings

Real = postgres.PostgresDatabase


class OldAnswers(Real):
    """Remembers of each user what this pod replaced last; ``None``: there was nothing."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._every = int(os.environ["TEST_OLD_EVERY"])
        self._reads = 0
        self._before: dict[str, tuple[str, WalkDetail | None]] = {}

    async def put_walk(self, user: Any, walk_id: str, change: Any) -> Walk | None:
        before = await self.load_walk(walk_id)
        walk = await super().put_walk(user, walk_id, change)
        self._before[user.uid] = (walk_id, before)
        return walk

    async def get_walk(self, user: Any, walk_id: str) -> WalkDetail | None:
        walk = await super().get_walk(user, walk_id)
        old_id, old = self._old(user)
        return old if walk is not None and old is not None and old_id == walk_id else walk

    async def list_walks(self, user: Any, page: int, limit: int) -> WalkPage:
        found = await super().list_walks(user, page, limit)
        old_id, old = self._old(user)
        if not old_id:
            return found
        kept = [walk for walk in found.walks if walk.id != old_id or old is not None]
        walks = [_without_locations(old) if old is not None and walk.id == old_id else walk for walk in kept]
        total = found.total_count - (len(found.walks) - len(walks))
        return msgspec.structs.replace(found, walks=walks, total_count=total)

    def _old(self, user: Any) -> tuple[str, WalkDetail | None]:
        self._reads += 1
        return ("", None) if self._reads % self._every else self._before.get(user.uid, ("", None))


def _without_locations(walk: WalkDetail) -> Walk:
    return Walk(*(getattr(walk, name) for name in Walk.__struct_fields__))


def main() -> int:
    named: Any = serve
    named.PostgresDatabase = OldAnswers
    return serve.serve(read_settings(os.environ))


if __name__ == "__main__":
    sys.exit(main())
