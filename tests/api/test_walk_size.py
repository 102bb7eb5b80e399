"""A walk has an end: in locations, in its polyline, and in the mirror's document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from msgspec import structs

from api.firestore_document import SIZE_MAX_BYTES, size_bytes
from api.model import MAX_LOCATIONS, MAX_POLYLINE, Location, WalkDetail
from api.settings import DatabaseSettings
from tests.api.contract import assert_error, location
from tests.api.test_postgres import _connect
from tests.api.world import World, new_id, new_user
from tests.register import ERRATA

NOW = datetime(2025, 10, 20, 9, tzinfo=UTC)
WALK_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
FULL = Location(35.0, 139.0, NOW, 0, 1.0, 2.0, 3.0, 4.0, 5.0)
BARE = Location(35.0, 139.0, NOW, 0)


async def test_locations_beyond_the_limit_are_refused_before_anything_is_stored(api: World) -> None:
    path = f"/v1/walks/{new_id()}"
    async with api.as_user() as client:
        body: dict[str, Any] = {"title": "kept", "locations": [location(0), location(MAX_LOCATIONS - 1)]}
        assert (await client.put(path, json=body)).status_code == 200
        for number in (MAX_LOCATIONS, 2**31 - 1):
            body = {"title": "not this", "locations": [location(1), location(number)]}
            assert_error(await client.put(path, json=body), 400, "INVALID_REQUEST")
        walk = (await client.get(path)).json()
        assert walk["title"] == "kept"
        assert [entry["sequence_number"] for entry in walk["locations"]] == [0, MAX_LOCATIONS - 1]


async def test_a_polyline_has_an_end(api: World) -> None:
    path = f"/v1/walks/{new_id()}"
    async with api.as_user() as client:
        assert (await client.put(path, json={"polyline_data": "a" * MAX_POLYLINE})).status_code == 200
        answer = await client.put(path, json={"polyline_data": "a" * (MAX_POLYLINE + 1)})
        assert_error(answer, 400, "INVALID_REQUEST")
        assert len((await client.get(path)).json()["polyline_data"]) == MAX_POLYLINE


@pytest.mark.process
async def test_the_schema_has_the_same_limit(real: World, migrated: DatabaseSettings) -> None:
    """For whoever writes past the API (a copy, a repair)."""
    walk_id = new_id()
    async with real.as_user(new_user()) as client:
        await client.put(f"/v1/walks/{walk_id}", json={})
    connection = await _connect(migrated)
    insert = "INSERT INTO walk_locations (walk_id, latitude, longitude, timestamp, sequence_number) VALUES ($1, 0, 0, $2, $3)"
    try:
        await connection.execute(insert, walk_id, NOW, MAX_LOCATIONS - 1)
        with pytest.raises(asyncpg.CheckViolationError, match="below_20000"):
            await connection.execute(insert, walk_id, NOW, MAX_LOCATIONS)
    finally:
        await connection.close()


def walk(locations: list[Location], **changes: Any) -> WalkDetail:
    made = WalkDetail(WALK_ID, "u", "t", "", None, None, None, 0.0, 0, None, None, "paused", 0.0, NOW, NOW, locations)
    return structs.replace(made, **changes)


def test_a_document_is_as_large_as_firestores_rules_say() -> None:
    """Its documentation's own example is counted alike: names and texts with one byte more, numbers 8, a map 32."""
    name = len("walks") + 1 + 36 + 1 + 16
    texts = {"id": 36, "title": 1, "description": 0, "status": 6, "user_id": 1}
    numbers = ("total_distance", "total_steps", "total_paused_duration", "created_at", "updated_at")
    fields = sum(len(field) + 1 + size + 1 for field, size in texts.items()) + sum(len(field) + 9 for field in numbers)
    empty = name + 32 + fields + len("location_data") + 1
    assert size_bytes(walk([])) == empty
    full = 32 + sum(
        len(key) + 9
        for key in (
            "latitude",
            "longitude",
            "altitude",
            "timestamp",
            "horizontalAccuracy",
            "verticalAccuracy",
            "speed",
            "course",
        )
    )
    assert full == 183
    assert size_bytes(walk([FULL] * 10)) == empty + 10 * full
    assert size_bytes(walk([BARE])) == empty + full - sum(
        len(k) + 9 for k in ("altitude", "horizontalAccuracy", "verticalAccuracy")
    )
    assert size_bytes(walk([], title="歩")) == empty + 2
    assert size_bytes(walk([], polyline_data="abc")) == empty + len("polyline_data") + 1 + 4


def test_a_document_holds_fewer_locations_than_the_api_takes() -> None:
    """The erratum ``dual_write.document_of_one_mebibyte`` says these figures."""
    held = 5728
    (_, erratum) = ERRATA["dual_write.document_of_one_mebibyte"]
    assert f"{held:,} full locations (183 bytes each)" in erratum.why
    places = [structs.replace(FULL, timestamp=NOW + timedelta(seconds=n)) for n in range(held + 1)]
    assert size_bytes(walk(places[:-1])) <= SIZE_MAX_BYTES < size_bytes(walk(places))
    assert held < MAX_LOCATIONS
    assert 94 < held / 60 < 96  # minutes at one a second
