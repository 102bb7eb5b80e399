"""The mirror through any sequence of writes, of two pods, with a Firestore that is late, refuses or hangs, and pods killed.

In virtual time, over the API's own application. After quiet, Firestore holds for each walk what PostgreSQL holds; but
for walks of which a pod's log says at or after their last write that a mirror write did not succeed, and for those that
a killed pod still had to mirror.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from hypothesis import HealthCheck, currently_in_test_context, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from api.app import build_app
from api.clock import pause
from api.errors import Unavailable
from api.firestore_document import document_id, fields, location_map
from api.logs import Log
from api.memory import LoopClock, MemoryDatabase, MemoryMirror, MemoryTokens, SeededIds
from api.model import User, WalkChange, WalkDetail
from api.ports import Ports
from api.service import Service
from api.unsettled import EVERY_S, LOOK_AFTER_S, LOOK_TIMEOUT_S, UnsettledStats
from harness.base.virtual import VirtualLoop
from harness.stack.sim.service import over_asgi
from tests.api import world
from tests.api.contract import location
from tests.api.test_mirror import balanced
from tests.api.test_unsettled import balanced as settled_balance
from tests.session.examples import examples

T = TypeVar("T")
USER = "walker"
WALKS = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(3)]
#: After a pod's last look (``api.unsettled.LOOK_AFTER_S``) at a write given up after five seconds, and a retry.
QUIET_S = 90.0
#: As late as a write may arrive that its pod has given up: before that look.
LATEST_S = 50.0
QUEUE_MAX, LANES = 2, 2

#: How Firestore treats a write: seconds until it happens, or ``None`` when it never does; and whether the client is told.
Mood = tuple[float | None, bool]
MOODS: list[Mood] = [
    (0.0, True),
    (0.3, True),
    (4.0, True),
    (0.1, False),
    (30.0, False),
    (LATEST_S, False),
    (None, False),
    (None, True),
]
WELL: Mood = (0.01, True)
PODS = st.sampled_from([0, 1])
walks = st.sampled_from(WALKS)
#: Of a write whose answer is lost; ``None`` when it never is committed.
COMMITS_AFTER_S = st.sampled_from([None, 0.0, 4.0])


class Firestore:
    """The documents, and what is on its way to them, which no end of a client stops."""

    def __init__(self) -> None:
        self.held = MemoryMirror()
        self.mood: Mood = WELL
        self.under_way: set[asyncio.Task[None]] = set()

    async def write(self, apply: Callable[[], Awaitable[None]]) -> None:
        """Returns when the client is told; raises what it is told."""
        after_s, told = self.mood
        if after_s is None:
            if told:
                raise ConnectionError("refused")
            await asyncio.Event().wait()
            return
        task = asyncio.create_task(self._later(after_s, apply))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        if told:
            await asyncio.shield(task)
        else:
            task.add_done_callback(asyncio.Task.exception)  # nobody hears of it
            await asyncio.Event().wait()

    @staticmethod
    async def _later(after_s: float, apply: Callable[[], Awaitable[None]]) -> None:
        await pause(after_s)
        await apply()


class Sink:
    """A pod's client of it."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore
        self.look = firestore.held.look
        self.owner = firestore.held.owner

    async def open(self) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""

    async def write(self, walk: WalkDetail, seen: object) -> None:
        await self._firestore.write(lambda: self._firestore.held.write(walk, seen))

    async def delete(self, walk_id: str, seen: object, user_id: str) -> None:
        await self._firestore.write(lambda: self._firestore.held.delete(walk_id, seen, user_id))


