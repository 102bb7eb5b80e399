"""A walk as the old app writes it to Firestore (docs/contract/firestore.md).

One document a walk; its id is the UUID in UPPER CASE. Fields are in snake case, the keys of a location in camelCase.
``speed`` and ``course`` that are unknown are -1, as iOS writes them. The app always writes the whole document: every
location of the walk so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from harness.load.population.walk import Location, NewWalk, Status, WalkUpdate

UNKNOWN = -1.0
#: Firestore's "maximum size for a document"; what is more is refused for ever. No emulator counts.
MOST_BYTES = 1 << 20
_OVERHEAD_BYTES = 32  # of a document and of each map
_NAME_BYTES = 16  # of a document's path, beside its parts
_ELSE_BYTES = 8  # a double, an integer, a timestamp


def document_id(walk_id: str) -> str:
    """Swift's ``uuidString``."""
    return walk_id.upper()


def location(point: Location) -> dict[str, object]:
    """One entry of ``location_data``."""
    return {
        "latitude": point.latitude,
        "longitude": point.longitude,
        "altitude": point.altitude,
        "timestamp": point.timestamp,
        "horizontalAccuracy": point.horizontal_accuracy,
        "verticalAccuracy": point.vertical_accuracy,
        "speed": UNKNOWN if point.speed is None else point.speed,
        "course": UNKNOWN if point.course is None else point.course,
    }


def document(
    walk_id: str,
    uid: str,
    body: NewWalk | WalkUpdate,
    location_data: Sequence[dict[str, object]],
    *,
    created_at: datetime,
    updated_at: datetime,
) -> dict[str, object]:
    """The whole document; fields that are nil in the app are absent."""
    fields: dict[str, object] = {
        "id": document_id(walk_id),
        "user_id": uid,
        "title": body.title,
        "description": body.description if isinstance(body, NewWalk) else "",
        "status": str(Status.NOT_STARTED),
        "total_distance": 0.0,
        "total_steps": 0,
        "total_paused_duration": 0.0,
        "created_at": created_at,
        "updated_at": updated_at,
        "location_data": list(location_data),
    }
    if isinstance(body, WalkUpdate):
        fields["status"] = str(body.status)
        fields["total_distance"] = float(body.total_distance)
        fields["total_steps"] = body.total_steps
        fields["polyline_data"] = body.polyline_data
        fields["start_time"] = body.start_time
        if body.thumbnail_image_url is not None:
            fields["thumbnail_image_url"] = body.thumbnail_image_url
        if body.end_time is not None:
            fields["end_time"] = body.end_time
    return fields


def size_bytes(path: str, fields: Mapping[str, Any]) -> int:
    """How large Firestore counts the document ``path`` (its documentation, "Storage size calculations"): texts, and the
    names of fields and of the path's parts, with one byte more each."""
    return _NAME_BYTES + sum(map(_value_bytes, path.split("/"))) + _value_bytes(fields)


def _value_bytes(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode()) + 1
    if isinstance(value, Mapping):
        return _OVERHEAD_BYTES + sum(_value_bytes(name) + _value_bytes(each) for name, each in value.items())
    if isinstance(value, list):
        return sum(map(_value_bytes, value))
    return 1 if value is None or isinstance(value, bool) else _ELSE_BYTES
