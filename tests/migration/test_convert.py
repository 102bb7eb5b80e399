"""What a document becomes, and what is refused with which reason: each kind that the contract leaves open or forbids."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from harness.migration.convert import Unconvertible, WalkRows, consent_row, digest, walk_rows
from tests.migration.stores import NOON, walk

WALK = "0B3A6C9E-AAAA-4222-8333-444455556666"


def rows(changes: dict[str, Any] | None = None, **options: Any) -> WalkRows:
    [(path, fields)] = walk("w", "u1", **(changes or {})).items()
    return walk_rows(path.split("/")[1], fields, **options)


def point(**changes: Any) -> dict[str, Any]:
    [fields] = walk("w", "u1").values()
    first, *others = fields["location_data"]
    return {"location_data": [{k: v for k, v in {**first, **changes}.items() if v is not ...}, *others]}


def column(found: WalkRows, name: str) -> Any:
    from harness.migration.convert import WALK_COLUMNS

    return found.walk[WALK_COLUMNS.index(name)]


def test_a_walk_of_the_app_is_moved_whole() -> None:
    found = rows()
    assert (found.user, found.version, len(found.locations), found.repaired, found.unknown) == ("u1", NOON, 3, (), ())
    assert [row[1] for row in found.locations] == [0, 1, 2]


def test_an_unknown_speed_is_null_and_zero_is_zero() -> None:
    found = rows(point(speed=-1.0, course=-1.0, latitude=0.0, longitude=0.0))
    assert found.locations[0][2:4] == (0.0, 0.0) and found.locations[0][-2:] == (None, None)
    assert rows(point(speed=0.0)).locations[0][-2] == 0.0


def test_what_is_absent_is_filled_in_and_named() -> None:
    names = (
        *("title", "description", "total_distance", "total_steps", "status", "total_paused_duration"),
        *("created_at", "updated_at", "location_data"),
    )
    absent = dict.fromkeys(names, ...)
    made = datetime(2025, 1, 1, tzinfo=UTC)
    found = rows(absent, created=made, updated=NOON)
    assert found.repaired == names
    assert (column(found, "status"), column(found, "created_at"), found.locations) == ("not_started", made, [])
    assert found.version == NOON
    with pytest.raises(Unconvertible, match="created_at: is absent"):
        rows(absent)


def test_keys_in_camel_case_nested_places_and_fields_without_a_column() -> None:
    [fields] = walk("w", "u1").values()
    first, *others = (name.split("_") for name in ("total_distance", "user_id"))
    assert first and others
    named = {"totalDistance": fields["total_distance"], "total_distance": ..., "userId": "u1", "user_id": ...}
    found = rows({**named, "weather": {"sky": "blue"}})
    assert (found.user, column(found, "total_distance"), found.unknown) == (
        "u1",
        fields["total_distance"],
        ("weather",),
    )
    place = {"latitude": 1.5, "longitude": 2.5}
    nested = rows(point(latitude=..., longitude=..., coordinate=place))
    assert nested.locations[0][2:4] == (1.5, 2.5)
    snake = rows(point(horizontalAccuracy=..., horizontal_accuracy=7.0))
    assert snake.locations[0][6] == 7.0


def test_keys_of_a_location_that_have_no_column_are_named_once() -> None:
    [fields] = walk("w", "u1").values()
    odd = [{**each, "floor": 3, "accuracy": 5.0} for each in fields["location_data"]]
    place = {"geopoint": {"latitude": 1.5, "longitude": 2.5}, "timestamp": NOON, "sequence_number": 0, "altitude": None}
    found = rows({"location_data": [*fields["location_data"], *odd, place], "weather": "blue"})
    keys = ("accuracy", "floor", "sequence_number")
    assert found.unknown == (*(f"location_data[].{each}" for each in keys), "weather")
    assert found.locations[3] == (*found.locations[0][:1], 3, *found.locations[0][2:])


@pytest.mark.parametrize(
    ("given", "zone", "read"),
    [
        ("2025-10-20T18:00:00+09:00", None, datetime(2025, 10, 20, 9, tzinfo=UTC)),
        ("2025-10-20 18:00:00", "Asia/Tokyo", datetime(2025, 10, 20, 9, tzinfo=UTC)),
        ({"_seconds": 1_760_950_800, "_nanoseconds": 5_000}, None, datetime(2025, 10, 20, 9, 0, 0, 5, tzinfo=UTC)),
        (1_760_950_800_000, None, datetime(2025, 10, 20, 9, tzinfo=UTC)),
        ("1712110800000", None, datetime(2024, 4, 3, 2, 20, tzinfo=UTC)),
        ("1712110800000.5", "Asia/Tokyo", datetime(2024, 4, 3, 2, 20, 0, 500, tzinfo=UTC)),
        ("20251020", "Asia/Tokyo", datetime(2025, 10, 19, 15, tzinfo=UTC)),
        (datetime(2025, 10, 20, 18, tzinfo=timezone(timedelta(hours=9))), None, datetime(2025, 10, 20, 9, tzinfo=UTC)),
    ],
    ids=["offset", "local", "map", "milliseconds", "like_a_date", "like_a_local_time", "date", "aware"],
)
def test_times_in_every_form_are_one(given: Any, zone: str | None, read: datetime) -> None:
    assert column(rows({"created_at": given}, zone=ZoneInfo(zone) if zone else None), "created_at") == read


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"created_at": "2025-10-20 18:00:00"}, "created_at: .* local time without its zone: say --time-zone"),
        ({"created_at": "yesterday"}, "created_at: is 'yesterday'"),
        ({"start_time": {"sky": 1}}, "start_time: is a map, and no time"),
        ({"status": "flying"}, "status: is 'flying', which is none of"),
        ({"id": WALK}, "id: is .* and the document's is"),
        ({"title": "x" * 256}, "title: has 256 characters, and 255 is the limit"),
        ({"title": 7}, "title: is int '7', and no text"),
        ({"title": "a\0b"}, r"title: holds the character U\+0000"),
        ({"thumbnail_image_url": "x" * 501}, "thumbnail_image_url: has 501"),
        ({"total_distance": "4321.5"}, "total_distance: is str '4321.5', and no number"),
        ({"total_distance": -1.0}, "total_distance: is -1, and cannot be negative"),
        ({"total_distance": math.nan}, "total_distance: is nan, and no finite number"),
        ({"total_steps": 1.5}, "total_steps: is 1.5, and no whole number"),
        ({"total_steps": 2**31}, "total_steps: is .* and no whole number up to"),
        ({"total_steps": True}, "total_steps: is bool 'True', and no number"),
        ({"end_time": NOON, "start_time": ...}, "end_time: has no start_time"),
        ({"end_time": datetime(2020, 1, 1, tzinfo=UTC)}, "end_time: is before start_time"),
        ({"location_data": {"0": {}}}, "location_data: is no array of maps"),
        ({"location_data": [{}] * 20_001}, "location_data: has 20001 locations"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(Unconvertible, match=why):
        rows(changes)


@pytest.mark.parametrize(
    "given",
    [
        {"seconds": 1_760_950_800_000, "nanoseconds": 0},
        {"seconds": 0, "nanoseconds": 10**400},
        "0001-01-01T00:00:00+09:00",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59-09:00",
    ],
)
def test_a_time_that_no_calendar_has_refuses_its_document_and_ends_nothing(given: Any) -> None:
    """Milliseconds where seconds belong; and the zero of Go and .NET, hours before it in UTC."""
    with pytest.raises(Unconvertible, match=r"created_at: is .*, which is before the year 1 or after 9999"):
        rows({"created_at": given}, zone=ZoneInfo("Asia/Tokyo"))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"timestamp": ...}, r"location_data\[0\].timestamp: is absent"),
        ({"latitude": ...}, r"location_data\[0\].latitude: is absent"),
        ({"latitude": 90.1}, r"location_data\[0\].latitude: is 90.1, beyond 90 degrees"),
        ({"longitude": math.inf}, r"location_data\[0\].longitude: is inf"),
        ({"altitude": "high"}, r"location_data\[0\].altitude: is str 'high', and no number"),
        ({"speed": math.nan}, r"location_data\[0\].speed: is nan"),
    ],
)
def test_a_location_that_cannot_be_kept_refuses_its_walk(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(Unconvertible, match=why):
        rows(point(**changes))


@pytest.mark.parametrize("name", ["walk-1", "", WALK.replace("-", ""), f"{{{WALK}}}"])
def test_an_id_that_is_no_uuid_is_refused(name: str) -> None:
    with pytest.raises(Unconvertible, match="is no UUID"):
        walk_rows(name, {})


def test_the_digest_tells_any_change_of_content_and_nothing_else() -> None:
    found = rows()
    same = digest(found.walk, found.locations)
    assert digest((*found.walk[:-1], NOON + timedelta(days=1)), found.locations) == same  # the version is apart
    assert digest(found.walk, found.locations[:-1]) != same
    for place in range(1, len(found.walk) - 1):
        changed = (*found.walk[:place], "other", *found.walk[place + 1 :])
        assert digest(changed, found.locations) != same
    for place in range(1, len(found.locations[0])):
        first = found.locations[0]
        other = (*first[:place], 0.123, *first[place + 1 :])
        assert digest(found.walk, [other, *found.locations[1:]]) != same


def test_a_consent_is_read_and_one_that_is_none_refused() -> None:
    fields = {"policyVersion": "1", "consent_type": "initial", "consented_at": NOON}
    row = consent_row(WALK, "u1", fields)
    assert row[1:] == ("u1", "1", "initial", NOON, None, None, None)
    for changes, why in (
        ({"consent_type": "maybe"}, "neither initial nor update"),
        ({"consented_at": None}, "consented_at: is absent"),
    ):
        with pytest.raises(Unconvertible, match=why):
            consent_row(WALK, "u1", {**fields, **changes})