class Postgres(MemoryDatabase):
    """One for all pods. ``loses_answers``: a write ends in a 503, and is committed ``commits_after_s`` later, or never.

    ``written_s`` has when each walk was last committed; a question for a version takes ``version_takes_s``.
    """

    def __init__(self) -> None:
        super().__init__(LoopClock(), delay_s=0.01)
        self.loses_answers = False
        self.commits_after_s: float | None = None
        self.away = False
        self.version_takes_s = 0.0
        self.written_s: dict[str, float] = {}
        self.under_way: set[asyncio.Task[None]] = set()

    async def put_walk(self, user: User, walk_id: str, change: WalkChange) -> Any:
        return await self._write(walk_id, lambda: super(Postgres, self).put_walk(user, walk_id, change))

    async def delete_walk(self, user: User, walk_id: str) -> Any:
        return await self._write(walk_id, lambda: super(Postgres, self).delete_walk(user, walk_id))

    async def load_walk(self, walk_id: str) -> WalkDetail | None:
        self._answers()
        return await super().load_walk(walk_id)

    async def walk_version(self, walk_id: str) -> Any:
        self._answers()
        await pause(self.version_takes_s)
        return await super().walk_version(walk_id)

    async def _write(self, walk_id: str, write: Callable[[], Awaitable[Any]]) -> Any:
        self._answers()
        if not self.loses_answers:
            return await self._commit(walk_id, write)
        if self.commits_after_s is not None:
            task = asyncio.create_task(self._later(self.commits_after_s, walk_id, write))
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)
        raise Unavailable("The database does not answer")

    async def _later(self, after_s: float, walk_id: str, write: Callable[[], Awaitable[Any]]) -> None:
        await pause(after_s)
        await self._commit(walk_id, write)

    async def _commit(self, walk_id: str, write: Callable[[], Awaitable[Any]]) -> Any:
        result = await write()
        if result:  # not where there was nothing to delete
            self.written_s[walk_id] = asyncio.get_running_loop().time()
        return result

    def _answers(self) -> None:
        if self.away:
            raise Unavailable("The database does not answer")


