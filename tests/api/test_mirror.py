"""The second write: what is mirrored, in which order, and what happens to what is not."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from api.clock import SystemClock
from api.errors import Unavailable
from api.firestore_document import document_id
from api.memory import MemoryDatabase, MemoryMirror
from api.mirror import Mirror, MirrorStats, mirrored
from api.model import User, WalkChange, WalkDetail
from tests.api import world
from tests.api.contract import location
from tests.api.world import World, new_id, new_user


def balanced(stats: MirrorStats) -> bool:
    ended = stats.coalesced + stats.written + stats.failed + stats.dropped + stats.waiting
    return stats.submitted + stats.requeued == ended


async def settled(api: World) -> None:
    async with asyncio.timeout(60):
        while api.service.mirror.stats.waiting:  # noqa: ASYNC110 - the mirror tells no test when it is idle
            await asyncio.sleep(0.005)
    assert balanced(api.service.mirror.stats)


def documents(api: World) -> dict[str, Any]:
    assert isinstance(api.mirror, MemoryMirror)
    return api.mirror.documents


async def test_every_kind_of_write_reaches_the_mirror(api: World) -> None:
    async with api.as_user() as client:
        created = (await client.post("/v1/walks", json={"title": "created"})).json()["id"]
        put = new_id()
        await client.put(f"/v1/walks/{put}", json={"title": "put", "locations": [location(0), location(1)]})
        await settled(api)
        assert {key: entry[0]["title"] for key, entry in documents(api).items()} == {
            created.upper(): "created",
            put.upper(): "put",
        }
        assert len(documents(api)[put.upper()][1]) == 2
        await client.delete(f"/v1/walks/{created}")
        await settled(api)
        assert set(documents(api)) == {put.upper()}


async def test_reads_and_refused_writes_do_not(api: World) -> None:
    async with api.as_user() as client:
        await client.get("/v1/walks")
        await client.put(f"/v1/walks/{new_id()}", json={"total_steps": -1})
        await client.delete(f"/v1/walks/{new_id()}")
        assert api.service.mirror.stats == MirrorStats()


async def test_a_later_write_is_never_overtaken(api: World) -> None:
    """Many writes of few walks, through a mirror that takes its time: the last state of each is what stays."""
    assert isinstance(api.mirror, MemoryMirror)
    api.mirror.delay_s = 0.003
    ids = [new_id() for _ in range(5)]
    async with api.as_user() as client:
        for steps in range(40):
            await asyncio.gather(*(client.put(f"/v1/walks/{walk_id}", json={"total_steps": steps}) for walk_id in ids))
        for walk_id in ids[:2]:
            await client.delete(f"/v1/walks/{walk_id}")
        await settled(api)
    assert {key: entry[0]["total_steps"] for key, entry in documents(api).items()} == {
        walk_id.upper(): 39 for walk_id in ids[2:]
    }


class _OvertakenMirror(MemoryMirror):
    """Lets another pod write the walk, in the database and here, between this pod's read and its write."""

    def __init__(self, database: MemoryDatabase, user: User) -> None:
        super().__init__()
        self.database, self.user, self.overtakes = database, user, 3

    async def write(self, walk: WalkDetail, seen: object) -> None:
        if self.overtakes:
            self.overtakes -= 1
            await self.database.put_walk(self.user, walk.id, WalkChange(title=f"newer {self.overtakes}"))
            newest = await self.database.load_walk(walk.id)
            assert newest is not None
            await super().write(newest, seen)
        await super().write(walk, seen)


async def test_another_pods_newer_write_is_not_lost() -> None:
    uid = new_user()
    database = MemoryDatabase(SystemClock())
    mirror = _OvertakenMirror(database, User(uid))
    async with world.running(database, mirror) as api, api.as_user(uid) as client:
        walk_id = (await client.post("/v1/walks", json={"title": "older"})).json()["id"]
        await settled(api)
        assert mirror.documents[walk_id.upper()][0]["title"] == "newer 0"
        assert api.service.mirror.stats.overtaken == 3
        assert api.service.mirror.stats.written == 1


