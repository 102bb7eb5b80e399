"""The Firestore document of a walk, as the app reads and writes it (docs/contract/firestore.md). Pure.

Top-level fields are in snake case; the keys of ``location_data`` are in camelCase. The app ignores a location key it
does not know, so ``horizontal_accuracy`` instead of ``horizontalAccuracy`` would lose the accuracies silently.
"""

from __future__ import annotations

from datetime import datetime

from api.model import Location, WalkDetail

COLLECTION = "walks"
#: Firestore's "maximum size for a document"; more is refused for ever.
SIZE_MAX_BYTES = 1024 * 1024
_OVERHEAD_BYTES = 32  # of a document and of each map
_NAME_OVERHEAD_BYTES = 16
_NUMBER_BYTES = 8  # a double, an integer, a timestamp
#: What iOS writes for a speed or course it does not know.
UNKNOWN = -1.0

Scalar = str | int | float | datetime
#: ``location_data`` apart, the fields of a document; one location's map.
Fields = dict[str, Scalar]

_ABSENT_WHEN_NONE = ("start_time", "end_time", "paused_at", "polyline_data", "thumbnail_image_url", "user_id")


def document_id(walk_id: str) -> str:
    """Swift's ``uuidString``: upper case."""
    return walk_id.upper()


def fields(walk: WalkDetail) -> Fields:
    """Every field but ``location_data``; those that are ``None`` are absent."""
    document: Fields = {
        "id": document_id(walk.id),
        "title": walk.title,
        "description": walk.description,
        "total_distance": float(walk.total_distance),
        "total_steps": walk.total_steps,
        "status": walk.status,
        "total_paused_duration": float(walk.total_paused_duration),
        "created_at": walk.created_at,
        "updated_at": walk.updated_at,
    }
    for name in _ABSENT_WHEN_NONE:
        value = getattr(walk, name)
        if value is not None:
            document[name] = value
    return document


def location_map(location: Location) -> Fields:
    """One element of ``location_data``. An unknown altitude or accuracy is absent; speed and course are -1."""
    entry: Fields = {
        "latitude": float(location.latitude),
        "longitude": float(location.longitude),
        "timestamp": location.timestamp,
        "speed": UNKNOWN if location.speed is None else float(location.speed),
        "course": UNKNOWN if location.course is None else float(location.course),
    }
    if location.altitude is not None:
        entry["altitude"] = float(location.altitude)
    if location.horizontal_accuracy is not None:
        entry["horizontalAccuracy"] = float(location.horizontal_accuracy)
    if location.vertical_accuracy is not None:
        entry["verticalAccuracy"] = float(location.vertical_accuracy)
    return entry


def size_bytes(walk: WalkDetail) -> int:
    """How large Firestore counts the document of ``walk`` (its documentation, "Storage size calculations").

    A location with every value is 183 bytes, so that a document holds some 5,700 of them: an hour and a half at one a
    second. Emulators do not count.
    """
    name = _text_bytes(COLLECTION) + _text_bytes(document_id(walk.id)) + _NAME_OVERHEAD_BYTES
    locations = sum(_map_bytes(location_map(location)) for location in walk.locations)
    return name + _map_bytes(fields(walk)) + _text_bytes("location_data") + locations


def _map_bytes(content: Fields) -> int:
    return _OVERHEAD_BYTES + sum(
        _text_bytes(name) + (_text_bytes(value) if isinstance(value, str) else _NUMBER_BYTES)
        for name, value in content.items()
    )


def _text_bytes(text: str) -> int:
    return len(text.encode()) + 1
