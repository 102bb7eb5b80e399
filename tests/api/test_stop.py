"""The ten seconds of a stop when everything takes as long as it may: the mirror has its share all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.clock import pause
from api.memory import LoopClock, MemoryDatabase, MemoryMirror
from api.model import User, WalkChange
from api.postgres import RELEASE_TIMEOUT_S
from api.serve import REQUESTS_S, SERVER_S
from api.service import MIRROR_S
from tests.api import world
from tests.api.test_unsettled import balanced, in_virtual_time, titles
from tests.api.world import new_id

WRITE_S = MIRROR_S - 0.1


class Locked(MemoryDatabase):
    """A PUT waits for its row, and is committed only after nobody waits for its answer.

    A cancelled request has its connection back as late as may be. Of ``silent`` walks no question is answered.
    """

    silent = frozenset[str]()
    look_s = 0.0

    async def put_walk(self, user: User, walk_id: str, change: WalkChange) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            await super().put_walk(user, walk_id, change)
            await pause(RELEASE_TIMEOUT_S)

    async def walk_version(self, walk_id: str) -> Any:
        await pause(self.look_s)
        if walk_id in self.silent:
            await asyncio.Event().wait()
        return await super().walk_version(walk_id)


@pytest.mark.parametrize(("look_s", "mirrored"), [(0.1, 1), (0.2, 1), (0.6, 0), (1.0, 0)])
def test_what_the_stop_cancelled_is_mirrored_or_said_to_be_unknown(look_s: float, mirrored: int) -> None:
    """Two PUTs wait for locked rows. Of the second PostgreSQL says nothing; a look too late takes no mirror's time."""

    async def story() -> None:
        clock = LoopClock()
        database, mirror = Locked(clock), MemoryMirror(WRITE_S)
        ids = [new_id(), new_id()]
        database.silent, database.look_s = frozenset(ids[1:]), look_s
        async with world.running(database, mirror, clock) as api, api.as_user() as client:
            puts = [asyncio.create_task(client.put(f"/v1/walks/{each}", json={"title": each})) for each in ids]
            await pause(1.0)
            api.service.begin_stop()
            await pause(SERVER_S + REQUESTS_S)
            for each in puts:
                each.cancel()
        assert api.service._left_s() >= 0
        await asyncio.gather(*puts, return_exceptions=True)
        assert set(titles(api).values()) == set(ids[:mirrored])
        lost = {line["walk_id"]: line["message"] for line in api.logs if line["severity"] == "ERROR"}
        why = "Mirror write dropped: the pod stopped before its outcome was known"
        assert lost == dict.fromkeys(ids[mirrored:], why)
        assert balanced(api.service.unsettled)

    in_virtual_time(story)