class _Unwilling(MemoryMirror):
    """Refuses, or never answers."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self.answer = answer

    async def write(self, walk: WalkDetail, seen: object) -> None:
        if self.answer == "refuses":
            raise ConnectionError("the mirror is down")
        await asyncio.Event().wait()


async def test_a_failed_write_is_logged_with_its_walk_and_counted() -> None:
    uid = new_user()
    async with world.running(None, _Unwilling("refuses")) as api, api.as_user(uid) as client:
        answer = await client.post("/v1/walks", json={"title": "t"})
        assert answer.status_code == 201
        await settled(api)
        [line] = [line for line in api.logs if line["severity"] == "ERROR"]
        assert (line["walk_id"], line["user_id"]) == (answer.json()["id"], uid)
        assert "the mirror is down" in line["error"]
        assert api.service.mirror.stats.failed == 1
        metrics = (await api.metrics()).text
        assert 'mirror_writes_total{outcome="failed"} 1.0\n' in metrics


async def test_a_hanging_write_fails_in_time_and_the_lane_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.mirror.WRITE_TIMEOUT_S", 0.05)
    async with world.running(None, _Unwilling("hangs"), mirror_lanes=1) as api, api.as_user() as client:
        for _ in range(3):
            assert (await client.post("/v1/walks", json={"title": "t"})).status_code == 201
        await settled(api)
        assert api.service.mirror.stats.failed == 3


async def test_a_full_queue_drops_logs_counts_and_delays_nobody() -> None:
    async with (
        world.running(None, _Unwilling("hangs"), mirror_queue_max=4, mirror_lanes=2) as api,
        api.as_user() as client,
    ):
        async with asyncio.timeout(20):
            answers = [await client.post("/v1/walks", json={"title": "t"}) for _ in range(20)]
        assert {answer.status_code for answer in answers} == {201}
        stats = api.service.mirror.stats
        assert (stats.waiting, stats.dropped) == (4, 16)
        dropped = [line for line in api.logs if line["severity"] == "ERROR"]
        assert [line["walk_id"] for line in dropped] == [answer.json()["id"] for answer in answers[4:]]
        assert "queue is full" in dropped[0]["message"]
        metrics = (await api.metrics()).text
        assert 'mirror_writes_total{outcome="dropped"} 16.0\n' in metrics
        assert "mirror_queue 4.0\n" in metrics
        api.service.begin_stop()
        api.service._stopping_since_ns = -(10**12)  # the ten seconds are over: what waits is dropped at the end
    assert stats.dropped == 20
    assert balanced(stats)
    assert len({line["walk_id"] for line in api.logs if "dropped" in line["message"] and "walk_id" in line}) == 20


async def test_what_waits_is_written_before_the_end() -> None:
    mirror = MemoryMirror(delay_s=0.01)
    async with world.running(None, mirror) as api, api.as_user() as client:
        for _ in range(30):
            await client.post("/v1/walks", json={"title": "t"})
        assert len(mirror.documents) < 30
    assert len(mirror.documents) == 30
    assert balanced(api.service.mirror.stats)


def test_the_share_is_by_walk_and_nested() -> None:
    ids = [str(uuid.uuid4()) for _ in range(4000)]
    shares = {share: {walk_id for walk_id in ids if mirrored(walk_id, share)} for share in (0, 10, 50, 100)}
    assert shares[0] == set()
    assert shares[100] == set(ids)
    assert shares[10] < shares[50]
    assert 0.45 < len(shares[50]) / len(ids) < 0.55


async def test_walks_outside_the_share_are_skipped() -> None:
    async with world.running(mirror_share_percent=50) as api, api.as_user() as client:
        ids = [(await client.post("/v1/walks", json={"title": "t"})).json()["id"] for _ in range(40)]
        await settled(api)
        assert set(documents(api)) == {walk_id.upper() for walk_id in ids if mirrored(walk_id, 50)}
        assert api.service.mirror.stats.skipped == 40 - len(documents(api))


async def test_without_a_sink_nothing_is_mirrored() -> None:
    clock = SystemClock()
    async with world.running() as api:
        mirror = Mirror(MemoryDatabase(clock), None, api.service.log)
        mirror.start()
        mirror.submit(new_id(), "u")
        await mirror.drain(1)
        assert mirror.stats == MirrorStats(skipped=1)


class _Unconfirmed(MemoryDatabase):
    """Never says which version a walk has: the look after a write hangs."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.looking = asyncio.Event()

    async def walk_version(self, walk_id: str) -> Any:
        self.looking.set()
        await asyncio.Event().wait()


