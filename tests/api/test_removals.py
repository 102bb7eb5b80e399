"""Photos of a deleted walk: removed outside the request, counted and logged when that does not succeed."""

from __future__ import annotations

import asyncio

from tests.api import world
from tests.api.world import World


class Photos:
    def __init__(self, *, hang: bool = False, fail: bool = False) -> None:
        self.removed: list[tuple[str, str]] = []
        self._hang = hang
        self._fail = fail

    async def remove_walk(self, user_id: str, walk_id: str) -> None:
        if self._hang:
            await asyncio.Event().wait()
        if self._fail:
            raise ConnectionRefusedError("no Storage here")
        self.removed.append((user_id, walk_id))


async def _create_and_delete(api: World, times: int = 1) -> list[str]:
    ids = []
    async with api.as_user("u1") as client:
        for _ in range(times):
            ids.append((await client.post("/v1/walks", json={"title": "x"})).json()["id"])
            assert (await client.delete(f"/v1/walks/{ids[-1]}")).status_code == 204
        assert (await client.delete(f"/v1/walks/{world.new_id()}")).status_code == 404
    return ids


async def _settled(api: World) -> None:
    async with asyncio.timeout(60):
        while api.service.removals.stats.waiting:  # noqa: ASYNC110 - nothing tells a test when it is idle
            await asyncio.sleep(0.005)


async def test_a_deleted_walk_loses_its_photos() -> None:
    photos = Photos()
    async with world.running(storage=photos) as api:
        ids = await _create_and_delete(api, 3)
        await _settled(api)
        assert photos.removed == [("u1", walk_id) for walk_id in ids]
        assert (api.service.removals.stats.submitted, api.service.removals.stats.removed) == (3, 3)
        assert 'photo_removals_total{outcome="removed"} 3.0\n' in (await api.metrics()).text


async def test_a_storage_that_fails_is_logged_and_counted_and_fails_no_request() -> None:
    async with world.running(storage=Photos(fail=True)) as api:
        [walk_id] = await _create_and_delete(api)
        await _settled(api)
        assert api.service.removals.stats.failed == 1
        [line] = [line for line in api.logs if line["message"] == "Photo removal failed"]
        assert (line["walk_id"], line["user_id"], line["severity"]) == (walk_id, "u1", "ERROR")


async def test_a_storage_that_hangs_delays_no_request_and_what_is_left_is_counted_at_the_stop() -> None:
    async with world.running(storage=Photos(hang=True)) as api:
        async with asyncio.timeout(20):
            ids = await _create_and_delete(api, 4)
        api.service.removals._storage = None  # from here on nothing is taken in
        await api.service.removals.drain(0.05)
        stats = api.service.removals.stats
        assert (stats.submitted, stats.dropped, stats.waiting) == (4, 4, 0)
        dropped = [line["walk_id"] for line in api.logs if line["message"].startswith("Photo removal dropped")]
        assert dropped == ids


async def test_a_full_queue_drops() -> None:
    async with world.running(storage=Photos(hang=True)) as api:
        await asyncio.sleep(0)
        removals = api.service.removals
        for number in range(1_200):
            removals.submit("u1", f"walk-{number}")
        assert removals.stats.dropped == 200
        assert removals.stats.submitted == removals.stats.dropped + removals.stats.waiting
        await removals.drain(0)
