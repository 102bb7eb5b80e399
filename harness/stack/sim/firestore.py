"""Firestore in memory: its documents, the API's mirror of walks into them, and what the checkers read of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from api.firestore_document import document_id, fields, location_map
from api.model import WalkDetail
from api.ports import Overtaken, refuse_anothers
from harness.base.clock import Clock
from harness.stack.firebase.documents import Fields, typed

DELAY_S = 0.02


class SimDocument(msgspec.Struct, frozen=True):
    """A document, and a snapshot of it as Google's client gives it. ``fields`` are all but the locations, ``walk`` the
    API's, whose locations are made into a field when somebody reads them.
    """

    id: str
    fields: Mapping[str, object]
    walk: WalkDetail | None = None
    exists: bool = True

    def get(self, field: str) -> object:
        """Raises ``KeyError`` for one that is not there, as Google's."""
        if field == "location_data" and self.walk is not None:
            return [location_map(each) for each in self.walk.locations]
        return self.fields[field]

    def read(self) -> Fields:
        """Every field with its type."""
        names = (*self.fields, *(["location_data"] if self.walk is not None else []))
        return {name: typed(self.get(name)) for name in names}


class MemoryFirestore:
    """The documents of ``walks`` by id. ``takes`` is the wait of one call."""

    def __init__(self, clock: Clock) -> None:
        self.documents: dict[str, SimDocument] = {}
        self._clock = clock

    async def takes(self) -> None:
        """A call's time."""
        await self._clock.sleep(DELAY_S)


class Mirror:
    """The API's sink. ``loses`` n: every n-th write of a document is confirmed and lost."""

    def __init__(self, store: MemoryFirestore, loses: int = 0) -> None:
        self._store = store
        self._loses = loses
        self._written = 0

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def look(self, walk_id: str) -> object:
        """The document itself: each write makes another."""
        return self._store.documents.get(document_id(walk_id))

    async def owner(self, walk_id: str) -> str | None:
        """The document's ``user_id``."""
        await self._store.takes()
        found = self._store.documents.get(document_id(walk_id))
        owner = None if found is None else found.fields.get("user_id")
        return owner if isinstance(owner, str) else None

    async def write(self, walk: WalkDetail, seen: object) -> None:
        """Replaces the document, if it is as seen."""
        await self._store.takes()
        self._as_seen(walk.id, seen, walk.user_id)
        self._written += 1
        if self._loses and self._written % self._loses == 0:
            return
        name = document_id(walk.id)
        self._store.documents[name] = SimDocument(name, fields(walk), walk)

    async def delete(self, walk_id: str, seen: object, user_id: str) -> None:
        """Removes the document, if it is as seen."""
        await self._store.takes()
        self._as_seen(walk_id, seen, user_id)
        self._store.documents.pop(document_id(walk_id), None)

    def _as_seen(self, walk_id: str, seen: object, user_id: str | None) -> None:
        found = self._store.documents.get(document_id(walk_id))
        if found is not seen:
            raise Overtaken
        refuse_anothers(None if found is None else found.fields.get("user_id"), user_id)


class MemoryDocuments:
    """What the checkers read, as ``harness.stack.firebase.documents.Documents``."""

    def __init__(self, store: MemoryFirestore) -> None:
        self._store = store

    async def all(self) -> dict[str, Fields]:
        """Every document by id."""
        await self._store.takes()
        return {name: document.read() for name, document in self._store.documents.items()}

    async def get_many(self, document_ids: Sequence[str]) -> dict[str, Fields]:
        """Those of the documents that exist."""
        await self._store.takes()
        there = self._store.documents
        return {name: there[name].read() for name in document_ids if name in there}

    async def close(self) -> None:
        """Nothing to close."""
