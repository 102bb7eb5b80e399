"""Reading past the target, from a real PostgreSQL with more walks than two thousand: all of them, or an error."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import pytest

from harness.checks.stores import TooManyWalks, read_walks
from harness.model.stack import Address, Endpoints
from tests.api import postgres, world
from tests.nowhere import all_at

pytestmark = pytest.mark.process

MANY = 2_500
WALKS = """
INSERT INTO walks (id, title, updated_at)
SELECT gen_random_uuid(), 'walk ' || number, timestamptz '2025-10-20Z' + number * interval '1 s'
FROM generate_series(1, $1::int) AS number
"""
LOCATIONS = """
INSERT INTO walk_locations (walk_id, latitude, longitude, "timestamp", sequence_number)
SELECT id, 35, 139, updated_at, number FROM walks, generate_series(0, 9) AS number
"""


@pytest.fixture(scope="module")
def endpoints() -> Iterator[Endpoints]:
    with postgres.running() as server:
        world.migrate(server.settings)
        database = Address(host=server.settings.host, port=server.settings.port)
        yield all_at(database=database, database_name=server.settings.name, database_user=server.settings.user)


async def test_all_of_many_walks_are_read_and_never_a_part_of_them(endpoints: Endpoints) -> None:
    connection = await asyncpg.connect(
        host=endpoints.database.host,
        port=endpoints.database.port,
        user=endpoints.database_user,
        database=endpoints.database_name,
    )
    await connection.execute(WALKS, MANY)
    await connection.execute(LOCATIONS)
    await connection.close()
    walks = await read_walks(endpoints)
    assert (len(walks), walks[-1].columns["title"]) == (MANY, "walk 1")
    assert {len(walk.locations) for walk in walks} == {10}
    for most in (MANY - 1, MANY):
        with pytest.raises(TooManyWalks, match=f"there are {most} walks or more"):
            await read_walks(endpoints, most)
