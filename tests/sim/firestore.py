"""Firestore in memory: for the phones as Google's client, for the API's mirror, and for the checkers as documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from api.firestore_document import document_id, fields, location_map
from api.model import WalkDetail
from api.ports import Overtaken
from harness.stack.firebase.documents import Fields, Value
from tests.sim import greenlets

DELAY_S = 0.02
_KINDS: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "double", datetime: "timestamp"}


def cell(value: object) -> Value:
    """A value as Google's client writes it, with its type."""
    if kind := _KINDS.get(type(value)):
        return Value(kind, value)
    if value is None:
        return Value("null", 0)
    if isinstance(value, Mapping):
        return Value("map", {name: cell(each) for name, each in value.items()})
    assert isinstance(value, Sequence), f"nothing writes a {type(value)}"
    return Value("array", [cell(each) for each in value])


class Document(msgspec.Struct, frozen=True):
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
        return {name: cell(self.get(name)) for name in names}


class MemoryFirestore:
    """The documents of ``walks`` by id."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}

    def collection(self, _name: str) -> Collection:
        """As Google's ``Client``."""
        return Collection(self)


class Collection:
    """The calls that ``FirestoreSide`` makes."""

    def __init__(self, store: MemoryFirestore) -> None:
        self._store = store

    def where(self, *, filter: Any) -> Query:  # noqa: A002 - Google's name
        """The documents whose field is a value."""
        found = filter.field_path, filter.value
        return Query(self._store, lambda document: document.fields.get(found[0]) == found[1])

    def document(self, name: str) -> Reference:
        """One document, there or not."""
        return Reference(self._store, name)


class Query:
    """Documents in an order, newest first."""

    def __init__(self, store: MemoryFirestore, chosen: Callable[[Document], bool]) -> None:
        self._store = store
        self._chosen = chosen
        self._by, self._most = "", 0

    def order_by(self, field: str, *, direction: str) -> Query:
        """By one field."""
        assert direction == "DESCENDING"
        self._by = field
        return self

    def limit(self, most: int) -> Query:
        """So many."""
        self._most = most
        return self

    def stream(self, **_options: Any) -> Iterator[Document]:
        """Their snapshots."""
        greenlets.wait(asyncio.sleep(DELAY_S))
        found: list[Any] = [each for each in self._store.documents.values() if self._chosen(each)]
        found.sort(key=lambda each: (each.fields[self._by], each.id), reverse=True)
        return iter(found[: self._most])


class Reference:
    """One document."""

    def __init__(self, store: MemoryFirestore, name: str) -> None:
        self._store, self._name = store, name

    def get(self, **_options: Any) -> Document:
        """Its snapshot, of none too."""
        greenlets.wait(asyncio.sleep(DELAY_S))
        return self._store.documents.get(self._name) or Document(self._name, {}, exists=False)

    def set(self, content: Mapping[str, object], **_options: Any) -> None:
        """Replaces it."""
        greenlets.wait(asyncio.sleep(DELAY_S))
        self._store.documents[self._name] = Document(self._name, content)

    def delete(self, **_options: Any) -> None:
        """Removes it."""
        greenlets.wait(asyncio.sleep(DELAY_S))
        self._store.documents.pop(self._name, None)


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
        await asyncio.sleep(DELAY_S)
        found = self._store.documents.get(document_id(walk_id))
        owner = None if found is None else found.fields.get("user_id")
        return owner if isinstance(owner, str) else None

    async def write(self, walk: WalkDetail, seen: object) -> None:
        """Replaces the document, if it is as seen."""
        await asyncio.sleep(DELAY_S)
        self._as_seen(walk.id, seen)
        self._written += 1
        if self._loses and self._written % self._loses == 0:
            return
        name = document_id(walk.id)
        self._store.documents[name] = Document(name, fields(walk), walk)

    async def delete(self, walk_id: str, seen: object) -> None:
        """Removes the document, if it is as seen."""
        await asyncio.sleep(DELAY_S)
        self._as_seen(walk_id, seen)
        self._store.documents.pop(document_id(walk_id), None)

    def _as_seen(self, walk_id: str, seen: object) -> None:
        if self._store.documents.get(document_id(walk_id)) is not seen:
            raise Overtaken


class MemoryDocuments:
    """What the checkers read, as ``harness.stack.firebase.documents.Documents``."""

    def __init__(self, store: MemoryFirestore) -> None:
        self._store = store

    async def all(self) -> dict[str, Fields]:
        """Every document by id."""
        await asyncio.sleep(DELAY_S)
        return {name: document.read() for name, document in self._store.documents.items()}

    async def get_many(self, document_ids: Sequence[str]) -> dict[str, Fields]:
        """Those of the documents that exist."""
        await asyncio.sleep(DELAY_S)
        there = self._store.documents
        return {name: there[name].read() for name in document_ids if name in there}

    async def close(self) -> None:
        """Nothing to close."""
