"""The old app's format, written out by hand."""

from __future__ import annotations

from datetime import UTC, datetime

from harness.load.population.firestore_document import document, document_id, location
from harness.load.population.walk import Location, NewWalk, Status, WalkUpdate

AT = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
WALK = "0b0f5f0e-8d0c-4c7e-9c63-1f2d3a4b5c6d"


def point(speed: float | None, course: float | None) -> Location:
    return Location(
        latitude=0.0,
        longitude=139.7,
        altitude=12.5,
        timestamp=AT,
        horizontal_accuracy=4.5,
        vertical_accuracy=3.25,
        speed=speed,
        course=course,
        sequence_number=7,
    )


def test_a_walk_under_way() -> None:
    body = WalkUpdate(
        title="Walk",
        status=Status.IN_PROGRESS,
        start_time=AT,
        total_distance=120,
        total_steps=171,
        polyline_data="_p~iF~ps|U",
        locations=(point(None, None),),
    )
    points = [location(point(1.25, 90.0)), location(point(None, None))]
    assert document(WALK, "u0001", body, points, created_at=AT, updated_at=AT) == {
        "id": "0B0F5F0E-8D0C-4C7E-9C63-1F2D3A4B5C6D",
        "user_id": "u0001",
        "title": "Walk",
        "description": "",
        "status": "in_progress",
        "start_time": AT,
        "total_distance": 120.0,
        "total_steps": 171,
        "total_paused_duration": 0.0,
        "polyline_data": "_p~iF~ps|U",
        "created_at": AT,
        "updated_at": AT,
        "location_data": [
            {
                "latitude": 0.0,
                "longitude": 139.7,
                "altitude": 12.5,
                "timestamp": AT,
                "horizontalAccuracy": 4.5,
                "verticalAccuracy": 3.25,
                "speed": 1.25,
                "course": 90.0,
            },
            {
                "latitude": 0.0,
                "longitude": 139.7,
                "altitude": 12.5,
                "timestamp": AT,
                "horizontalAccuracy": 4.5,
                "verticalAccuracy": 3.25,
                "speed": -1.0,
                "course": -1.0,
            },
        ],
    }
    made = document(WALK, "u0001", body, points, created_at=AT, updated_at=AT)
    assert isinstance(made["total_distance"], float)
    assert isinstance(made["total_steps"], int)


def test_a_new_walk_has_no_times_and_an_empty_location_data() -> None:
    made = document(WALK, "u0001", NewWalk(title="T", description="D"), [], created_at=AT, updated_at=AT)
    assert made["location_data"] == []
    assert made["status"] == "not_started"
    assert made["description"] == "D"
    assert not {"start_time", "end_time", "paused_at", "polyline_data", "thumbnail_image_url"} & set(made)


def test_the_document_id_is_upper_case() -> None:
    assert document_id(WALK) == WALK.upper()
