"""Databases as others have them, in a real PostgreSQL: what is the same is read as the same, what is not says why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from harness.checks.stores import NotAsNamed, read_consents, read_ids, read_stored, read_walks, user_rows
from harness.checks.tables import WALKS
from harness.checks.walk_tables import StoredWalks
from harness.model.stack import Address, Endpoints
from tests.api import postgres
from tests.nowhere import all_at
from tests.reconcile.foreign import KINDS, POINT, SENT, START, WALK, script

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.running() as server:
        yield server


@pytest.fixture
async def owner(server: postgres.Server) -> AsyncIterator[asyncpg.Connection]:
    """A connection to an empty database, as its owner; read as ``app``, whose session is in another zone."""
    settings = server.settings
    maker = await asyncpg.connect(host=settings.host, port=settings.port, user=settings.user, database=settings.name)
    await maker.execute("DROP DATABASE IF EXISTS theirs WITH (FORCE)")
    await maker.execute("DROP ROLE IF EXISTS app")
    await maker.execute("CREATE ROLE app LOGIN; ALTER ROLE app SET timezone TO 'America/New_York'")
    await maker.execute("CREATE DATABASE theirs")
    await maker.close()
    there = await asyncpg.connect(host=settings.host, port=settings.port, user=settings.user, database="theirs")
    yield there
    await there.close()


@pytest.fixture
def endpoints(server: postgres.Server) -> Endpoints:
    at = Address(host=server.settings.host, port=server.settings.port)
    return all_at(database=at, database_name="theirs", database_user="app")


async def made(owner: asyncpg.Connection, schema: str, sql: str, *, grant: bool = True) -> None:
    await owner.execute(sql)
    await owner.execute(f'GRANT USAGE ON SCHEMA "{schema}" TO app')
    if grant:
        await owner.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO app')


def differing(stored: StoredWalks) -> list[str]:
    """The columns that do not hold what was sent."""
    [walk] = stored.walks
    located = stored.layout.locations
    assert located is not None and walk.id == WALK
    wrong = [name for name, column in stored.layout.walks.items() if not column.holds(SENT[name], walk.columns[name])]
    for point in walk.locations:
        sent = {**POINT, "walk_id": WALK, "sequence_number": point["sequence_number"]}
        wrong += [name for name, column in located.items() if not column.holds(sent[name], point[name])]
    return wrong


def told(stored: StoredWalks) -> str:
    return " / ".join(map(str, (*stored.layout.why, *stored.layout.risks)))


@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_in_other_types_is_the_same(kind: str, owner: asyncpg.Connection, endpoints: Endpoints) -> None:
    await made(owner, kind, script(kind))
    stored = await read_stored(endpoints)
    assert stored.whole and len(stored.walks[0].locations) == 2, told(stored)
    assert differing(stored) == []
    assert await read_walks(endpoints) == list(stored.walks)
    assert await read_ids(endpoints, WALKS) == {WALK}
    risk = {"zoneless": "no time zone and are read as UTC", "counts": "counts since 1970", "seconds": "rounded values"}
    assert risk.get(kind, "") in told(stored)


async def test_another_content_is_another_in_every_type(owner: asyncpg.Connection, endpoints: Endpoints) -> None:
    """One second, one step, one millionth of a degree; in the column's own words."""
    changes = {
        "zoneless": "UPDATE {}.walks SET start_time = start_time + interval '1 ms', total_distance = 1234.6",
        "milliseconds": "UPDATE {}.walks SET start_time = start_time + interval '1 ms', total_distance = 1234.500001",
        "counts": "UPDATE {}.walks SET start_time = start_time + 1, total_distance = 1234.50000001",
        "seconds": "UPDATE {}.walks SET start_time = start_time + interval '1 s', total_distance = 1234.500001",
    }
    for kind, change in changes.items():
        await made(owner, kind, script(kind))
        await owner.execute(change.format(kind))
        assert differing(await read_stored(endpoints)) == ["start_time", "total_distance"], kind
        await owner.execute(f"DROP SCHEMA {kind} CASCADE")


async def test_local_time_without_a_zone_is_found_and_said(owner: asyncpg.Connection, endpoints: Endpoints) -> None:
    await made(owner, "zoneless", script("zoneless"))
    await owner.execute("UPDATE zoneless.walks SET start_time = start_time + interval '9 h'")
    stored = await read_stored(endpoints)
    assert differing(stored) == ["start_time"]
    column = stored.layout.walks["start_time"]
    assert column.shift(START, stored.walks[0].columns["start_time"]) == timedelta(hours=9)


async def test_enums_domains_and_the_app_s_own_schema(owner: asyncpg.Connection, endpoints: Endpoints) -> None:
    types = "CREATE TYPE state AS ENUM ('in_progress', 'done'); CREATE DOMAIN metres AS real CHECK (VALUE >= 0);"
    columns = {"status": "state", "total_distance": "metres", "total_paused_duration": "interval"}
    await made(owner, "plain", types + script("plain", columns))
    await made(owner, "other", "CREATE SCHEMA other; CREATE TABLE other.walks (id uuid)")
    with pytest.raises(NotAsNamed, match="2 tables of that name"):
        await read_stored(endpoints)
    await owner.execute("ALTER ROLE app SET search_path TO plain")
    stored = await read_stored(endpoints)
    assert stored.whole and differing(stored) == []


