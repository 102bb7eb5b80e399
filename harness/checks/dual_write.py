"""The dual write, field for field: each walk in PostgreSQL against its Firestore document (データ同期戦略). Pure.

What a document must hold is written here from the contract (docs/contract/firestore.md) alone, apart from whoever
wrote it: the id in upper case, fields in snake case, the keys of a location in camelCase, -1 for an unknown speed or
course, nothing for what is nil, and the type of every value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from harness.checks.tables import CONTRACT, ColumnLayout
from harness.checks.told import of_walk, unlike
from harness.checks.values import Column
from harness.model.message import Message, gettext_noop, message
from harness.stack.firebase.documents import Fields, Value

_TEXTS = ("title", "description", "status")
_DOUBLES = ("total_distance", "total_paused_duration")
_TIMES = ("created_at", "updated_at")
_TEXTS_OR_NIL = ("user_id", "polyline_data", "thumbnail_image_url")
_TIMES_OR_NIL = ("start_time", "end_time", "paused_at")
_UNKNOWN = -1.0
_LOCATIONS = "location_data"
_ALL = (*_TEXTS, *_DOUBLES, *_TIMES, *_TEXTS_OR_NIL, *_TIMES_OR_NIL, "total_steps")
#: Each column's key in a location of a document.
_KEYS = {
    "latitude": "latitude",
    "longitude": "longitude",
    "timestamp": "timestamp",
    "speed": "speed",
    "course": "course",
    "altitude": "altitude",
    "horizontal_accuracy": "horizontalAccuracy",
    "vertical_accuracy": "verticalAccuracy",
}
_COLUMN_OF = {key: column for column, key in _KEYS.items()}
_UNKNOWN_IS_NEGATIVE = frozenset({"speed", "course"})
#: Kinds of values that a column may round.
_ROUNDED = frozenset({"timestamp", "double"})


class StoredWalk(msgspec.Struct, frozen=True, kw_only=True):
    """A walk as it lies in PostgreSQL: its columns that were read, and its locations by ``sequence_number``.

    Values are in the one form of ``harness.checks.values``; ``layout`` says how their columns keep them.
    """

    id: str
    columns: Mapping[str, Any]
    locations: Sequence[Mapping[str, Any]]
    layout: ColumnLayout = CONTRACT

    @property
    def user(self) -> str:
        """Whose it is; empty when its user is gone, or was not read."""
        return str(self.columns["user_id"] or "") if "user_id" in self.layout.walks else ""

    @property
    def updated_at(self) -> datetime | None:
        """When it was last written; ``None`` where that was not read."""
        at: datetime | None = self.columns["updated_at"] if "updated_at" in self.layout.walks else None
        return at


class DocumentFlaw(StrEnum):
    """How a document differs from its walk."""

    MISSING = "missing"  # no document
    EXTRA = "extra"  # a document of a walk that was deleted
    STALE = "stale"  # the document is of an earlier write
    DIFFERENT = "different"  # of this write, and a field is not as the app reads it


#: The flaws as people are told, message ids.
FLAW_WORDS = {
    DocumentFlaw.MISSING: gettext_noop("it has no document"),
    DocumentFlaw.EXTRA: gettext_noop("it was deleted, and its document is there"),
    DocumentFlaw.STALE: gettext_noop("its document is of an earlier write"),
    DocumentFlaw.DIFFERENT: gettext_noop("its document is not as the app reads it"),
}


class StoreDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One document that is not as it must be. ``field`` is of the first that differs; ``locations`` are those lost."""

    flaw: DocumentFlaw
    walk_id: str
    user: str
    field: str = ""
    expected: str = ""
    found: str = ""
    locations: int = 0

    @property
    def told(self) -> Message:
        """For people."""
        flaw, user = Message(text=FLAW_WORDS[self.flaw]), self.user or message("no user")
        told = of_walk(self.walk_id, user, flaw)
        if self.field:
            told = message("{what}: {why}", what=told, why=unlike(self.field, self.found, self.expected))
        if self.locations:
            told = message("{told}, {count} locations lost", told=told, count=str(self.locations))
        return told


