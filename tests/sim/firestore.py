"""Firestore in memory: for the phones as Google's client, for the API's mirror, and for the checkers as documents."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from api.firestore_document import document_id, fields, location_map
from api.model import WalkDetail
from harness.firebase.documents import Fields, Value
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
    """What was written: by the API a walk, by a phone the fields. It is made into cells when somebody reads it."""

    user: object
    written: WalkDetail | Mapping[str, object]

    def read(self) -> Fields:
        """Every field with its type."""
        content = self.written
        if isinstance(content, WalkDetail):
            content = {**fields(content), "location_data": [location_map(each) for each in content.locations]}
        return {name: cell(value) for name, value in content.items()}


class MemoryFirestore:
    """The documents of ``walks`` by id."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}

    def collection(self, _name: str) -> _Query:
        """As Google's ``Client``."""
        return _Query(self)


class _Query:
    """A collection, a query of it or a document of it: the calls that ``FirestoreSide`` makes."""

    def __init__(self, store: MemoryFirestore, name: str = "", user: str = "") -> None:
        self._store, self._name, self._user = store, name, user

    def where(self, *, filter: Any) -> _Query:  # noqa: A002 - Google's name
        return _Query(self._store, user=filter.value)

    def order_by(self, _field: str, *, direction: str) -> _Query:
        return self

    def limit(self, _most: int) -> _Query:
        return self

    def document(self, name: str) -> _Query:
        return _Query(self._store, name)

    @property
    def exists(self) -> bool:
        return self._name in self._store.documents

    def stream(self, **_options: Any) -> Iterator[Document]:
        greenlets.wait(asyncio.sleep(DELAY_S))
        mine = [each for each in self._store.documents.values() if each.user == self._user]
        return iter(mine)

    def get(self, **_options: Any) -> _Query:
        greenlets.wait(asyncio.sleep(DELAY_S))
        return self

    def set(self, content: Mapping[str, object], **_options: Any) -> None:
        greenlets.wait(asyncio.sleep(DELAY_S))
        self._store.documents[self._name] = Document(content["user_id"], content)

    def delete(self, **_options: Any) -> None:
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

    async def write(self, walk: WalkDetail) -> None:
        """Replaces the document."""
        await asyncio.sleep(DELAY_S)
        self._written += 1
        if self._loses and self._written % self._loses == 0:
            return
        self._store.documents[document_id(walk.id)] = Document(walk.user_id, walk)

    async def delete(self, walk_id: str) -> None:
        """Removes the document."""
        await asyncio.sleep(DELAY_S)
        self._store.documents.pop(document_id(walk_id), None)


class MemoryDocuments:
    """What the checkers read, as ``harness.firebase.documents.Documents``."""

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
