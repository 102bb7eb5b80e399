"""Healing writes several documents at the same time: what comes of it is what came of one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.errors import PartDied
from harness.base.virtual import VirtualClock
from harness.checks.dual_write import StoredWalk, document_id, expected
from harness.migration import heal as module
from harness.migration.heal import Healing
from harness.model.direction import Direction
from harness.stack.firebase.documents import Fields, StoredDocument
from tests.checks.stored import documents, walk
from tests.migration import memory
from tests.migration.memory import Firestore
from tests.session.examples import examples

WALKS = [f"0b3a6c9e-aaaa-4222-8333-4444555566{n:02d}" for n in range(40)]
COMMIT_S = 0.02


class Slow(Firestore):
    """A commit takes its time. The app writes the documents of ``overtaken`` after they were read, and the commit of a
    document of ``broken`` fails."""

    def __init__(
        self, clock: VirtualClock, found: Mapping[str, Fields], seconds: Mapping[str, float],
        overtaken: frozenset[str] = frozenset(), broken: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        super().__init__(found)
        self.clock, self.seconds = clock, seconds
        self.overtaken, self.broken = overtaken, broken
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.most = self.under_way = 0

    async def commit(self, name: str, seen: StoredDocument | None, fields: Fields | None) -> bool:
        self.begun.append(name)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.clock.sleep(self.seconds.get(name, COMMIT_S))
        finally:
            self.under_way -= 1
        if name in self.broken:
            raise PartDied(f"Firestore failed: {name}")
        if name in self.overtaken:
            return False
        done = await super().commit(name, seen, fields)
        self.ended.append(name)
        return done


class Healed(NamedTuple):
    """What was healed, what that left, how many commits were under way at most, and how long it took in seconds."""

    done: Healing
    left: dict[str, Fields]
    begun: list[str]
    most: int
    seconds: float


class World(NamedTuple):
    """The walks of PostgreSQL, the documents of Firestore, and the walks whose deletion the API confirmed."""

    walks: list[StoredWalk]
    found: dict[str, Fields]
    deleted: list[str]


def to_write(count: int, to_delete: int = 0) -> World:
    """So many walks without a document, and documents of walks that were deleted."""
    gone = WALKS[count : count + to_delete]
    return World([walk(each, points=1) for each in WALKS[:count]], documents(*map(walk, gone)), gone)


async def healing(store: Slow, world: World) -> Healing:
    return await memory.heal(store, world.walks, Direction.TO_FIRESTORE, deleted=world.deleted)


def heal(
    world: World, at_once: int, seconds: Mapping[str, float] | None = None, overtaken: frozenset[str] = frozenset()
) -> Healed:
    clock = VirtualClock()
    store = Slow(clock, world.found, seconds or {}, overtaken)
    begun_ns = clock.now_ns()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AT_ONCE", at_once)
        done = clock.run(healing(store, world))
    return Healed(done, store.documents, store.begun, store.most, (clock.now_ns() - begun_ns) / 1e9)


#: Of each walk: neither store has it, PostgreSQL alone, both alike, an older document, a document of a deleted walk.
FATES = st.lists(st.integers(0, 4), min_size=1, max_size=len(WALKS))


@given(
    fates=FATES,
    seconds=st.lists(st.sampled_from([0.0, 0.001, COMMIT_S, 1.0]), min_size=len(WALKS), max_size=len(WALKS)),
    overtaken=st.lists(st.booleans(), min_size=len(WALKS), max_size=len(WALKS)),
    at_once=st.integers(2, 50),
)
@settings(max_examples=examples(200), deadline=None)
def test_what_is_written_at_the_same_time_comes_to_what_is_written_one_by_one(
    fates: list[int], seconds: list[float], overtaken: list[bool], at_once: int
) -> None:
    of = {each: [name for name, fate in zip(WALKS, fates, strict=False) if fate == each] for each in range(5)}
    stored = [walk(name, points=1) for fate in (1, 2, 3) for name in of[fate]]
    found = documents(
        *(walk(name, points=1) for name in of[2]),
        *(walk(name, points=1, title="older") for name in of[3]),
        *map(walk, of[4]),
    )
    world = World(stored, found, of[4])
    takes = {document_id(name): took for name, took in zip(WALKS, seconds, strict=True)}
    ahead = frozenset(document_id(name) for name, met in zip(WALKS, overtaken, strict=True) if met)
    alone, together = (heal(world, count, takes, ahead) for count in (1, at_once))
    assert together.done == alone.done, "counts, what is named, and their order"
    assert together.left == alone.left
    left = [each.partition(":")[0] for each in map(str, together.done.named) if each.endswith("meanwhile")]
    assert left == [name.lower() for name in alone.begun if name in ahead]
    assert alone.most <= 1 and together.most <= at_once
    assert sorted(together.begun) == sorted(alone.begun) == sorted({*alone.begun}), "each once"
    deletions = {document_id(name) for name in of[4]}
    first_deleted = next((n for n, name in enumerate(together.begun) if name in deletions), len(together.begun))
    assert deletions.issuperset(together.begun[first_deleted:]), "what is written is written before anything is deleted"


def test_it_takes_an_eighth_of_the_time() -> None:
    world = to_write(40)
    alone, together = heal(world, 1), heal(world, module.AT_ONCE)
    assert module.AT_ONCE == together.most == 8
    assert alone.seconds == pytest.approx(40 * COMMIT_S) and together.seconds == pytest.approx(5 * COMMIT_S)


def test_a_store_that_fails_is_told_as_it_was_and_nothing_goes_on_behind_it() -> None:
    world, clock = to_write(40), VirtualClock()
    broken = frozenset({document_id(WALKS[3])})
    store = Slow(clock, world.found, {}, broken=broken)

    async def course() -> None:
        with pytest.raises(PartDied, match=f"Firestore failed: {document_id(WALKS[3])}"):
            await healing(store, world)
        begun, tasks = len(store.begun), len(asyncio.all_tasks())
        await clock.sleep(10.0)
        assert (store.under_way, len(store.begun), tasks) == (0, begun, 1) and begun < 3 * module.AT_ONCE

    clock.run(course())


@pytest.mark.parametrize(("count", "to_delete"), [(40, 0), (1, 30)], ids=["writing", "deleting"])
def test_a_healing_that_is_cut_leaves_nothing_under_way(count: int, to_delete: int) -> None:
    world, clock = to_write(count, to_delete), VirtualClock()
    store = Slow(clock, world.found, {})

    async def course() -> None:
        task = asyncio.create_task(healing(store, world))
        await clock.sleep(1.5 * COMMIT_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert store.under_way == 0 and len(asyncio.all_tasks()) == 1
        begun = len(store.begun)
        await clock.sleep(10.0)
        assert len(store.begun) == begun and 0 < len(store.ended) < count + to_delete

    clock.run(course())
    written = {document_id(each) for each in WALKS[:count]} & {*store.ended}
    assert all(
        store.documents[name] == expected(next(w for w in world.walks if document_id(w.id) == name)) for name in written
    )
