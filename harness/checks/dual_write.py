"""The dual write, field for field: each walk in PostgreSQL against its Firestore document (データ同期戦略). Pure.

What a document must hold is written here from the contract (docs/contract/firestore.md) alone, apart from whoever
wrote it: the id in upper case, fields in snake case, the keys of a location in camelCase, -1 for an unknown speed or
course, nothing for what is nil, and the type of every value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from harness.firebase.documents import Fields, Value

_TEXTS = ("title", "description", "status")
_DOUBLES = ("total_distance", "total_paused_duration")
_TIMES = ("created_at", "updated_at")
_TEXTS_OR_NIL = ("user_id", "polyline_data", "thumbnail_image_url")
_TIMES_OR_NIL = ("start_time", "end_time", "paused_at")
_UNKNOWN = -1.0


class StoredWalk(msgspec.Struct, frozen=True, kw_only=True):
    """A walk as it lies in PostgreSQL: its columns, and its locations by ``sequence_number``."""

    id: str
    columns: Mapping[str, Any]
    locations: Sequence[Mapping[str, Any]]

    @property
    def user(self) -> str:
        """Whose it is; empty when its user is gone."""
        return str(self.columns["user_id"] or "")

    @property
    def updated_at(self) -> datetime:
        """When it was last written."""
        at: datetime = self.columns["updated_at"]
        return at


class Flaw(StrEnum):
    """How a document differs from its walk."""

    MISSING = "missing"  # no document
    EXTRA = "extra"  # a document of a walk that was deleted
    STALE = "stale"  # the document is of an earlier write
    DIFFERENT = "different"  # of this write, and a field is not as the app reads it


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One document that is not as it must be. ``field`` is of the first that differs; ``locations`` are those lost."""

    flaw: Flaw
    walk_id: str
    user: str
    field: str = ""
    expected: str = ""
    found: str = ""
    locations: int = 0

    def __str__(self) -> str:
        """For people."""
        what = f"{self.flaw} walk {self.walk_id} of {self.user or 'nobody'}"
        field = f": {self.field} is {self.found}, must be {self.expected}" if self.field else ""
        return what + field + (f", {self.locations} locations lost" if self.locations else "")


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """``compared`` walks and deleted walks; the findings by walk id."""

    compared: int
    findings: tuple[Finding, ...]

    def count(self, flaw: Flaw) -> int:
        """Findings of one kind."""
        return sum(finding.flaw is flaw for finding in self.findings)

    @property
    def sentence(self) -> str:
        """All counts, for people."""
        counts = ", ".join(f"{self.count(flaw)} {flaw}" for flaw in Flaw)
        return f"{self.compared} walks compared with their documents: {counts}"


def document_id(walk_id: str) -> str:
    """Swift's ``uuidString``."""
    return walk_id.upper()


def expected(walk: StoredWalk) -> Fields:
    """The document that the app must find."""
    columns = walk.columns
    fields: Fields = {"id": Value("string", document_id(walk.id))}
    fields |= {name: Value("string", columns[name]) for name in _TEXTS}
    fields |= {name: Value("double", float(columns[name])) for name in _DOUBLES}
    fields |= {name: Value("timestamp", columns[name]) for name in _TIMES}
    fields |= {name: Value("string", columns[name]) for name in _TEXTS_OR_NIL if columns[name] is not None}
    fields |= {name: Value("timestamp", columns[name]) for name in _TIMES_OR_NIL if columns[name] is not None}
    fields["total_steps"] = Value("integer", int(columns["total_steps"]))
    fields["location_data"] = Value("array", [Value("map", _location(each)) for each in walk.locations])
    return fields


