"""Writes whose outcome nobody knows: what was committed is mirrored, what may live in Firestore alone is left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.clock import SystemClock, pause
from api.errors import Invalid, Unavailable
from api.memory import LoopClock, MemoryDatabase, MemoryMirror
from api.model import User, WalkChange, WalkDetail
from api.ports import Clock
from api.postgres import COMMAND_TIMEOUT_S
from api.unsettled import LOOK_AFTER_S, Unsettled
from harness.base.virtual import VirtualLoop
from tests.api import world
from tests.api.test_removals import Photos
from tests.api.world import World, new_id, new_user

LATE_S = 30.0


class LosesAnswers(MemoryDatabase):
    """Commits, and then the answer is lost: ``loses`` says how. ``late`` commits after the look of the mirror."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.loses: BaseException | None = None
        self.commits = True
        self.away = False
        self.late = False

    async def _lose(self, write: Any) -> Any:
        if self.loses is None:
            return await write
        if self.late:
            asyncio.get_running_loop().call_later(LATE_S, asyncio.ensure_future, write)
        elif self.commits:
            await write
        else:
            write.close()
        raise self.loses

    async def put_walk(self, user: User, walk_id: str, change: WalkChange) -> Any:
        return await self._lose(super().put_walk(user, walk_id, change))

    async def create_walk(self, user: User, walk_id: str, new: Any) -> Any:
        return await self._lose(super().create_walk(user, walk_id, new))

    async def delete_walk(self, user: User, walk_id: str) -> Any:
        return await self._lose(super().delete_walk(user, walk_id))

    async def walk_version(self, walk_id: str) -> Any:
        if self.away:
            raise Unavailable("The database does not answer")
        return await super().walk_version(walk_id)

    async def load_walk(self, walk_id: str) -> WalkDetail | None:
        if self.away:
            raise Unavailable("The database does not answer")
        return await super().load_walk(walk_id)


def in_virtual_time(story: Any) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(story())
    finally:
        loop.close()


def lost(database: LosesAnswers) -> None:
    database.loses = Unavailable("The database does not answer")


def titles(api: World) -> dict[str, Any]:
    assert isinstance(api.mirror, MemoryMirror)
    return {name: document[0]["title"] for name, document in api.mirror.documents.items()}


def balanced(unsettled: Unsettled) -> bool:
    stats = unsettled.stats
    return stats.noted == stats.settled + stats.dropped + stats.waiting


def test_the_look_comes_after_the_statement_has_ended() -> None:
    assert LOOK_AFTER_S[0] > COMMAND_TIMEOUT_S


@pytest.mark.parametrize("error", [Unavailable("lost"), ConnectionResetError("a defect"), asyncio.CancelledError()])
def test_a_write_that_was_committed_is_mirrored_though_its_answer_was_lost(error: BaseException) -> None:
    async def story() -> None:
        clock = LoopClock()
        database = LosesAnswers(clock)
        async with world.running(database, None, clock) as api, api.as_user() as client:
            walk_id = new_id()
            await client.put(f"/v1/walks/{walk_id}", json={"title": "before"})
            database.loses = error
            if isinstance(error, asyncio.CancelledError):
                with pytest.raises(asyncio.CancelledError):
                    await client.put(f"/v1/walks/{walk_id}", json={"title": "committed"})
            else:
                answer = await client.put(f"/v1/walks/{walk_id}", json={"title": "committed"})
                assert answer.status_code == (503 if isinstance(error, Unavailable) else 500)
                assert (await client.post("/v1/walks", json={"title": "created"})).status_code >= 500
            await pause(10)
            expected = {"committed"} if isinstance(error, asyncio.CancelledError) else {"committed", "created"}
            assert set(titles(api).values()) == expected
            assert api.service.unsettled.stats.settled == len(expected)
            assert balanced(api.service.unsettled)
            warned = [line for line in api.logs if line["message"] == "The outcome of a write is unknown"]
            assert walk_id in {line["walk_id"] for line in warned}
            assert [line for line in api.logs if "Mirror write" in line["message"]] == []

    in_virtual_time(story)


def test_a_deletion_that_was_committed_takes_document_and_photos_along() -> None:
    async def story() -> None:
        clock, photos, uid = LoopClock(), Photos(), new_user()
        database = LosesAnswers(clock)
        async with world.running(database, None, clock, photos) as api, api.as_user(uid) as client:
            ids = [(await client.post("/v1/walks", json={"title": "t"})).json()["id"] for _ in range(2)]
            await pause(1)
            lost(database)
            assert (await client.delete(f"/v1/walks/{ids[0]}")).status_code == 503
            database.commits = False
            assert (await client.delete(f"/v1/walks/{ids[1]}")).status_code == 503
            await pause(10)
            assert set(titles(api)) == {ids[1].upper()}  # what was not deleted stays, with its photos
            assert photos.removed == [(uid, ids[0])]

    in_virtual_time(story)


