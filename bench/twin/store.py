"""The two statements, and the user's row, on a pool of asyncpg's. What they mean is the contract; the text is anew."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from msgspec import UNSET, structs

from bench.twin.callers import Caller
from bench.twin.refusal import Refusal, bad
from bench.twin.shapes import Page, Point, Put, Row

TIMEOUT_S = 3.0
ATTEMPTS = 3
UNTITLED = "散歩"

#: Columns a PUT can change, with their type, and what an absent or null one becomes in a new walk.
_COLUMNS = {
    "title": ("varchar", f"'{UNTITLED}'"),
    "description": ("text", "''"),
    "start_time": ("timestamptz", "NULL"),
    "end_time": ("timestamptz", "NULL"),
    "paused_at": ("timestamptz", "NULL"),
    "total_distance": ("float8", "0"),
    "total_steps": ("int4", "0"),
    "polyline_data": ("text", "NULL"),
    "thumbnail_image_url": ("varchar", "NULL"),
    "status": ("text", "'not_started'"),
    "total_paused_duration": ("float8", "0"),
}
_POINT = {
    name: {"timestamp": "timestamptz", "sequence_number": "int4"}.get(name, "float8")
    for name in Point.__struct_fields__
}


def _answered(table: str) -> str:
    casts = {"id": "::text", "status": "::text"}
    return ", ".join(f"{table}.{name}{casts.get(name, '')}" for name in Row.__struct_fields__)


def _put(*, points: bool) -> str:
    """$1 id, $2 user, $3 a bit a given column, $4..$14 the columns, $15.. an array a field of the points."""
    enum = {"status": "::walk_status"}
    sets, values = [], []
    for place, (name, (kind, empty)) in enumerate(_COLUMNS.items()):
        cast = f"${place + 4}::{kind}"
        given = f"coalesce({cast}, '')" if name == "description" else cast + enum.get(name, "")
        sets.append(f"{name} = CASE WHEN $3::int & {1 << place} = 0 THEN old.{name} ELSE {given} END")
        values.append(f"coalesce({cast}, {empty}){enum.get(name, '')}")
    text = f"""
        WITH changed AS (
            UPDATE walks AS old SET {", ".join(sets)} WHERE old.id = $1::uuid AND old.user_id = $2
            RETURNING {_answered("old")}
        ), made AS (
            INSERT INTO walks AS new (id, user_id, {", ".join(_COLUMNS)})
            SELECT $1::uuid, $2, {", ".join(values)} WHERE NOT EXISTS (SELECT FROM walks WHERE id = $1::uuid)
            ON CONFLICT (id) DO NOTHING RETURNING {_answered("new")}
        ), result AS (TABLE changed UNION ALL TABLE made)"""  # noqa: S608 - of the constants above
    if points:
        names = ", ".join(f'"{name}"' for name in _POINT)
        arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(_POINT.values(), 15))
        again = ", ".join(f'"{name}" = excluded."{name}"' for name in _POINT if name != "sequence_number")
        text += f""", placed AS (
            INSERT INTO walk_locations (walk_id, {names})
            SELECT $1::uuid, point.* FROM unnest({arrays}) AS point WHERE EXISTS (TABLE result)
            ON CONFLICT (walk_id, sequence_number) DO UPDATE SET {again}
        )"""  # noqa: S608
    return text + " TABLE result"


PUT, PUT_POINTS = _put(points=False), _put(points=True)
LIST = f"""
    SELECT everything.n, found.* FROM (SELECT count(*) AS n FROM walks WHERE user_id = $1) AS everything
    LEFT JOIN LATERAL (
        SELECT {_answered("mine")} FROM walks AS mine WHERE mine.user_id = $1
        ORDER BY mine.created_at DESC, mine.id DESC LIMIT $2 OFFSET $3
    ) AS found ON true ORDER BY found.created_at DESC, found.id DESC"""  # noqa: S608
USER = "INSERT INTO users (id, display_name, auth_provider) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING"


class Store:
    """Raises ``Refusal`` 400 where the walk would be inconsistent, 404 for another's, 503 without a database."""

    def __init__(self) -> None:
        self._pool: Any = None
        self._users: set[str] = set()

    async def open(self, **address: Any) -> None:
        """Makes the pool with the bundled API's options."""
        self._pool = await asyncpg.create_pool(
            **address, ssl=False, min_size=0, timeout=TIMEOUT_S, command_timeout=5.0, reset=_nothing,
            server_settings={"application_name": "twin", "timezone": "UTC"},
        )  # fmt: skip

    async def close(self) -> None:
        """Ends every connection."""
        await self._pool.close()

    async def know(self, caller: Caller) -> None:
        """The caller has a row."""
        if caller.uid not in self._users:
            await self._ask(USER, caller.uid, caller.name, caller.provider)
            self._users.add(caller.uid)

    async def page(self, uid: str, page: int, limit: int) -> Page:
        """Own walks, newest first."""
        rows = await self._ask(LIST, uid, limit, (page - 1) * limit)
        return Page([Row(*row[1:]) for row in map(tuple, rows) if row[1] is not None], rows[0][0], page, limit)

    async def put(self, uid: str, walk_id: str, body: Put) -> Row:
        """Changes or creates the walk."""
        values, mask = [], 0
        for place, name in enumerate(_COLUMNS):
            value = getattr(body, name)
            if value is UNSET:
                value = None
            else:
                mask |= 1 << place
            values.append(value)
        text = PUT
        if body.locations:
            text = PUT_POINTS
            last = {point.sequence_number: point for point in body.locations}
            values += zip(*map(structs.astuple, last.values()), strict=True)
        for _ in range(ATTEMPTS):
            if rows := await self._ask(text, walk_id, uid, mask, *values):
                return Row(*rows[0])
        raise Refusal(404, "There is no such walk")

    async def _ask(self, text: str, *values: object) -> Any:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                connection = await self._pool.acquire()
            try:
                return await connection.fetch(text, *values)
            finally:
                await self._pool.release(connection, timeout=1.0)
        except asyncpg.CheckViolationError as error:
            rules = {
                "walks_end_needs_start": "end_time needs a start_time",
                "walks_end_after_start": "end_time is before start_time",
            }
            rule = rules.get(error.constraint_name or "", "a value is outside its range")
            raise bad(f"The walk would be inconsistent: {rule}") from error
        except asyncpg.DataError as error:
            raise bad("A value does not fit its field") from error
        except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError) as error:
            raise Refusal(503, "The database does not answer") from error


async def _nothing(connection: object) -> None:
    """No state is left in a session."""
