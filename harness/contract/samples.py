"""Bodies that are right: what the checks send, and vary."""

from __future__ import annotations

from typing import Any

TIMES = ("start_time", "end_time", "paused_at")

#: Every changeable field of a walk, with values that a mix-up of fields or units would show.
FULL_WALK: dict[str, Any] = {
    "title": "夕方の散歩",
    "description": "公園まで",
    "start_time": "2025-10-20T08:00:00.125Z",
    "end_time": "2025-10-20T09:30:00.5Z",
    "paused_at": "2025-10-20T08:45:00Z",
    "total_distance": 4321.5,
    "total_steps": 6789,
    "polyline_data": "_p~iF~ps|U_ulLnnqC",
    "thumbnail_image_url": "https://images.invalid/walk.jpg",
    "status": "completed",
    "total_paused_duration": 61.25,
}

#: Every field of a location, all known.
FULL_LOCATION: dict[str, Any] = {
    "latitude": 35.681236,
    "longitude": 139.767125,
    "altitude": 12.5,
    "timestamp": "2025-10-20T08:00:01.250Z",
    "horizontal_accuracy": 4.75,
    "vertical_accuracy": 3.25,
    "speed": 1.375,
    "course": 271.5,
}


def location(number: int, **changes: Any) -> dict[str, Any]:
    """A location with that sequence number; a field changed to ``...`` is left out."""
    body = FULL_LOCATION | {"sequence_number": number} | changes
    return {name: value for name, value in body.items() if value is not ...}