def test_what_lives_in_firestore_alone_is_touched_by_nobody_but_its_user() -> None:
    """A PUT or DELETE of any id may meet an outage: no row is no leave to delete somebody's document."""

    async def story() -> None:
        clock, owner, other = LoopClock(), new_user(), new_user()
        database = LosesAnswers(clock)
        async with world.running(database, None, clock) as api:
            async with api.as_user(owner) as client:
                ids = [(await client.post("/v1/walks", json={"title": "t"})).json()["id"] for _ in range(3)]
            await pause(1)
            for walk_id in ids:  # as before the migration: documents, and no rows
                await MemoryDatabase.delete_walk(database, User(owner), walk_id)
            lost(database)
            database.commits = False
            async with api.as_user(other) as client:
                assert (await client.delete(f"/v1/walks/{ids[0]}")).status_code == 503
                assert (await client.put(f"/v1/walks/{ids[1]}", json={"title": "mine"})).status_code == 503
            async with api.as_user(owner) as client:
                assert (await client.put(f"/v1/walks/{ids[1]}", json={"title": "mine"})).status_code == 503
                assert (await client.delete(f"/v1/walks/{ids[2]}")).status_code == 503
            await pause(100)
            assert set(titles(api)) == {walk_id.upper() for walk_id in ids[:2]}
            assert balanced(api.service.unsettled)

    in_virtual_time(story)


def test_it_waits_as_long_as_the_outage() -> None:
    async def story() -> None:
        clock = LoopClock()
        database = LosesAnswers(clock)
        async with world.running(database, None, clock) as api, api.as_user() as client:
            lost(database)
            await client.put(f"/v1/walks/{new_id()}", json={"title": "committed"})
            database.away = True
            await pause(600)
            assert titles(api) == {} and api.service.unsettled.stats.waiting == 1
            database.away = False
            await pause(5)
            assert set(titles(api).values()) == {"committed"}

    in_virtual_time(story)


def test_what_something_held_back_is_seen_by_the_second_look() -> None:
    async def story() -> None:
        clock = LoopClock()
        database = LosesAnswers(clock)
        async with world.running(database, None, clock) as api, api.as_user() as client:
            lost(database)
            database.late = True
            await client.put(f"/v1/walks/{new_id()}", json={"title": "late"})
            await pause(LATE_S + 1)
            assert titles(api) == {}
            await pause(60)
            assert set(titles(api).values()) == {"late"}
            assert api.service.unsettled._writes == {}

    in_virtual_time(story)


def test_what_postgresql_refused_is_no_question() -> None:
    async def story() -> None:
        clock = LoopClock()
        database = LosesAnswers(clock)
        async with world.running(database, None, clock) as api, api.as_user() as client:
            database.loses = Invalid("The walk would be inconsistent")
            database.commits = False
            assert (await client.put(f"/v1/walks/{new_id()}", json={"title": "t"})).status_code == 400
            assert (await client.delete(f"/v1/walks/{new_id()}")).status_code == 400
            assert api.service.unsettled.stats.noted == 0

    in_virtual_time(story)


async def test_the_end_looks_at_once_at_what_still_waits() -> None:
    database = LosesAnswers(SystemClock())
    async with world.running(database) as api, api.as_user() as client:
        lost(database)
        for _ in range(5):
            await client.put(f"/v1/walks/{new_id()}", json={"title": "committed"})
        assert titles(api) == {}
    assert len(titles(api)) == 5
    assert balanced(api.service.unsettled)


@pytest.mark.parametrize("away", [False, True])
async def test_what_the_mirror_notes_while_the_end_looks_is_looked_at_too(away: bool) -> None:
    """The mirror gives up a write of the walk that is just being looked at, and one of another; each is tried once."""
    database, ids, asked = LosesAnswers(SystemClock()), [new_id(), new_id()], list[str]()
    uid = new_user()
    async with world.running(database) as api, api.as_user(uid) as client:
        lost(database)
        await client.put(f"/v1/walks/{ids[0]}", json={"title": "committed"})
        unsettled, version = api.service.unsettled, database.walk_version

        async def noting(walk_id: str) -> Any:
            asked.append(walk_id)
            if len(asked) == 1:
                for each in ids:
                    unsettled.note_late(each, uid)
            return await version(walk_id)

        database.away, database.walk_version = away, noting  # type: ignore[method-assign]
    assert not away or asked == [ids[0], *ids]  # else the mirror asks, too
    stats = unsettled.stats
    assert (stats.noted, stats.dropped, stats.settled) == ((3, 2, 1) if away else (3, 0, 3))
    assert balanced(unsettled) and len(titles(api)) == (not away)
    errors = [line["walk_id"] for line in api.logs if line["severity"] == "ERROR"]
    assert errors == ([ids[0]] if away else [])


async def test_what_the_end_cannot_tell_is_logged_and_counted() -> None:
    database = LosesAnswers(SystemClock())
    walk_id = new_id()
    async with world.running(database) as api, api.as_user() as client:
        lost(database)
        await client.put(f"/v1/walks/{walk_id}", json={"title": "committed"})
        database.away = True
    [line] = [line for line in api.logs if line["severity"] == "ERROR"]
    assert (line["walk_id"], line["message"].partition(":")[0]) == (walk_id, "Mirror write dropped")
    assert api.service.unsettled.stats.dropped == 1
    assert balanced(api.service.unsettled)


async def test_too_many_are_logged_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.unsettled.WAITING_MAX", 3)
    database = LosesAnswers(SystemClock())
    async with world.running(database) as api, api.as_user() as client:
        lost(database)
        ids = [new_id() for _ in range(5)]
        for walk_id in (*ids, ids[0]):
            await client.put(f"/v1/walks/{walk_id}", json={"title": "t"})
        stats = api.service.unsettled.stats
        assert (stats.noted, stats.waiting, stats.dropped, stats.settled) == (6, 3, 2, 1)
        page = (await api.metrics()).text
        assert 'unsettled_writes_total{outcome="dropped"} 2.0\n' in page and "unsettled_writes 3.0\n" in page
    assert balanced(api.service.unsettled)
