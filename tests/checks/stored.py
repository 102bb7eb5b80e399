"""A walk as PostgreSQL and as Firestore hold it, made by hand."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from harness.checks.dual_write import StoredWalk, document_id, expected
from harness.stack.firebase.documents import Fields

NOON = datetime(2025, 10, 20, 12, tzinfo=UTC)


WALK = "0b3a6c9e-aaaa-4222-8333-444455556666"


def point(second: int, **changes: Any) -> dict[str, Any]:
    full = {
        "latitude": 35.5,
        "longitude": 139.5,
        "altitude": 12.5,
        "timestamp": NOON + timedelta(seconds=second),
        "horizontal_accuracy": 5.0,
        "vertical_accuracy": 3.0,
        "speed": 1.25,
        "course": 90.0,
    }
    return full | changes


def walk(walk_id: str = WALK, user: str = "u1", points: int = 3, **changes: Any) -> StoredWalk:
    columns: dict[str, Any] = {
        "user_id": user,
        "title": "散歩",
        "description": "",
        "start_time": NOON,
        "end_time": None,
        "total_distance": 120.5,
        "total_steps": 180,
        "polyline_data": "abc",
        "thumbnail_image_url": None,
        "status": "in_progress",
        "paused_at": None,
        "total_paused_duration": 0.0,
        "created_at": NOON,
        "updated_at": NOON + timedelta(minutes=1),
    }
    return StoredWalk(id=walk_id, columns=columns | changes, locations=[point(n) for n in range(points)])


def documents(*walks: StoredWalk) -> dict[str, Fields]:
    return {document_id(each.id): deepcopy(expected(each)) for each in walks}
