"""What a database holds, in figures that two databases can be compared by: rows and a digest of each table."""

from __future__ import annotations

import asyncpg
import msgspec


class TableContent(msgspec.Struct, frozen=True, kw_only=True):
    """A table's rows, and the sum of the rows' hashes: the same for the same multiset of rows, in any order."""

    rows: int
    digest: str


_TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
"""


async def contents(connection: asyncpg.Connection) -> dict[str, TableContent]:
    """Every user table by its qualified name, read in one snapshot."""
    found = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for (table,) in await connection.fetch(_TABLES):
            found[table] = await content_of(connection, f"TABLE {table}")
    return found


async def content_of(connection: asyncpg.Connection, query: str) -> TableContent:
    """Rows and digest of a query's result."""
    text = f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM ({query}) t"  # noqa: S608 - ours
    rows, digest = await connection.fetchrow(text)
    return TableContent(rows=rows, digest=digest)