async def test_a_write_that_succeeded_is_no_loss_though_the_stop_ends_the_look_after_it() -> None:
    database = _Unconfirmed()
    async with world.running(database) as api, api.as_user() as client:
        await client.post("/v1/walks", json={"title": "t"})
        await database.looking.wait()
        api.service.begin_stop()
        api.service._stopping_since_ns = -(10**12)  # the ten seconds are over
    stats = api.service.mirror.stats
    assert (stats.written, stats.dropped, stats.waiting) == (1, 0, 0)
    assert balanced(stats)
    assert [line for line in api.logs if line["severity"] == "ERROR"] == []


async def test_a_delete_that_waits_together_with_another_user_s_walk_of_that_id_is_done_first() -> None:
    mirror = MemoryMirror()
    async with world.running(None, mirror) as api, api.as_user("a") as one, api.as_user("b") as other:
        walk_id = (await one.post("/v1/walks", json={"title": "theirs"})).json()["id"]
        await settled(api)
        mirror.delay_s = 0.05
        await one.delete(f"/v1/walks/{walk_id}")
        await other.put(f"/v1/walks/{walk_id}", json={"title": "mine"})
        await settled(api)
        fields, _ = mirror.documents[document_id(walk_id)]
        assert (fields["title"], fields["user_id"]) == ("mine", "b")
        await other.delete(f"/v1/walks/{walk_id}")
        await settled(api)
        (await one.put(f"/v1/walks/{walk_id}", json={"title": "theirs again"})).raise_for_status()
        await settled(api)
        await one.delete(f"/v1/walks/{walk_id}")
        await other.put(f"/v1/walks/{walk_id}", json={"title": "mine"})
        await other.delete(f"/v1/walks/{walk_id}")
        await settled(api)
        assert document_id(walk_id) not in mirror.documents, "it is the first deleter's"
        assert api.service.mirror.stats.failed == 0


async def test_another_user_s_document_is_not_deleted_by_what_they_only_wrote() -> None:
    """A walk is theirs in Firestore alone, and another's in PostgreSQL: a write of theirs of which nobody knows the
    outcome is looked at, and deletes nothing."""
    mirror = MemoryMirror()
    async with world.running(None, mirror) as api, api.as_user("b") as other:
        walk_id = new_id()
        mirror.documents[document_id(walk_id)] = ({"user_id": "a", "title": "theirs"}, [])
        mirror._versions[document_id(walk_id)] = -1
        await other.put(f"/v1/walks/{walk_id}", json={"title": "mine"})
        api.service.mirror.submit(walk_id, "a")
        await settled(api)
        assert mirror.documents[document_id(walk_id)][0]["title"] == "theirs"


async def test_a_write_that_could_not_be_confirmed_is_looked_at_again() -> None:
    """The walk may have been deleted meanwhile, by another pod that saw no document: it would stay for ever."""

    class Silent(MemoryDatabase):
        async def walk_version(self, walk_id: str) -> Any:
            raise Unavailable("busy")

    async with world.running(Silent(SystemClock())) as api, api.as_user("u") as client:
        walk_id = (await client.post("/v1/walks", json={"title": "t"})).json()["id"]
        await settled(api)
        assert api.service.mirror.stats.written == 1
        assert (walk_id, "u") in api.service.unsettled._writes


async def test_a_write_that_others_overtake_each_time_fails_and_says_so() -> None:
    class Contended(MemoryMirror):
        async def look(self, walk_id: str) -> object:
            return "never what is there"

    async with world.running(None, Contended()) as api, api.as_user() as client:
        walk_id = (await client.post("/v1/walks", json={"title": "t"})).json()["id"]
        await settled(api)
        stats = api.service.mirror.stats
        assert (stats.failed, stats.overtaken) == (1, 10)
        [line] = [line for line in api.logs if line["severity"] == "ERROR"]
        assert line["walk_id"] == walk_id and "Overtaken" in line["error"]