class StoreComparison(msgspec.Struct, frozen=True, kw_only=True):
    """``compared`` walks and deleted walks, ``documents`` of the former that were there; the findings by walk id.

    ``lag_s`` is how long after the first look the last document came, 0.0 where that was within the usual wait.
    """

    compared: int
    documents: int
    findings: tuple[StoreDifference, ...]
    lag_s: float = 0.0

    def count(self, flaw: DocumentFlaw) -> int:
        """Findings of one kind."""
        return sum(finding.flaw is flaw for finding in self.findings)


def document_id(walk_id: str) -> str:
    """Swift's ``uuidString``."""
    return walk_id.upper()


def expected(walk: StoredWalk) -> Fields:
    """The document that the app must find, as far as the walk was read."""
    columns = {name: value for name, value in walk.columns.items() if name in walk.layout.walks}
    fields: Fields = {"id": Value("string", document_id(walk.id))}
    fields |= {name: Value("string", columns[name] or "") for name in _TEXTS if name in columns}
    fields |= {name: Value("double", float(columns[name] or 0)) for name in _DOUBLES if name in columns}
    fields |= {name: Value("timestamp", columns[name]) for name in _TIMES if name in columns}
    fields |= {name: Value("string", columns[name]) for name in _TEXTS_OR_NIL if columns.get(name) is not None}
    fields |= {name: Value("timestamp", columns[name]) for name in _TIMES_OR_NIL if columns.get(name) is not None}
    if "total_steps" in columns:
        fields["total_steps"] = Value("integer", int(columns["total_steps"] or 0))
    if walk.layout.locations is not None:
        read = walk.layout.locations
        fields[_LOCATIONS] = Value("array", [Value("map", _location(each, read)) for each in walk.locations])
    return fields


class Difference(NamedTuple):
    """A field that is not as it must be: what it must hold, and what it holds."""

    field: str
    wanted: Value | None
    found: Value | None


def difference(walk: StoredWalk, document: Fields) -> Difference | None:
    """The first field that the app must find otherwise, to what the walk's columns keep of it; ``None`` for none."""
    must = expected(walk)
    if document == must:
        return None
    unread = {*_ALL} - walk.layout.walks.keys()
    if walk.layout.locations is None:
        unread.add(_LOCATIONS)
    for name in [*must, *(name for name in document if name not in must and name not in unread)]:
        wanted, found = must.get(name), document.get(name)
        if wanted == found or _alike(walk.layout.walks.get(name), wanted, found):
            continue
        if name in _TEXTS_OR_NIL and found is None and wanted is not None and not wanted.value:
            continue  # where a column may not be NULL, empty text stands for nil
        if name != _LOCATIONS or not _as_long(wanted, found):
            return Difference(name, wanted, found)
        if (differs := _of_locations(walk, must[name].value, document[name].value)) is not None:
            return differs
    return None


def _alike(column: Column | None, wanted: Value | None, found: Value | None) -> bool:
    if column is None or wanted is None or found is None or wanted.kind != found.kind:
        return False
    return wanted.kind in _ROUNDED and column.agrees(wanted.value, found.value)


def _as_long(wanted: Value | None, found: Value | None) -> bool:
    if wanted is None or found is None or found.kind != "array":
        return False
    return len(wanted.value) == len(found.value)


def _of_locations(walk: StoredWalk, wanted: Sequence[Value], found: Sequence[Value]) -> Difference | None:
    read = walk.layout.locations or {}
    unread = {key for column, key in _KEYS.items() if column not in read}
    for place, (must, there) in enumerate(zip(wanted, found, strict=True)):
        if must == there:
            continue
        if there.kind != "map":
            return Difference(f"{_LOCATIONS}[{place}]", must, there)
        for name in [*must.value, *(name for name in there.value if name not in must.value and name not in unread)]:
            one, other = must.value.get(name), there.value.get(name)
            if one != other and not _alike(read.get(_COLUMN_OF.get(name, "")), one, other):
                return Difference(f"{_LOCATIONS}[{place}].{name}", one, other)
    return None