@pytest.mark.parametrize(
    ("change", "told_of", "unread"),
    [
        ("ALTER TABLE walks RENAME title TO name", "walks.title cannot be read: docs/contract has text, and the database "
         "has no such column", {"walks.title"}),
        ("ALTER TABLE walks ALTER status TYPE smallint USING 1", "has walk_status, and the database has smallint",
         {"walks.status"}),
        ("UPDATE walks SET status = 'active'", "has text 'active', which is none of", {"walks.status"}),
        ("ALTER TABLE walk_locations RENAME TO points", "has a table, and the database has no table of that name",
         {"walk_locations"}),
        ("REVOKE SELECT ON walks FROM app; GRANT SELECT (id, user_id) ON walks TO app", "no permission to read it",
         {f"walks.{name}" for name in SENT if name not in {"id", "user_id"}}),
        ("REVOKE SELECT ON walk_locations FROM app", "no permission to read it",
         {f"walk_locations.{name}" for name in (*POINT, "walk_id")}),
        ("ALTER TABLE walk_locations ENABLE ROW LEVEL SECURITY", "row level security", {"walk_locations"}),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_named_and_the_rest_is_read(
    change: str, told_of: str, unread: set[str], owner: asyncpg.Connection, endpoints: Endpoints
) -> None:
    await made(owner, "plain", script("plain"))
    await owner.execute(f"SET search_path TO plain; {change}")
    stored = await read_stored(endpoints)
    assert not stored.whole and {each.place for each in stored.layout.unread} == unread
    assert told_of in told(stored)
    [walk] = stored.walks
    assert (walk.id, walk.user) == (WALK, "u1")
    with pytest.raises(NotAsNamed, match="cannot be read"):
        await read_walks(endpoints)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("ALTER TABLE walks RENAME TO trips", "no table of that name"),
        ("ALTER TABLE walks RENAME TO trips; CREATE VIEW walks AS SELECT * FROM trips", "a view"),
        ("ALTER TABLE walks ENABLE ROW LEVEL SECURITY", "row level security, which hides rows"),
        ("ALTER TABLE walks RENAME id TO walk_id", "walks.id cannot be read"),
        ("ALTER TABLE walks ALTER id TYPE text; UPDATE walks SET id = 'walk-1'", "'walk-1', which is no UUID"),
        ("REVOKE USAGE ON SCHEMA plain FROM app", "no permission"),
    ],
)
async def test_a_database_of_which_no_walk_can_be_read_says_why(
    change: str, why: str, owner: asyncpg.Connection, endpoints: Endpoints
) -> None:
    await made(owner, "plain", script("plain"))
    await owner.execute(f"SET search_path TO plain; {change}")
    with pytest.raises(NotAsNamed, match=why):
        await read_stored(endpoints)


async def test_rows_marked_as_deleted_are_deleted(owner: asyncpg.Connection, endpoints: Endpoints) -> None:
    await made(owner, "plain", script("plain"))
    await owner.execute("ALTER TABLE plain.walks ADD deleted_at timestamptz")
    await owner.execute("ALTER TABLE plain.walk_locations ADD deleted_at timestamptz")
    await owner.execute("UPDATE plain.walk_locations SET deleted_at = now() WHERE sequence_number = 0")
    stored = await read_stored(endpoints)
    assert [len(walk.locations) for walk in stored.walks] == [1]
    assert "rows marked by walks.deleted_at count as deleted" in told(stored)
    await owner.execute("UPDATE plain.walks SET deleted_at = now()")
    assert (await read_stored(endpoints)).walks == []


async def test_locations_in_a_column_of_their_walk_are_read(owner: asyncpg.Connection, endpoints: Endpoints) -> None:
    await made(owner, "plain", script("plain"))
    points: dict[str, Any] = {
        "array": f"""[{{"latitude": 35.5, "longitude": 139.5, "altitude": 1,
        "timestamp": "{datetime(2025, 10, 20, 12, tzinfo=UTC).isoformat()}", "horizontalAccuracy": 5}}]"""
    }
    await owner.execute("DROP TABLE plain.walk_locations; ALTER TABLE plain.walks ADD locations jsonb")
    await owner.execute("UPDATE plain.walks SET locations = $1::text::jsonb", points["array"])
    stored = await read_stored(endpoints)
    assert stored.whole and "locations are read from walks.locations (jsonb)" in told(stored)
    [point] = stored.walks[0].locations
    assert (point["sequence_number"], point["horizontal_accuracy"], point["speed"]) == (0, 5, None)
    await owner.execute("""UPDATE plain.walks SET locations = '{"a": 1}'""")
    broken = await read_stored(endpoints)
    assert broken.layout.locations is None and "no array of maps" in told(broken)


