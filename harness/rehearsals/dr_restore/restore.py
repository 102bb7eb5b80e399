"""Restore to a point into a new instance: copy the backup, replay the archive to the target, promote.

``world`` is a small database under rehearsal: primary, archive, stream, sentinels; a walk's content follows from its
number. A sentinel's transaction writes its walk and three locations too. What a restore must hold follows from the
sentinels it holds, row by row: two databases are compared by the rows and a digest of each table.
"""

from __future__ import annotations

import contextlib
import math
import shlex
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

import asyncpg
import msgspec

from harness.base.clock import Anchor, polling, utc
from harness.base.errors import StackNotStarted
from harness.model.message import Message, message
from harness.rehearsals.dr_restore import archive
from harness.rehearsals.dr_restore.archive import Archive, Backup, WalStream, take, verify
from harness.rehearsals.dr_restore.server import SCHEMA as SENTINELS
from harness.rehearsals.dr_restore.server import SMALL_SEGMENT_MIB, Sentinels, Server, closing, new_primary, recovered
from harness.rehearsals.dr_restore.types import CaseCheck, Overhead, Prediction, SizePoint, SizesPlan
from harness.stack.local.site import GIB, Site, copy_tree, remove
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


# Restores at several sizes, the line through them, and ours against the bare work on the same backup.

CONFIDENCE = 0.95
_ROW_BYTES = 1060  # 992 of payload, the row's head, its key and its page's share
_SETTINGS = {"max_wal_size": "512MB", "checkpoint_timeout": "30min", "autovacuum": "off"}
_FILL = "INSERT INTO {table} SELECT g, repeat(md5(g::text), 31) FROM generate_series($1::bigint, $2::bigint) g"