def compare(
    walks: Iterable[StoredWalk],
    documents: Mapping[str, Fields],
    deleted: Mapping[str, str] | None = None,
    *,
    moving: bool = False,
) -> StoreComparison:
    """``documents`` by document id; ``deleted`` are the walks that the API confirmed to have deleted, and their users.

    A walk deleted and written again is in ``walks``, and is compared as such. ``moving``: writes go on, so a document
    newer than its walk is of a write since, and agrees.
    """
    stored = {walk.id: walk for walk in walks}
    gone = {walk_id: user for walk_id, user in (deleted or {}).items() if walk_id not in stored}
    findings = [found for walk in stored.values() if (found := _finding(walk, documents, moving)) is not None]
    findings += [
        StoreDifference(flaw=DocumentFlaw.EXTRA, walk_id=walk_id, user=user)
        for walk_id, user in gone.items()
        if document_id(walk_id) in documents
    ]
    findings.sort(key=lambda finding: finding.walk_id)
    there = sum(document_id(walk_id) in documents for walk_id in stored)
    return StoreComparison(compared=len(stored) + len(gone), documents=there, findings=tuple(findings))


def by_user(findings: Collection[StoreDifference]) -> dict[str, tuple[int, int]]:
    """What each user would lose by a flag-off now: walks missing or stale, and locations of theirs."""
    lost: dict[str, tuple[int, int]] = {}
    for finding in findings:
        if finding.flaw in (DocumentFlaw.MISSING, DocumentFlaw.STALE):
            walks, locations = lost.get(finding.user, (0, 0))
            lost[finding.user] = (walks + 1, locations + finding.locations)
    return dict(sorted(lost.items()))


def _finding(walk: StoredWalk, documents: Mapping[str, Fields], moving: bool) -> StoreDifference | None:
    document = documents.get(document_id(walk.id))
    if document is None:
        return StoreDifference(
            flaw=DocumentFlaw.MISSING, walk_id=walk.id, user=walk.user, locations=len(walk.locations)
        )
    differs = difference(walk, document)
    if differs is None:
        return None
    held, at = document.get("updated_at"), walk.updated_at
    written = held.value if held is not None and held.kind == "timestamp" else None
    if written is not None and at is not None and written < at:
        lost = max(0, len(walk.locations) - _count(document))
        return StoreDifference(flaw=DocumentFlaw.STALE, walk_id=walk.id, user=walk.user, locations=lost)
    if moving and written is not None and at is not None and written > at:
        return None
    field, wanted, found = differs
    return StoreDifference(
        flaw=DocumentFlaw.DIFFERENT,
        walk_id=walk.id,
        user=walk.user,
        field=field,
        expected=_show(wanted),
        found=_show(found),
    )


def _location(row: Mapping[str, Any], read: Collection[str]) -> Fields:
    fields: Fields = {}
    for column, key in _KEYS.items():
        if column not in read:
            continue
        value = row[column]
        if column == "timestamp":
            fields[key] = Value("timestamp", value)
        elif column in _UNKNOWN_IS_NEGATIVE:
            fields[key] = _double(value, _UNKNOWN)
        elif value is not None:
            fields[key] = Value("double", float(value))
    return fields


def _double(value: float | None, unknown: float) -> Value:
    return Value("double", unknown if value is None else float(value))


def _count(document: Fields) -> int:
    held = document.get(_LOCATIONS)
    return len(held.value) if held is not None and held.kind == "array" else 0


def _show(value: Value | None) -> str:
    if value is None:
        return "absent"
    return f"an array of {len(value.value)}" if value.kind == "array" else str(value)[:200]
