"""The comparison of walks and documents: an agreeing pair, and every planted disagreement found, and only it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.checks.dual_write import Flaw, StoredWalk, by_user, compare, document_id, expected
from harness.stack.firebase.documents import Fields, Value

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


def first(document: Fields) -> Fields:
    location: Fields = document["location_data"].value[0].value
    return location


def test_the_expected_document_is_the_apps() -> None:
    held = expected(
        StoredWalk(id=WALK, columns=walk().columns, locations=[point(0, speed=None, course=None, altitude=None)])
    )
    assert held["id"] == Value("string", WALK.upper())
    assert held["total_steps"] == Value("integer", 180)
    assert "end_time" not in held and "paused_at" not in held and "thumbnail_image_url" not in held
    assert first(held) == {
        "latitude": Value("double", 35.5),
        "longitude": Value("double", 139.5),
        "timestamp": Value("timestamp", NOON),
        "speed": Value("double", -1.0),
        "course": Value("double", -1.0),
        "horizontalAccuracy": Value("double", 5.0),
        "verticalAccuracy": Value("double", 3.0),
    }


def test_what_agrees_has_no_finding() -> None:
    one, other = walk(), walk(WALK.replace("0b", "0c"), points=0)
    compared = compare([one, other], documents(one, other))
    assert (compared.compared, compared.findings) == (2, ())


def test_a_walk_without_a_document_is_missing_with_its_locations() -> None:
    [finding] = compare([walk()], {}).findings
    assert (finding.flaw, finding.user, finding.locations) == (Flaw.MISSING, "u1", 3)


def test_a_document_under_the_lower_case_id_is_missing() -> None:
    held = documents(walk())
    [finding] = compare([walk()], {WALK: held[WALK.upper()]}).findings
    assert finding.flaw is Flaw.MISSING


def test_a_document_of_a_deleted_walk_is_extra() -> None:
    held = documents(walk())
    [finding] = compare([], held, {WALK: "u1"}).findings
    assert (finding.flaw, finding.user) == (Flaw.EXTRA, "u1")
    assert compare([], {}, {WALK: "u1"}).findings == ()
    assert compare([walk()], held, {WALK: "u1"}).findings == ()  # deleted, and written again


def test_a_document_of_an_earlier_write_is_stale_with_what_it_lacks() -> None:
    earlier = walk(points=1, updated_at=NOON)
    [finding] = compare([walk()], documents(earlier)).findings
    assert (finding.flaw, finding.locations) == (Flaw.STALE, 2)


def _snake(document: Fields) -> None:
    first(document)["horizontal_accuracy"] = first(document).pop("horizontalAccuracy")


def _reverse(document: Fields) -> None:
    document["location_data"].value.reverse()


def _put(name: str, value: Value) -> Callable[[Fields], None]:
    return lambda document: document.update({name: value})


@pytest.mark.parametrize(
    ("plant", "field"),
    [
        (_put("id", Value("string", WALK)), "id"),
        (_put("total_distance", Value("integer", 120)), "total_distance"),
        (_put("total_steps", Value("double", 180.0)), "total_steps"),
        (_put("start_time", Value("string", NOON.isoformat())), "start_time"),
        (_put("end_time", Value("null", None)), "end_time"),
        (_put("title", Value("string", "another")), "title"),
        (_put("userId", Value("string", "u1")), "userId"),
        (_put("location_data", Value("array", [])), "location_data"),
        (_put("updated_at", Value("timestamp", NOON + timedelta(hours=1))), "updated_at"),
        (lambda document: document.pop("location_data"), "location_data"),
        (lambda document: document.pop("polyline_data"), "polyline_data"),
        (lambda document: first(document).update(speed=Value("null", None)), "location_data[0].speed"),
        (_snake, "location_data[0].horizontalAccuracy"),
        (_reverse, "location_data[0].timestamp"),
    ],
)
def test_a_planted_difference_is_found_and_named(plant: Callable[[Fields], None], field: str) -> None:
    one, other = walk(), walk(WALK.replace("0b", "0c"))
    held = documents(one, other)
    plant(held[WALK.upper()])
    [finding] = compare([one, other], held).findings
    assert (finding.flaw, finding.walk_id, finding.field) == (Flaw.DIFFERENT, WALK, field)
    assert field in str(finding)


def test_the_loss_is_told_by_user() -> None:
    ids = [WALK.replace("0b", f"{number:02x}") for number in range(4)]
    walks = [walk(ids[0], "u2"), walk(ids[1], "u1"), walk(ids[2], "u2", points=5), walk(ids[3], "u3")]
    compared = compare(walks, documents(walks[3], walk(ids[1], "u1", points=1, updated_at=NOON)))
    assert by_user(compared.findings) == {"u1": (1, 2), "u2": (2, 8)}
    assert compared.sentence == "4 walks compared with their documents: 2 missing, 0 extra, 1 stale, 0 different"


def test_while_writes_go_on_a_newer_document_agrees() -> None:
    later = walk(points=4, updated_at=NOON + timedelta(hours=1))
    assert compare([walk()], documents(later)).count(Flaw.DIFFERENT) == 1
    assert compare([walk()], documents(later), moving=True).findings == ()
    assert compare([later], documents(walk()), moving=True).count(Flaw.STALE) == 1