@pytest.mark.parametrize("kind", KINDS)
async def test_one_walk_that_is_asked_for_is_found_among_others(
    kind: str, owner: asyncpg.Connection, endpoints: Endpoints
) -> None:
    other = WALK.replace("0b3a6c9e", "ffffffff")
    await made(owner, kind, script(kind))
    walks, column = ('"Walks"', '"ID"') if kind in {"quoted", "text"} else ("walks", "id")
    await owner.execute(f"CREATE TABLE more AS SELECT * FROM \"{kind}\".{walks}; UPDATE more SET {column} = '{other}'")
    await owner.execute(f'INSERT INTO "{kind}".{walks} SELECT * FROM more')
    assert {walk.id for walk in (await read_stored(endpoints)).walks} == {WALK, other}
    [walk] = (await read_stored(endpoints, only=[WALK])).walks
    assert (walk.id, len(walk.locations)) == (WALK, 2)
    assert [each.locations for each in (await read_stored(endpoints, only=[other])).walks] == [()]
    assert (await read_stored(endpoints, only=["00000000-0000-4000-8000-000000000000"])).walks == []


async def test_ids_without_hyphens_are_the_same_ids(owner: asyncpg.Connection, endpoints: Endpoints) -> None:
    await made(owner, "plain", script("plain"))
    await owner.execute("ALTER TABLE plain.walks ALTER id TYPE char(32) USING replace(id::text, '-', '')")
    await owner.execute("ALTER TABLE plain.walk_locations ALTER walk_id TYPE text USING upper('{' || walk_id || '}')")
    [walk] = (await read_stored(endpoints, only=[WALK])).walks
    assert (walk.id, len(walk.locations)) == (WALK, 2)


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("users (id varchar(255) PRIMARY KEY)", 1),
        ('"Users" ("ID" text, created_at timestamp)', 1),
        ("users (id jsonb)", 1),
        ("users (deleted_at timestamptz, id text)", 1),
        ("users (id bigint)", "users.id cannot be read: docs/contract has text, and the database has bigint"),
        ("users (firebase_uid text)", "users.id cannot be read: docs/contract has text, and the database has no such"),
        ("accounts (id text)", "users cannot be read: docs/contract has a table, and the database has no table"),
    ],
)
async def test_a_user_is_found_whatever_the_column_is_or_it_is_said_why_not(
    table: str, rows: int | str, owner: asyncpg.Connection, endpoints: Endpoints
) -> None:
    await made(owner, "plain", f"CREATE SCHEMA plain; SET search_path TO plain; CREATE TABLE {table}")
    if isinstance(rows, str):
        with pytest.raises(NotAsNamed, match=rows):
            await user_rows(endpoints, "u1")
        return
    name, column = ('"Users"', '"ID"') if "Users" in table else ("users", "id")
    value = '"u{}"' if "jsonb" in table else "u{}"
    for number in (1, 2):
        await owner.execute(f"INSERT INTO {name} ({column}) VALUES ('{value.format(number)}')")
    assert await user_rows(endpoints, "u1") == rows
    assert await user_rows(endpoints, "u3") == 0


CONSENT = "0b3a6c9e-aaaa-4222-8333-000000000001"
TYPES = {
    "id": "uuid", "user_id": "varchar(255)", "policy_version": "text", "consent_type": "text",
    "consented_at": "timestamptz", "platform": "text", "os_version": "text", "app_version": "text",
}  # fmt: skip


@pytest.mark.parametrize(
    ("types", "says"),
    [
        ({}, ""),
        ({"id": "text", "consent_type": "kind", "consented_at": "timestamp"}, ""),
        ({"consented_at": "timestamptz(0)"}, ""),
        ({"platform": ""}, "consents.platform cannot be read: docs/contract has text, and the database has no such"),
        ({"os_version": "integer"}, "consents.os_version cannot be read: docs/contract has text, and the database has"),
    ],
)
async def test_consents_are_read_by_what_they_hold_or_it_is_said_why_not(
    types: dict[str, str], says: str, owner: asyncpg.Connection, endpoints: Endpoints
) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in (TYPES | types).items() if kind)
    enum = "CREATE TYPE plain.kind AS ENUM ('initial', 'update')"
    await made(
        owner, "plain", f"CREATE SCHEMA plain; SET search_path TO plain; {enum}; CREATE TABLE consents ({columns})"
    )
    sent = {
        "id": CONSENT, "user_id": "u1", "policy_version": "1.0", "consent_type": "initial", "consented_at": START,
        "platform": "iOS", "os_version": "18.1", "app_version": "2.3.0",
    }  # fmt: skip
    there = {
        name: "18" if types.get(name) == "integer" else value for name, value in sent.items() if types.get(name) != ""
    }
    values = ", ".join(f"'{value}'" for value in there.values())
    await owner.execute(f"INSERT INTO consents ({', '.join(there)}) VALUES ({values})")
    found = await read_consents(endpoints, [CONSENT, WALK])
    assert [says in str(each.told) for each in found.unread] == [True] * bool(says)
    assert [*found.rows] == [CONSENT]
    assert all(column.agrees(found.rows[CONSENT][name], sent[name]) for name, column in found.columns.items())
    assert [await user_rows(endpoints, user, "consents") for user in ("u1", "u2")] == [1, 0]
