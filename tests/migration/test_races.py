"""Writes that race with a migration on a real PostgreSQL: no value ever takes the place of a later one."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from harness.base.seed import stream
from harness.migration.convert import walk_rows
from harness.migration.load import Loader
from harness.migration.source import Batch
from harness.migration.statements import LOCK, Fate
from tests.migration.stores import Stores, later, walk

pytestmark = pytest.mark.process

WALKS, WRITERS = 60, 4
#: Every value that a walk ever has, in the order in which its row had them.
AUDIT = """
CREATE TABLE audit (n bigserial PRIMARY KEY, walk uuid, version timestamptz, title text);
CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO audit (walk, version, title) VALUES (NEW.id, NEW.updated_at, NEW.title); RETURN NEW; END $$;
CREATE TRIGGER audited AFTER INSERT OR UPDATE ON walks FOR EACH ROW EXECUTE FUNCTION audited();"""
GONE = "DROP TRIGGER audited ON walks; DROP FUNCTION audited(); DROP TABLE audit"
#: As a PUT of the API: an update, and an insert where there is no row; again, where somebody came between.
PUT = """
WITH updated AS (UPDATE walks SET title = $2 WHERE id = $1 RETURNING 1),
    inserted AS (INSERT INTO walks (id, title) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM walks WHERE id = $1)
        ON CONFLICT (id) DO NOTHING RETURNING 1)
SELECT count(*) FROM (SELECT * FROM updated UNION ALL SELECT * FROM inserted) AS done"""


@pytest.mark.parametrize(
    "writes", [pytest.param(400, id="some"), pytest.param(10_000, id="10,000", marks=pytest.mark.nightly)]
)
async def test_no_older_value_takes_the_place_of_a_newer_one(stores: Stores, writes: int) -> None:
    await stores.empty()
    documents = [next(iter(walk(f"race{number}", "u1", points=2).items())) for number in range(WALKS)]
    control = await stores.connect()
    await control.execute(AUDIT)
    try:
        ids = [walk_rows(path.split("/")[1], fields).id for path, fields in documents]
        moved: list[int] = []
        made = itertools.count()
        left = itertools.takewhile(lambda number: number < writes or sum(moved) <= WALKS, made)
        over = asyncio.Event()
        mover = asyncio.ensure_future(moves(stores, documents, over, moved))
        await asyncio.gather(*(puts(stores, ids, left, f"writer{number}") for number in range(WRITERS)))
        over.set()
        await mover
        rows = await control.fetch("SELECT walk, version, title FROM audit ORDER BY n")
    finally:
        await control.execute(GONE)
        await control.close()
    by_walk: defaultdict[Any, list[datetime]] = defaultdict(list)
    for row in rows:
        by_walk[row["walk"]].append(row["version"])
    backwards = [versions for versions in by_walk.values() if versions != sorted(set(versions))]
    assert backwards == []
    by_documents = sum(row["title"].startswith("document") for row in rows)
    assert by_documents == sum(moved) > WALKS
    assert len(rows) - by_documents == next(made) - 1 >= writes


async def test_a_walk_that_the_api_makes_once_the_rows_are_locked_is_not_replaced(stores: Stores) -> None:
    """Nothing holds it, and the API's next write of it may come before the document takes its place."""
    await stores.empty()
    [(path, fields)] = walk("one", "u1", title="document", updated=later(9_999_999)).items()
    rows, batch = walk_rows(path.split("/")[1], fields), Batch()
    batch.take(path.split("/")[1], rows)
    api = await stores.connect()

    class Overtaken(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
        async def fetch(self, query: str, *values: Any, **options: Any) -> Any:
            found = await super().fetch(query, *values, **options)
            if query == LOCK and not found:
                assert await api.fetchval(PUT, rows.id, "of the API")
            return found

    connection = await asyncpg.connect(**stores.login, connection_class=Overtaken)
    loader = Loader(connection)
    await loader.open()
    assert [*(await loader.walks(batch)).values()] == [Fate.OVERTAKEN]
    assert await api.fetchval("SELECT title FROM walks") == "of the API"
    assert [*(await loader.walks(batch)).values()] == [Fate.NEWER]
    await asyncio.gather(api.close(), connection.close())


async def puts(stores: Stores, ids: list[Any], left: Any, name: str) -> None:
    connection = await stores.connect()
    chance = stream(1, f"races:{name}")
    try:
        for number in left:
            walk_id = ids[int(chance.random() * len(ids))]
            while not await connection.fetchval(PUT, walk_id, f"{name} {number}"):
                pass
    finally:
        await connection.close()


async def moves(stores: Stores, documents: list[Any], over: asyncio.Event, moved: list[int]) -> None:
    """Documents of a second before to a second behind the database's own time, again and again; how many were written
    each time.
    """
    connection: asyncpg.Connection = await stores.connect()
    chance = stream(1, "races:documents")
    try:
        loader = Loader(connection)
        await loader.open()
        while not over.is_set():
            now = await connection.fetchval("SELECT clock_timestamp()")
            batch = Batch()
            for path, fields in documents:
                at = now + timedelta(seconds=2 * chance.random() - 1)
                rows = walk_rows(path.split("/")[1], {**fields, "title": f"document {len(moved)}", "updated_at": at})
                batch.take(path.split("/")[1], rows)
            fates = await loader.walks(batch)
            moved.append(sum(fate.written for fate in fates.values()))
    finally:
        await connection.close()
