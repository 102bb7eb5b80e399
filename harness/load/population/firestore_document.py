"""A walk as the old app writes it to Firestore (docs/contract/firestore.md).

One document a walk; its id is the UUID in UPPER CASE. Fields are in snake case, the keys of a location in camelCase.
``speed`` and ``course`` that are unknown are -1, as iOS writes them. The app always writes the whole document: every
location of the walk so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from harness.load.population.walk import Location, NewWalk, Status, WalkUpdate

UNKNOWN = -1.0


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
