"""The ports in memory, for the virtual-time test and for ``sim``. The contract suite runs on these too."""

from __future__ import annotations

import asyncio
import math
import random
import uuid
from datetime import UTC, datetime, timedelta

from msgspec import UNSET, structs

from api.clock import pause
from api.errors import Invalid, Unauthorized
from api.firestore_document import Fields, document_id, fields, location_map
from api.model import CHANGEABLE, DEFAULT_TITLE, Location, NewWalk, User, Walk, WalkChange, WalkDetail, WalkPage
from api.ports import Clock, Overtaken, PoolStats, refuse_anothers

_EMPTY = {"description": "", "status": "not_started", "total_distance": 0.0, "total_steps": 0}
_EMPTY |= {"total_paused_duration": 0.0}


class LoopClock:
    """The running event loop's time, counted from ``epoch_unix_s``: virtual where the loop's is."""

    def __init__(self, epoch_unix_s: float = 1_760_918_400.0) -> None:  # 2025-10-20T00:00:00Z
        self._epoch_unix_s = epoch_unix_s

    def unix_s(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return self._epoch_unix_s + asyncio.get_running_loop().time()

    def monotonic_ns(self) -> int:
        """The loop's time."""
        return round(asyncio.get_running_loop().time() * 1e9)


class SeededIds:
    """UUIDs from a stream of chance."""

    def __init__(self, stream: random.Random) -> None:
        self._stream = stream

    def walk_id(self) -> str:
        """The next UUID, version 4."""
        return str(uuid.UUID(int=self._stream.getrandbits(128), version=4))


class MemoryTokens:
    """The token ``<uid>`` speaks for ``<uid>``, for ever; one that begins with "bad" is refused."""

    async def verify(self, token: str) -> User:
        """Who ``token`` speaks for."""
        if token.startswith("bad"):
            raise Unauthorized("The token is malformed, expired or foreign")
        return User(token, expires_unix_s=math.inf)


class MemoryMirror:
    """Documents by id, as Firestore would hold them. ``delay_s`` is waited before each write."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.documents: dict[str, tuple[Fields, list[Fields]]] = {}
        self._versions: dict[str, int] = {}
        self._writes = 0

    async def open(self) -> None:
        """Nothing to open."""

    async def look(self, walk_id: str) -> object:
        """The number of the write that made the document."""
        return self._versions.get(document_id(walk_id))

    async def owner(self, walk_id: str) -> str | None:
        """The document's ``user_id``."""
        document = self.documents.get(document_id(walk_id))
        owner = None if document is None else document[0].get("user_id")
        return owner if isinstance(owner, str) else None

    async def write(self, walk: WalkDetail, seen: object) -> None:
        """Replaces the document, if it is as seen."""
        await pause(self.delay_s)
        name = await self._as_seen(walk.id, seen, walk.user_id)
        self.documents[name] = (fields(walk), [location_map(entry) for entry in walk.locations])
        self._writes += 1
        self._versions[name] = self._writes

    async def delete(self, walk_id: str, seen: object, user_id: str) -> None:
        """Removes the document, if it is as seen."""
        await pause(self.delay_s)
        name = await self._as_seen(walk_id, seen, user_id)
        self.documents.pop(name, None)
        self._versions.pop(name, None)

    async def _as_seen(self, walk_id: str, seen: object, user_id: str | None) -> str:
        name = document_id(walk_id)
        refuse_anothers(await self.owner(walk_id), user_id)
        if self._versions.get(name) != seen:
            raise Overtaken
        return name

    async def close(self) -> None:
        """Nothing to close."""


class MemoryDatabase:
    """Walks in a dictionary, with the rules of the schema. Each call takes ``delay_s``, then happens at once."""

    def __init__(self, clock: Clock, delay_s: float = 0.0) -> None:
        self._clock = clock
        self.delay_s = delay_s
        self.users: dict[str, User] = {}
        self._walks: dict[str, Walk] = {}
        self._locations: dict[str, dict[int, Location]] = {}

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def ready(self) -> bool:
        """Always."""
        return True

    def pool(self) -> PoolStats:
        """There is none."""
        return PoolStats(0, 0, 0)

    async def remember_user(self, user: User) -> None:
        """Keeps the first."""
        self.users.setdefault(user.uid, user)

    async def list_walks(self, user: User, page: int, limit: int) -> WalkPage:
        """The user's walks, newest first."""
        await pause(self.delay_s)
        own = [walk for walk in self._walks.values() if walk.user_id == user.uid]
        own.sort(key=lambda walk: (walk.created_at, walk.id), reverse=True)
        return WalkPage(own[(page - 1) * limit : page * limit], len(own), page, limit)

    async def create_walk(self, user: User, walk_id: str, new: NewWalk) -> Walk:
        """A new walk of ``user``."""
        await pause(self.delay_s)
        return self._save(user, walk_id, WalkChange(title=new.title, description=new.description))

    async def get_walk(self, user: User, walk_id: str) -> WalkDetail | None:
        """The user's walk."""
        walk = await self.load_walk(walk_id)
        return walk if walk is not None and walk.user_id == user.uid else None

    async def put_walk(self, user: User, walk_id: str, change: WalkChange) -> Walk | None:
        """Changes or creates the walk."""
        await pause(self.delay_s)
        old = self._walks.get(walk_id)
        if old is not None and old.user_id != user.uid:
            return None
        return self._save(user, walk_id, change)

    async def delete_walk(self, user: User, walk_id: str) -> bool:
        """Whether there was such a walk of the user."""
        await pause(self.delay_s)
        walk = self._walks.get(walk_id)
        if walk is None or walk.user_id != user.uid:
            return False
        del self._walks[walk_id], self._locations[walk_id]
        return True

    async def load_walk(self, walk_id: str) -> WalkDetail | None:
        """The walk as it is."""
        await pause(self.delay_s)
        walk = self._walks.get(walk_id)
        if walk is None:
            return None
        locations = [location for _, location in sorted(self._locations[walk_id].items())]
        return WalkDetail(*(*structs.astuple(walk), locations))

    async def walk_version(self, walk_id: str) -> datetime | None:
        """``updated_at`` as it is."""
        walk = self._walks.get(walk_id)
        return None if walk is None else walk.updated_at

    def _save(self, user: User, walk_id: str, change: WalkChange) -> Walk:
        now, old = datetime.fromtimestamp(self._clock.unix_s(), tz=UTC), self._walks.get(walk_id)
        if old is None:
            empty = dict.fromkeys(Walk.__struct_fields__) | _EMPTY
            empty |= {"id": walk_id, "user_id": user.uid, "title": DEFAULT_TITLE, "created_at": now, "updated_at": now}
            old = Walk(**empty)  # type: ignore[arg-type] # every field is there
        else:
            old = structs.replace(old, updated_at=max(now, old.updated_at + timedelta(microseconds=1)))
        given = {name: value for name in CHANGEABLE if (value := getattr(change, name)) is not UNSET}
        if "description" in given:
            given["description"] = given["description"] or ""
        walk = structs.replace(old, **{name: _in_utc(value) for name, value in given.items()})
        if walk.end_time is not None and walk.start_time is None:
            raise Invalid("The walk would be inconsistent: end_time needs a start_time")
        if walk.end_time is not None and walk.start_time is not None and walk.end_time < walk.start_time:
            raise Invalid("The walk would be inconsistent: end_time is before start_time")
        self._walks[walk_id] = walk
        located = self._locations.setdefault(walk_id, {})
        for location in change.locations or ():
            located[location.sequence_number] = structs.replace(location, timestamp=location.timestamp.astimezone(UTC))
        return walk


def _in_utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
