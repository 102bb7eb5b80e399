"""A user's walks across the change of sides, on the running stack, one story at a time.

Each story is an app's doing (what is written to Firestore is what the old app writes, what goes to the API keeps the
contract) and ends in a comparison with what the phone recorded.
"""

from __future__ import annotations

from collections.abc import Awaitable

import msgspec

from harness.base.clock import NS, Clock, polling
from harness.checks.walk_continuity import Continuity, Points, continuity, recorded_points, together
from harness.load.population.firestore_document import document, location
from harness.load.population.walk import Location, Walking, WalkUpdate, moment
from harness.migration.convert import walk_rows
from harness.migration.load import move
from harness.model.stack import Endpoints
from harness.rehearsals.flag_proof.sides import Api, Documents, NotAsPromised
from harness.rehearsals.flag_proof.types import AGAIN, COPIED, MOVED, NEW_ONLY, ROLLED_BACK, Story
from harness.stack.firebase.sign_up import sign_up

MIRROR_LIMIT_S = 10.0  # from the API's answer to the document; the document names no time
_POLL_S = 0.1
_BATCH_NS = 30 * NS
_WALKS = 3


class Recorder:
    """One user's phone: the walks it recorded, and the body of each PUT."""

    def __init__(self, uid: str, seed: int, unix_ns: int) -> None:
        self.uid = uid
        self._seed = seed
        self._now_ns = unix_ns
        self.locations: dict[str, list[Location]] = {}
        self._walks: dict[str, Walking] = {}

    def begin(self) -> str:
        """A new walk's id."""
        name = f"{self.uid}/{len(self._walks) + 1}"
        walk = Walking(self._seed, f"flag_proof:{name}", started_unix_ns=self._now_ns)
        self._walks[walk.id], self.locations[walk.id] = walk, []
        return walk.id

    def walk_on(self, walk_id: str) -> WalkUpdate:
        """Walks for half a minute more; the body of the next PUT, with what is new."""
        self._now_ns += _BATCH_NS
        body = self._walks[walk_id].update(self._now_ns, _BATCH_NS)
        self.locations[walk_id] += body.locations
        return body

    def document(self, walk_id: str, body: WalkUpdate) -> dict[str, object]:
        """The walk as the old app writes it: all of it."""
        began, now = moment(self._walks[walk_id].started_unix_ns), moment(self._now_ns)
        points = [location(point) for point in self.locations[walk_id]]
        return document(walk_id, self.uid, body, points, created_at=began, updated_at=now)

    @property
    def recorded(self) -> dict[str, Points]:
        """Everything the phone recorded."""
        return {walk_id: recorded_points(points) for walk_id, points in self.locations.items()}


class Stories:
    """The stories on one stack. ``close`` when done."""

    def __init__(self, endpoints: Endpoints, clock: Clock, seed: int) -> None:
        self._to = endpoints
        self._clock = clock
        self._seed = seed
        self._documents = Documents(endpoints.firestore, endpoints.project_id)

    def close(self) -> None:
        """Hangs up."""
        self._documents.close()

    async def all(self) -> list[Story]:
        """Every story in order. One that the target's answers end says what they were."""
        return [
            *await _told(self.moved(), MOVED, COPIED),
            *await _told(self.rolled_back(), ROLLED_BACK),
            *await _told(self.flipped(NEW_ONLY), NEW_ONLY),
            *await _told(self.flipped(AGAIN), AGAIN),
        ]

    async def moved(self) -> list[Story]:
        """Old walks lie in Firestore; the flag goes on, first without a copy, then after one."""
        phone, api = await self._user("moved")
        for _ in range(_WALKS):
            walk_id = phone.begin()
            for _ in range(2):
                await self._documents.set(walk_id, phone.document(walk_id, phone.walk_on(walk_id)))
        before = continuity(phone.recorded, await api.walks())
        held = await self._documents.of_user(phone.uid)
        await move(self._to, {each["id"]: walk_rows(each["id"], each) for each in held})
        after = continuity(phone.recorded, await api.walks())
        return [Story(name=MOVED, found=before), Story(name=COPIED, found=after)]

    async def rolled_back(self) -> list[Story]:
        """A walk begun on the API; the flag goes off; the user sees it in Firestore and walks on there."""
        phone, api = await self._user("back")
        walk_id = phone.begin()
        for _ in range(2):
            await api.put(walk_id, phone.walk_on(walk_id))
        seen = await self._mirrored(phone)
        await self._documents.set(walk_id, phone.document(walk_id, phone.walk_on(walk_id)))
        then = continuity(phone.recorded, await self._documents.points(phone.recorded))
        return [Story(name=ROLLED_BACK, found=then if seen.whole else seen)]

    async def flipped(self, name: str) -> list[Story]:
        """The flag goes on in mid-walk: with an app that sends what is new, or with one that sends what is missing."""
        phone, api = await self._user(f"flip-{name.rpartition('.')[2][:3]}")
        whole = name == AGAIN
        walk_id = phone.begin()
        await self._documents.set(walk_id, phone.document(walk_id, phone.walk_on(walk_id)))
        body = phone.walk_on(walk_id)
        await api.put(walk_id, _with(body, phone.locations[walk_id]) if whole else body)
        held = await self._both(phone, api, walk_id)
        return [Story(name=name, found=held)]

    async def _user(self, name: str) -> tuple[Recorder, Api]:
        user = await sign_up(self._to.auth, self._to.project_id, f"flag-proof-{name}")
        return Recorder(user.uid, self._seed, self._clock.anchor.unix_ns), Api(self._to.service, user.token)

    async def _both(self, phone: Recorder, api: Api, walk_id: str) -> Continuity:
        """What both sides hold together once the mirror has written what the API has."""
        there = await api.walks()
        latest = max((point.timestamp for point in there.get(walk_id, {}).values()), default=None)
        again = polling(self._clock, limit_s=MIRROR_LIMIT_S, every_s=_POLL_S)
        while True:
            points = (await self._documents.points([walk_id])).get(walk_id, {}).values()
            if latest is None or latest in {point.timestamp for point in points} or not await again():
                break
        # By time, not by place: a mirrored document may begin in the middle of the walk.
        number = {point.timestamp: number for number, point in phone.recorded[walk_id].items()}
        documents = {walk_id: {number[point.timestamp]: point for point in points if point.timestamp in number}}
        return continuity(phone.recorded, together(there, documents))

    async def _mirrored(self, phone: Recorder) -> Continuity:
        again = polling(self._clock, limit_s=MIRROR_LIMIT_S, every_s=_POLL_S)
        while True:
            found = continuity(phone.recorded, await self._documents.points(phone.recorded))
            if found.whole or not await again():
                return found


async def _told(story: Awaitable[list[Story]], *names: str) -> list[Story]:
    """The stories; where the target answers as no target may, what it answered, of each of ``names``."""
    try:
        return await story
    except NotAsPromised as error:
        return [Story(name=name, wrong=(error.told,)) for name in names]


def _with(body: WalkUpdate, locations: list[Location]) -> WalkUpdate:
    return msgspec.structs.replace(body, locations=tuple(locations))