class Pod:
    """The application over both stores; ``losses`` has each mirror write that its log gives up, and when."""

    def __init__(self, loop: asyncio.AbstractEventLoop, postgres: Postgres, firestore: Firestore) -> None:
        self.losses: list[tuple[float, str]] = []
        self.under_way: set[str] = set()
        self._loop = loop
        clock = LoopClock()
        ids = SeededIds(random.Random(0))
        ports = Ports(database=postgres, tokens=MemoryTokens(), clock=clock, ids=ids, mirror=Sink(firestore))
        chosen = world.settings(mirror_queue_max=QUEUE_MAX, mirror_lanes=LANES)
        self.log = Log(clock, pod_name="pod", write=self._written)
        app = build_app(chosen, ports, self.log)
        self.service: Service = app.state.service
        self._mirror: Callable[..., Awaitable[bool]] = self.service.mirror._mirror
        self.service.mirror._mirror = self._noted
        self._app = app

    async def answers(self, method: str, walk: str, body: bytes = b"") -> int:
        """With which status."""
        return (await over_asgi(self._app, method, f"/v1/walks/{walk}", USER, body)).status

    async def stop(self) -> set[str]:
        """As SIGTERM: all that the API does itself. The walks that it would have looked at again."""
        unsettled = {walk_id for walk_id, _ in self.service.unsettled._writes}
        begun = len(self.losses)
        await self.service.stop()
        assert balanced(self.service.mirror.stats) and self.service.mirror.stats.waiting == 0
        return unsettled | {walk_id for _, walk_id in self.losses[begun:]}

    async def kill(self) -> set[str]:
        """As SIGKILL: nothing is drained, nothing logged. The walks that it still had to mirror."""
        mirror, unsettled = self.service.mirror, self.service.unsettled
        waiting = {walk_id for lane in mirror._lanes for walk_id in lane.waiting}
        assert len(waiting) + len(self.under_way) == mirror.stats.waiting
        lost = waiting | self.under_way | {walk_id for walk_id, _ in unsettled._writes}
        self.log._write = _nowhere
        tasks = [task for task in (*mirror._workers, unsettled._worker) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return lost

    async def _noted(self, walk_id: str, user_id: str, sink: Any, deleters: Any) -> bool:
        self.under_way.add(walk_id)
        try:
            return await self._mirror(walk_id, user_id, sink, deleters)
        finally:
            self.under_way.discard(walk_id)

    def _written(self, line: bytes) -> None:
        read = json.loads(line)
        if read["severity"] == "ERROR":
            assert read["message"].startswith("Mirror write"), read
            self.losses.append((self._loop.time(), read["walk_id"]))


def _nowhere(_: bytes) -> None:
    """Where a dead process' lines go."""


class Mirrors(RuleBasedStateMachine):
    """Two pods, each replaced when it ends. Time passes only where a rule waits."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.postgres, self.firestore = Postgres(), Firestore()
        #: Until when a loss of the walk's mirror write is told of, or may come yet.
        self.lost_s: dict[str, float] = {}
        self.writes = 0
        self.pods = [self.now(self._pod()), self.now(self._pod())]

    @rule(mood=st.sampled_from(MOODS))
    def firestore_is(self, mood: Mood) -> None:
        self.firestore.mood = mood

    @rule(pod=PODS, walk=walks, delete=st.booleans(), commits_after_s=COMMITS_AFTER_S)
    def an_answer_is_lost(self, pod: int, walk: str, delete: bool, commits_after_s: float | None) -> None:
        """PostgreSQL's: the statement ends within ``api.postgres.COMMAND_TIMEOUT_S``, or never began."""
        self.postgres.loses_answers, self.postgres.commits_after_s = True, commits_after_s
        self.now((self._delete if delete else self._put)(pod, walk))
        self.postgres.loses_answers = False

    @rule(pod=PODS, walk=walks, deletes=st.tuples(st.booleans(), st.booleans()), commits_after_s=COMMITS_AFTER_S)
    def an_answer_is_lost_during_a_look(
        self, pod: int, walk: str, deletes: tuple[bool, bool], commits_after_s: float | None
    ) -> None:
        """The pod looks at the first write, and PostgreSQL takes its time, when the second one is noted."""
        self.an_answer_is_lost(pod, walk, deletes[0], commits_after_s)
        self.postgres.version_takes_s = LOOK_TIMEOUT_S - EVERY_S
        self.now(pause(LOOK_AFTER_S[0] + 2 * EVERY_S))
        self.an_answer_is_lost(pod, walk, deletes[1], commits_after_s)
        self.now(pause(LOOK_TIMEOUT_S))
        self.postgres.version_takes_s = 0.0

    @rule(seconds=st.sampled_from([0.05, 7.0]))
    def postgresql_is_away(self, seconds: float) -> None:
        self.postgres.away = True
        self.now(pause(seconds))
        self.postgres.away = False

    @rule(pod=PODS, walk=walks)
    def puts(self, pod: int, walk: str) -> None:
        self.now(self._put(pod, walk))

    @rule(pod=PODS, walk=walks)
    def deletes(self, pod: int, walk: str) -> None:
        self.now(self._delete(pod, walk))

    @rule(pods=st.tuples(PODS, PODS), walk=walks, after_s=st.sampled_from([1.0, 6.0]), delete=st.booleans())
    def a_write_arrives_late(self, pods: tuple[int, int], walk: str, after_s: float, delete: bool) -> None:
        """The first is on its way for longer than its pod waits, while the walk changes and all is well again."""
        self.firestore.mood = (30.0, False)
        self.now(self._put(pods[0], walk))
        self.now(pause(after_s))
        self.firestore.mood = WELL
        self.now((self._delete if delete else self._put)(pods[1], walk))

    @rule(calls=st.lists(st.tuples(PODS, walks, st.booleans()), min_size=2, max_size=6))
    def writes_at_once(self, calls: list[tuple[int, str, bool]]) -> None:
        works = [(self._delete if delete else self._put)(pod, walk) for pod, walk, delete in calls]
        self.now(_all(works))

    @rule(seconds=st.sampled_from([0.05, 1.0, 6.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.now(pause(seconds))

    @rule(pod=PODS, killed=st.booleans())
    def a_pod_is_replaced(self, pod: int, killed: bool) -> None:
        old = self.pods[pod]
        lost = self.now(old.kill() if killed else old.stop())
        self._note_losses(old)
        late_s = self.loop.time() + LATEST_S  # what it had sent may arrive until then, and nobody looks
        self.lost_s |= dict.fromkeys(lost, late_s)
        self.pods[pod] = self.now(self._pod())

    @invariant()
    def what_waits_is_what_was_not_looked_at(self) -> None:
        for pod in self.pods:
            unsettled = pod.service.unsettled
            assert settled_balance(unsettled)
            assert unsettled.stats.waiting == sum(write.looks == 0 for write in unsettled._writes.values())

    @rule()
    def quiet(self) -> None:
        """All well for as long as it takes: then both sides agree."""
        self.firestore.mood = WELL
        self.now(pause(QUIET_S))
        for pod in self.pods:
            self._note_losses(pod)
            assert pod.service.mirror.stats.waiting == 0
            assert balanced(pod.service.mirror.stats)
        for walk_id in WALKS:
            walk = self.now(self.postgres.load_walk(walk_id))
            must = None if walk is None else (fields(walk), [location_map(each) for each in walk.locations])
            held = self.firestore.held.documents.get(document_id(walk_id))
            if self.lost_s.get(walk_id, -1.0) < self.postgres.written_s.get(walk_id, 0.0):
                assert held == must, f"{walk_id}: no log tells of a loss since its last write"

    def teardown(self) -> None:
        try:
            self.quiet()
            self.now(_all([pod.stop() for pod in self.pods]))
        finally:
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            self.now(_all(left))
            self.loop.close()

    def now(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def _pod(self) -> Pod:
        pod = Pod(self.loop, self.postgres, self.firestore)
        await pod.service.start()
        return pod

    async def _put(self, pod: int, walk: str) -> None:
        self.writes += 1
        body = {"title": f"write {self.writes}", "locations": [location(self.writes % 5)]}
        status = await self.pods[pod].answers("PUT", walk, json.dumps(body).encode())
        told(f"{self.loop.time()} s: put {walk[-1]} by {pod}: {status}")
        assert status in {200, 503}

    async def _delete(self, pod: int, walk: str) -> None:
        status = await self.pods[pod].answers("DELETE", walk)
        told(f"{self.loop.time()} s: delete {walk[-1]} by {pod}: {status}")
        assert status in {204, 404, 503}

    def _note_losses(self, pod: Pod) -> None:
        for at_s, walk_id in pod.losses:
            self.lost_s[walk_id] = max(at_s, self.lost_s.get(walk_id, 0.0))


def told(line: str) -> None:
    """Printed when the machine fails; the test that is none has nothing to print to."""
    if currently_in_test_context():
        note(line)


async def _all(works: Iterable[Awaitable[Any]]) -> None:
    for found in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(found, Exception):
            raise found


TestMirrors = Mirrors.TestCase
TestMirrors.settings = settings(
    max_examples=examples(100), stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_a_late_write_meets_a_deletion_whose_answer_was_lost() -> None:
    """What the machine found: the look that settled the deletion ended the wait for the write that was on its way."""
    both = Mirrors()
    try:
        both.firestore.mood = (30.0, False)
        both.puts(pod=0, walk=WALKS[0])
        both.time_passes(seconds=6.0)
        both.firestore.mood = WELL
        both.an_answer_is_lost(pod=0, walk=WALKS[0], delete=True, commits_after_s=0.0)
    finally:
        both.teardown()


def test_a_late_write_is_looked_for_though_another_write_s_answer_was_lost_meanwhile() -> None:
    """What the machine found: the write that never was hid that the first had been sent."""
    both = Mirrors()
    try:
        both.firestore.mood = (30.0, False)
        both.puts(pod=1, walk=WALKS[0])
        both.time_passes(seconds=20.0)
        both.firestore.mood = WELL
        both.an_answer_is_lost(pod=1, walk=WALKS[0], delete=False, commits_after_s=None)
        both.deletes(pod=0, walk=WALKS[0])
    finally:
        both.teardown()


def test_a_write_is_ended_once_though_another_is_noted_during_its_look() -> None:
    """The look's end counted the first write again, and nobody waited by the count while the second did."""
    both = Mirrors()
    try:
        both.an_answer_is_lost(pod=0, walk=WALKS[0], delete=False, commits_after_s=0.0)
        both.postgres.version_takes_s = 3.0
        both.time_passes(seconds=LOOK_AFTER_S[0] + 2 * EVERY_S)
        both.an_answer_is_lost(pod=0, walk=WALKS[0], delete=False, commits_after_s=0.0)
        for _ in range(12):
            both.time_passes(seconds=1.0)
            both.what_waits_is_what_was_not_looked_at()
        assert both.pods[0].service.unsettled.stats == UnsettledStats(noted=2, settled=2)
    finally:
        both.teardown()
