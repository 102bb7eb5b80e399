"""The Firestore document against a hand-written one: the format the app already reads."""

from __future__ import annotations

from datetime import UTC, datetime

from api.firestore_document import document_id, fields, location_map
from api.model import Location, WalkDetail

NOW = datetime(2025, 10, 20, 9, 0, 0, 250_000, tzinfo=UTC)
WALK = WalkDetail(
    "0a1b2c3d-0000-4000-8000-00000000abcd",
    "uid-1",
    "朝",
    "d",
    NOW,
    NOW,
    NOW,
    12,
    7,
    "_p~iF",
    "https://example.com/a.jpg",
    "completed",
    3,
    NOW,
    NOW,
    [],
)


def test_a_full_walk() -> None:
    document = fields(WALK)
    assert document == {
        "id": "0A1B2C3D-0000-4000-8000-00000000ABCD",
        "user_id": "uid-1",
        "title": "朝",
        "description": "d",
        "start_time": NOW,
        "end_time": NOW,
        "paused_at": NOW,
        "total_distance": 12.0,
        "total_steps": 7,
        "polyline_data": "_p~iF",
        "thumbnail_image_url": "https://example.com/a.jpg",
        "status": "completed",
        "total_paused_duration": 3.0,
        "created_at": NOW,
        "updated_at": NOW,
    }
    # 12 and 3 came as integers; the app reads doubles, and an integer of Firestore is not one.
    assert {name: type(document[name]) for name in ("total_distance", "total_steps", "total_paused_duration")} == {
        "total_distance": float,
        "total_steps": int,
        "total_paused_duration": float,
    }


def test_what_is_unknown_is_absent() -> None:
    bare = WalkDetail(WALK.id, None, "t", "", None, None, None, 0.0, 0, None, None, "not_started", 0.0, NOW, NOW, [])
    assert set(fields(bare)) == {
        *("id", "title", "description", "total_distance", "total_steps", "status", "total_paused_duration"),
        *("created_at", "updated_at"),
    }


def test_location_keys_are_camel_case() -> None:
    location = Location(0.0, 139.7, NOW, 3, 40, 5, 3, 1, 90)
    entry = location_map(location)
    assert entry == {
        "latitude": 0.0,
        "longitude": 139.7,
        "altitude": 40.0,
        "timestamp": NOW,
        "horizontalAccuracy": 5.0,
        "verticalAccuracy": 3.0,
        "speed": 1.0,
        "course": 90.0,
    }
    assert {type(value) for value in entry.values()} == {float, datetime}
    assert not any("_" in key for key in entry)


def test_unknown_speed_and_course_are_minus_one_as_ios_writes() -> None:
    entry = location_map(Location(1.0, 2.0, NOW, 0))
    assert entry == {"latitude": 1.0, "longitude": 2.0, "timestamp": NOW, "speed": -1.0, "course": -1.0}


def test_zero_is_not_unknown() -> None:
    entry = location_map(Location(0.0, 0.0, NOW, 0, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert [value for name, value in entry.items() if name != "timestamp"] == [0.0] * 7


def test_document_id_is_upper_case() -> None:
    assert document_id(WALK.id) == "0A1B2C3D-0000-4000-8000-00000000ABCD"