class Bed:
    """A primary that grows, backed up and streamed from at each size."""

    def __init__(self, site: Site, primary: Server) -> None:
        self.site = site
        self.primary = primary
        self.rows = 0
        self.archive = Archive(site, "sizes-archive")
        self.stream = WalStream(self.archive, primary.address, primary.password, "sizes-stream")

    async def grow(self, size_bytes: int) -> None:
        """Until the table holds ``size_bytes``."""
        wanted = size_bytes // _ROW_BYTES
        await self._execute(_FILL.format(table="filler"), self.rows + 1, wanted)
        self.rows = max(self.rows, wanted)
        await self.primary.sql("CHECKPOINT")

    async def write_wal(self, wal_bytes: int) -> int:
        """Commits about ``wal_bytes`` behind the backup, and waits until all of it was streamed; how many bytes."""
        async with self.primary.connected() as connection:
            before = await connection.fetchval("SELECT pg_current_wal_lsn()")
            await connection.execute("CREATE TABLE later (LIKE filler)")
            await connection.execute(_FILL.format(table="later"), 1, wal_bytes // _ROW_BYTES, timeout=600)
            after = await connection.fetchval("SELECT pg_current_wal_flush_lsn()")
            written = int(await connection.fetchval("SELECT pg_wal_lsn_diff($1, $2)", after, before))
            again = polling(self.site.clock, limit_s=120, every_s=0.05)
            streamed = "SELECT coalesce(bool_or(flush_lsn >= $1), false) FROM pg_stat_replication"
            while not await connection.fetchval(streamed, after):
                if not await again():
                    raise StackNotStarted("the WAL stream does not catch up", where=str(self.stream.log))
            await connection.execute("DROP TABLE later")
            return written

    async def close(self) -> None:
        """Ends it all."""
        await self.stream.stop()
        await self.primary.kill()
        remove([self.primary.data, self.archive.folder])

    async def _execute(self, text: str, *values: object) -> None:
        async with self.primary.connected() as connection:
            await connection.execute(text, *values, timeout=1800)


async def bed(site: Site) -> Bed:
    """With PostgreSQL's own segments of 16 MiB."""
    primary = await new_primary(site, "sizes-primary", _SETTINGS, small_segments=False)
    made = Bed(site, primary)
    await primary.sql("CREATE TABLE filler (id bigint, payload text)")
    return made


async def measure(here: Bed, size_bytes: int, wal_share: float, *, raw: bool) -> tuple[SizePoint, Overhead | None]:
    """One size: backup, WAL behind it, restore to the end; with ``raw`` the bare work on the same files afterwards.

    Ours goes first: what it reads is in the page cache for the bare work, never the other way round.
    """
    site = here.site
    await here.grow(size_bytes)
    await here.stream.start()
    taken = await archive.take(site, here.primary.address, here.primary.password, "sizes-backup")
    try:
        wal_bytes = await here.write_wal(round(size_bytes * wal_share))
        await here.stream.stop()
        source = RestoreSource(backup=taken, archive=here.archive, password=here.primary.password)
        restored = await restore(site, source, RestorePoint(), "sizes-restored")
        begun_ns = site.clock.now_ns()
        connection = await restored.server.connect()  # the switch: the next connection goes to the new instance
        await connection.fetchval("SELECT count(*) FROM (SELECT 1 FROM filler LIMIT 1) one")
        await closing(connection)
        switch_s = site.seconds_since(begun_ns)
        await restored.server.kill()
        remove([restored.server.data])
        point = SizePoint(
            size_bytes=size_bytes, wal_bytes=wal_bytes, restore_s=restored.restore_s, replay_s=restored.replay_s
        )
        if not raw:
            return point, None
        copy_s, replay_s = await _raw(site, source)
        return point, Overhead(
            size_bytes=size_bytes,
            restore_s=restored.restore_s,
            replay_s=restored.replay_s,
            switch_s=switch_s,
            raw_copy_s=copy_s,
            raw_replay_s=replay_s,
        )
    finally:
        await here.stream.forget()
        remove([taken.folder])


async def _raw(site: Site, source: RestoreSource) -> tuple[float, float]:
    """``cp`` and ``pg_ctl start``, which returns when replay has ended: seconds of each."""
    data = site.folder / "sizes-raw"
    begun_ns = site.clock.now_ns()
    await copy_tree(site, source.backup.folder, data)
    copy_s = site.seconds_since(begun_ns)
    port = site.state.take_port()
    options = f"-p {port} -c hot_standby=off -c listen_addresses=127.0.0.1 -c unix_socket_directories= "
    restore_command = shlex.quote(f"restore_command={source.archive.restore_command}")
    options += f"-c dynamic_shared_memory_type=mmap -c {restore_command}"
    await site.tool("/bin/touch", str(data / "recovery.signal"))
    begun_ns = site.clock.now_ns()
    log = str(data / "raw.log")
    try:
        await site.tool("pg_ctl", "-D", str(data), "-l", log, "-o", options, "-w", "-t", "600", "start")
        return copy_s, site.seconds_since(begun_ns)
    finally:
        await site.tool("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop", check=False)
        remove([data])


def predict(points: Sequence[SizePoint], plan: SizesPlan, machine: str) -> Prediction:
    """Restore + replay by a line through ``points``; ``upper_s`` is the one-sided 95 % bound of one new restore.

    Ordinary least squares; the bound is the usual one with Student's t and n - 2 degrees of freedom. A line that does
    not rise is noise: no restore gets faster with size, so nothing is predicted by it. Raises ``ValueError`` for fewer
    than four sizes.
    """
    from scipy import stats

    if len({point.size_bytes for point in points}) < 4:
        raise ValueError("a prediction takes at least four sizes")
    x = [point.size_bytes / GIB for point in points]
    y = [point.restore_s + point.replay_s for point in points]
    line = stats.linregress(x, y)
    n, mean = len(x), sum(x) / len(x)
    at = plan.production_bytes / GIB
    expected = float(line.intercept + line.slope * at)
    residual = sum((b - line.intercept - line.slope * a) ** 2 for a, b in zip(x, y, strict=True))
    spread = sum((a - mean) ** 2 for a in x)
    error = math.sqrt(residual / (n - 2) * (1 + 1 / n + (at - mean) ** 2 / spread))
    rises = line.slope > 0
    upper = expected + float(stats.t.ppf(CONFIDENCE, n - 2)) * error
    return Prediction(
        name=plan.production_name,
        production_bytes=plan.production_bytes,
        points=tuple(points),
        seconds_per_gib=float(line.slope),
        fixed_s=float(line.intercept),
        expected_s=expected if rises else None,
        upper_s=upper if rises else None,
        machine=machine,
    )


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """What the sizes gave."""

    prediction: Prediction
    overhead: Overhead


async def sizes(site: Site, plan: SizesPlan, machine: str) -> Sizes:
    """All sizes, the smallest first, on one growing primary; ours against the bare work at the largest."""
    here = await bed(site)
    points, overhead = [], None
    ordered = sorted(plan.sizes_bytes)
    try:
        for size_bytes in ordered:
            point, overhead = await measure(here, size_bytes, plan.wal_share, raw=size_bytes == ordered[-1])
            points.append(point)
    finally:
        await here.close()
    assert overhead is not None
    return Sizes(prediction=predict(points, plan, machine), overhead=overhead)
