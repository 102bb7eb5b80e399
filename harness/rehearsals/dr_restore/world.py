"""A small database under rehearsal: primary, archive, stream, sentinels; walks whose content is known from its number.

A sentinel's transaction writes its walk and three locations too, so that what a restore must hold follows from the
sentinels it holds, row by row.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable

import asyncpg

from harness.model.message import message
from harness.rehearsals.dr_restore import backup, sentinel
from harness.rehearsals.dr_restore.archive import Archive, Stream
from harness.rehearsals.dr_restore.cases import Check
from harness.rehearsals.dr_restore.content import TableContent, content_of, contents
from harness.rehearsals.dr_restore.restore import Source
from harness.rehearsals.dr_restore.sentinel import Sentinels, closing
from harness.rehearsals.dr_restore.server import SMALL_SEGMENT_MIB, Server, new_primary
from harness.stack.site import Site, remove

SEGMENT_BYTES = SMALL_SEGMENT_MIB * 1024 * 1024
SCHEMA = f"""
{sentinel.SCHEMA}
CREATE TABLE walks (id bigint PRIMARY KEY, title text NOT NULL, total_distance double precision NOT NULL);
CREATE TABLE walk_locations (walk_id bigint, sequence_number integer, latitude double precision NOT NULL,
    PRIMARY KEY (walk_id, sequence_number));
"""
_WALK = "SELECT n, 'walk ' || n, (n * 1.5)::double precision FROM unnest({ids}::bigint[]) n"
_LOCATIONS = (
    "SELECT n, i, ((n * 7 + i) % 90 + 0.25)::double precision FROM unnest({ids}::bigint[]) n, generate_series(1, 3) i"
)
INSERT = f"""
WITH s AS (INSERT INTO rehearsal.sentinel VALUES ($1::bigint, $2)),
     w AS (INSERT INTO walks {_WALK.format(ids="ARRAY[$1]")})
INSERT INTO walk_locations {_LOCATIONS.format(ids="ARRAY[$1]")}
"""  # noqa: S608 - ours


class World:
    """The parts of one case; made by ``world``."""

    def __init__(self, site: Site, name: str, primary: Server, archive: Archive, every_s: float) -> None:
        self.site = site
        self.name = name
        self.primary = primary
        self.archive = archive
        self.stream = Stream(archive, primary.address, primary.password, f"{name}-stream")
        self.sentinels = Sentinels(site.clock, primary.connect, every_s, INSERT)
        self.servers: list[Server] = [primary]
        self.backups: list[backup.Backup] = []

    async def back_up(self) -> backup.Backup:
        """One more base backup of the primary."""
        name = f"{self.name}-backup{len(self.backups) + 1}"
        self.backups.append(await backup.take(self.site, self.primary.address, self.primary.password, name))
        return self.backups[-1]

    def source(self, which: int = -1) -> Source:
        """What to restore from."""
        return Source(backup=self.backups[which], archive=self.archive, password=self.primary.password)


@contextlib.asynccontextmanager
async def world(site: Site, name: str, every_s: float, *, streaming: bool = True) -> AsyncIterator[World]:
    """A primary with archive (and stream), the schema and a first backup; everything is gone afterwards."""
    archive = Archive(site, f"{name}-archive")
    primary = await new_primary(site, f"{name}-primary", archive.settings)
    made = World(site, name, primary, archive, every_s)
    try:
        await primary.sql(SCHEMA)
        if streaming:
            await made.stream.start()
        await made.back_up()
        yield made
    finally:
        await made.sentinels.stop()
        await made.stream.stop()
        for server in made.servers:
            await server.kill()
        folders = [server.data for server in made.servers] + [each.folder for each in made.backups]
        remove([*folders, archive.folder])


async def agrees(connection: asyncpg.Connection, ids: Iterable[int]) -> list[Check]:
    """Counts and digests of every table against what the transactions ``ids`` wrote."""
    known = sorted(ids)
    listed = f"'{{{','.join(map(str, known))}}}'"
    expected = {
        "public.walks": await content_of(connection, _WALK.format(ids=listed)),
        "public.walk_locations": await content_of(connection, _LOCATIONS.format(ids=listed)),
    }
    found = await contents(connection)
    return [_check(table, expected[table], found.get(table)) for table in expected]


def _check(table: str, expected: TableContent, found: TableContent | None) -> Check:
    name = message("content of {table}", table=table)
    if found is None:
        return Check(name=name, ok=False, told=message("the table is missing"))
    told = message("{rows} rows, digest {digest}", rows=str(found.rows), digest=found.digest)
    if found != expected:
        told = message(
            "{found}; expected {rows} rows, digest {digest}",
            found=told,
            rows=str(expected.rows),
            digest=expected.digest,
        )
    return Check(name=name, ok=found == expected, told=told)


async def look(server: Server, ids: Iterable[int] | None = None) -> tuple[set[int], list[Check]]:
    """The sentinels a restored server holds, and whether all other content follows from them (or from ``ids``)."""
    connection = await server.connect()
    try:
        found = await sentinel.recovered(connection)
        return found, await agrees(connection, found if ids is None else ids)
    finally:
        await closing(connection)