def compare(
    walks: Iterable[StoredWalk],
    documents: Mapping[str, Fields],
    deleted: Mapping[str, str] | None = None,
    *,
    moving: bool = False,
) -> Comparison:
    """``documents`` by document id; ``deleted`` are the walks that the API confirmed to have deleted, and their users.

    A walk deleted and written again is in ``walks``, and is compared as such. ``moving``: writes go on, so a document
    newer than its walk is of a write since, and agrees.
    """
    stored = {walk.id: walk for walk in walks}
    gone = {walk_id: user for walk_id, user in (deleted or {}).items() if walk_id not in stored}
    findings = [found for walk in stored.values() if (found := _finding(walk, documents, moving)) is not None]
    findings += [
        Finding(flaw=Flaw.EXTRA, walk_id=walk_id, user=user)
        for walk_id, user in gone.items()
        if document_id(walk_id) in documents
    ]
    findings.sort(key=lambda finding: finding.walk_id)
    return Comparison(compared=len(stored) + len(gone), findings=tuple(findings))


def by_user(findings: Collection[Finding]) -> dict[str, tuple[int, int]]:
    """What each user would lose by a flag-off now: walks missing or stale, and locations of theirs."""
    lost: dict[str, tuple[int, int]] = {}
    for finding in findings:
        if finding.flaw in (Flaw.MISSING, Flaw.STALE):
            walks, locations = lost.get(finding.user, (0, 0))
            lost[finding.user] = (walks + 1, locations + finding.locations)
    return dict(sorted(lost.items()))


def _finding(walk: StoredWalk, documents: Mapping[str, Fields], moving: bool) -> Finding | None:
    document = documents.get(document_id(walk.id))
    if document is None:
        return Finding(flaw=Flaw.MISSING, walk_id=walk.id, user=walk.user, locations=len(walk.locations))
    must = expected(walk)
    if document == must:
        return None
    held = document.get("updated_at")
    if held is not None and held.kind == "timestamp" and held.value < walk.updated_at:
        lost = max(0, len(walk.locations) - _count(document))
        return Finding(flaw=Flaw.STALE, walk_id=walk.id, user=walk.user, locations=lost)
    if moving and held is not None and held.kind == "timestamp" and held.value > walk.updated_at:
        return None
    field, wanted, found = _first_difference(must, document)
    return Finding(
        flaw=Flaw.DIFFERENT, walk_id=walk.id, user=walk.user, field=field, expected=_show(wanted), found=_show(found)
    )


def _first_difference(must: Fields, document: Fields, prefix: str = "") -> tuple[str, Value | None, Value | None]:
    for name in [*must, *(name for name in document if name not in must)]:
        wanted, found = must.get(name), document.get(name)
        if wanted == found:
            continue
        if wanted is not None and found is not None and wanted.kind == found.kind:
            if wanted.kind == "map":
                return _first_difference(wanted.value, found.value, f"{prefix}{name}.")
            if wanted.kind == "array" and len(wanted.value) == len(found.value):
                pairs = enumerate(zip(wanted.value, found.value, strict=True))
                index, (one, other) = next((i, pair) for i, pair in pairs if pair[0] != pair[1])
                return _first_difference({f"{name}[{index}]": one}, {f"{name}[{index}]": other}, prefix)
        return prefix + name, wanted, found
    raise AssertionError("called for equal documents")


def _location(row: Mapping[str, Any]) -> Fields:
    fields: Fields = {
        "latitude": Value("double", float(row["latitude"])),
        "longitude": Value("double", float(row["longitude"])),
        "timestamp": Value("timestamp", row["timestamp"]),
        "speed": _double(row["speed"], _UNKNOWN),
        "course": _double(row["course"], _UNKNOWN),
    }
    for column, key in (
        ("altitude", "altitude"),
        ("horizontal_accuracy", "horizontalAccuracy"),
        ("vertical_accuracy", "verticalAccuracy"),
    ):
        if row[column] is not None:
            fields[key] = Value("double", float(row[column]))
    return fields


def _double(value: float | None, unknown: float) -> Value:
    return Value("double", unknown if value is None else float(value))


def _count(document: Fields) -> int:
    held = document.get("location_data")
    return len(held.value) if held is not None and held.kind == "array" else 0


def _show(value: Value | None) -> str:
    if value is None:
        return "absent"
    return f"an array of {len(value.value)}" if value.kind == "array" else str(value)[:200]
