"""Restore to a point into a new instance: copy the backup, replay the archive to the target, promote.

``world`` is a small database under rehearsal: primary, archive, stream, sentinels; a walk's content follows from its
number. A sentinel's transaction writes its walk and three locations too. What a restore must hold follows from the
sentinels it holds, row by row: two databases are compared by the rows and a digest of each table.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import asyncpg
import msgspec

from harness.base.clock import Anchor, utc
from harness.base.errors import StackNotStarted
from harness.model.message import Message, message
from harness.rehearsals.dr_restore.archive import Archive, Backup, WalStream, take, verify
from harness.rehearsals.dr_restore.server import SCHEMA as SENTINELS
from harness.rehearsals.dr_restore.server import SMALL_SEGMENT_MIB, Sentinels, Server, new_primary, recovered
from harness.rehearsals.dr_restore.types import CaseCheck
from harness.stack.local.site import Site, copy_tree, remove
from harness.stack.process.processes import tail

SEGMENT_BYTES = SMALL_SEGMENT_MIB * 1024 * 1024
SCHEMA = f"""
{SENTINELS}
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


class RestoreWorld:
    """The parts of one case; made by ``world``."""

    def __init__(self, site: Site, name: str, primary: Server, archive: Archive, every_s: float) -> None:
        self.site = site
        self.name = name
        self.primary = primary
        self.archive = archive
        self.stream = WalStream(archive, primary.address, primary.password, f"{name}-stream")
        self.sentinels = Sentinels(site.clock, primary.connect, every_s, INSERT)
        self.servers: list[Server] = [primary]
        self.backups: list[Backup] = []

    async def back_up(self) -> Backup:
        """One more base backup of the primary."""
        name = f"{self.name}-backup{len(self.backups) + 1}"
        self.backups.append(await take(self.site, self.primary.address, self.primary.password, name))
        return self.backups[-1]

    def source(self, which: int = -1) -> RestoreSource:
        """What to restore from."""
        return RestoreSource(backup=self.backups[which], archive=self.archive, password=self.primary.password)


@contextlib.asynccontextmanager
async def world(site: Site, name: str, every_s: float, *, streaming: bool = True) -> AsyncIterator[RestoreWorld]:
    """A primary with archive (and stream), the schema and a first backup; everything is gone afterwards."""
    archive = Archive(site, f"{name}-archive")
    primary = await new_primary(site, f"{name}-primary", archive.settings)
    made = RestoreWorld(site, name, primary, archive, every_s)
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


async def agrees(connection: asyncpg.Connection, ids: Iterable[int]) -> list[CaseCheck]:
    """Counts and digests of every table against what the transactions ``ids`` wrote."""
    known = sorted(ids)
    listed = f"'{{{','.join(map(str, known))}}}'"
    expected = {
        "public.walks": await content_of(connection, _WALK.format(ids=listed)),
        "public.walk_locations": await content_of(connection, _LOCATIONS.format(ids=listed)),
    }
    found = await contents(connection)
    return [_check(table, expected[table], found.get(table)) for table in expected]


def _check(table: str, expected: TableContent, found: TableContent | None) -> CaseCheck:
    name = message("content of {table}", table=table)
    if found is None:
        return CaseCheck(name=name, ok=False, told=message("the table is missing"))
    told = message("{rows} rows, digest {digest}", rows=str(found.rows), digest=found.digest)
    if found != expected:
        told = message(
            "{found}; expected {rows} rows, digest {digest}",
            found=told,
            rows=str(expected.rows),
            digest=expected.digest,
        )
    return CaseCheck(name=name, ok=found == expected, told=told)


async def look(server: Server, ids: Iterable[int] | None = None) -> tuple[set[int], list[CaseCheck]]:
    """The sentinels a restored server holds, and whether all other content follows from them (or from ``ids``)."""
    async with server.connected() as connection:
        found = await recovered(connection)
        return found, await agrees(connection, found if ids is None else ids)


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


REPLAY_LIMIT_S = 600.0


class RestorePoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where to stop. ``kind`` is ``latest`` (all there is), ``time``, ``xid`` or ``lsn``.

    PostgreSQL: recovery_target_time, _xid, _lsn with recovery_target_inclusive; with ``inclusive`` the transaction
    named is the last one there, without it the first one missing.
    """

    kind: str = "latest"
    value: str = ""
    inclusive: bool = True

    @property
    def settings(self) -> dict[str, str]:
        """The server's settings that stop it there."""
        if self.kind == "latest":
            return {}
        return {
            f"recovery_target_{self.kind}": self.value,
            "recovery_target_inclusive": "on" if self.inclusive else "off",
            "recovery_target_action": "promote",
        }

    @property
    def told(self) -> Message:
        """For people."""
        if self.kind == "latest":
            return message("the end of the WAL at hand")
        if self.inclusive:
            return message("up to {kind} {value}", kind=self.kind, value=self.value)
        return message("just before {kind} {value}", kind=self.kind, value=self.value)

    def __str__(self) -> str:
        """The same in English."""
        return str(self.told)


def time_of(anchor: Anchor, at_ns: int, *, whole_second: bool = False) -> str:
    """A time as PostgreSQL's settings take it, in UTC, cut off to the millisecond or the second."""
    return utc(anchor, at_ns)[: 19 if whole_second else 23].replace("T", " ") + "+00"


class RestoreSource(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore is made from; ``password`` is the superuser's, which the backup carries."""

    backup: Backup
    archive: Archive
    password: str


class RestoredInstance(msgspec.Struct, kw_only=True):
    """A restored instance that takes writes, and how long its two steps took (seconds)."""

    server: Server
    point: RestorePoint
    restore_s: float  # the backup verified and copied
    replay_s: float  # from the start of the server until it takes writes


class BackupDamaged(StackNotStarted):
    """The backup does not agree with its manifest."""


class PointNotReached(StackNotStarted):
    """The WAL at hand ends before the point asked for."""


#: Makes the server on a data folder, not started: site, name, folder, the superuser's password.
Serve = Callable[[Site, str, Path, str], Server]


async def restore(
    site: Site, source: RestoreSource, point: RestorePoint, name: str, *, verified: bool = False, serve: Serve = Server
) -> RestoredInstance:
    """A new instance ``name`` as of ``point``, by ``serve``.

    Raises ``BackupDamaged`` before anything is copied, ``PointNotReached`` when replay ends too early,
    ``StackNotStarted`` for the rest. ``verified`` leaves the manifest's check out: the caller made it.
    """
    begun_ns = site.clock.now_ns()
    if not verified and not (found := await verify(site, source.backup.folder)).ok:
        raise BackupDamaged(
            message("the backup does not agree with its manifest: {said}", said=found.said.splitlines()[0]),
            where=str(source.backup.folder),
            remedy="restore the backup before it, with the WAL since",
        )
    data = site.folder / name
    await copy_tree(site, source.backup.folder, data)
    restore_s = site.seconds_since(begun_ns)
    begun_ns = site.clock.now_ns()
    server = await replay(site, source, point, data, serve)
    return RestoredInstance(server=server, point=point, restore_s=restore_s, replay_s=site.seconds_since(begun_ns))


async def replay(site: Site, source: RestoreSource, point: RestorePoint, data: Path, serve: Serve = Server) -> Server:
    """Starts the copied backup in ``data`` in recovery; returns when it was promoted."""
    await site.tool("/bin/touch", str(data / "recovery.signal"))
    server = serve(site, data.name, data, source.password)
    server.start({"restore_command": source.archive.restore_command, **point.settings})
    try:
        await server.ready(REPLAY_LIMIT_S, promoted=True)
    except StackNotStarted as error:
        await server.stop()
        last = tail(server.log)
        if "before configured recovery target was reached" in last:
            raise PointNotReached(
                message("the WAL at hand ends before {point}", point=point.value),
                where=str(server.log),
                remedy="restore to the latest safe time, or find the missing segment",
            ) from error
        raise
    except BaseException:
        await server.kill()
        raise
    return server
