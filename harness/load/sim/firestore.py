"""Firestore in memory for phones: the calls of Google's client that ``FirestoreSide`` makes, for greenlets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.load.sim import greenlets
from harness.stack.sim.firestore import Document, MemoryFirestore


class Client:
    """As Google's ``Client``."""

    def __init__(self, store: MemoryFirestore) -> None:
        self._store = store

    def collection(self, _name: str) -> Collection:
        """The one there is."""
        return Collection(self._store)


class Collection:
    """The calls that ``FirestoreSide`` makes."""

    def __init__(self, store: MemoryFirestore) -> None:
        self._store = store

    def where(self, *, filter: Any) -> Query:  # noqa: A002 - Google's name
        """The documents whose field is a value."""
        return Query(self._store, filter.field_path, filter.value)

    def document(self, name: str) -> Reference:
        """One document, there or not."""
        return Reference(self._store, name)


class Query:
    """Documents whose ``field`` is ``value``, in an order, newest first."""

    def __init__(self, store: MemoryFirestore, field: str, value: object) -> None:
        self._store = store
        self._field, self._value = field, value
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
        greenlets.wait(self._store.takes())
        field, value = self._field, self._value
        found: list[Any] = [each for each in self._store.documents.values() if each.fields.get(field) == value]
        found.sort(key=lambda each: (each.fields[self._by], each.id), reverse=True)
        return iter(found[: self._most])


class Reference:
    """One document."""

    def __init__(self, store: MemoryFirestore, name: str) -> None:
        self._store, self._name = store, name

    def get(self, **_options: Any) -> Document:
        """Its snapshot, of none too."""
        greenlets.wait(self._store.takes())
        return self._store.documents.get(self._name) or Document(self._name, {}, exists=False)

    def set(self, content: Mapping[str, object], **_options: Any) -> None:
        """Replaces it."""
        greenlets.wait(self._store.takes())
        self._store.documents[self._name] = Document(self._name, content)

    def delete(self, **_options: Any) -> None:
        """Removes it."""
        greenlets.wait(self._store.takes())
        self._store.documents.pop(self._name, None)
