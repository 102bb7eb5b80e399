"""Restores at several sizes, the line through them, and ours against the bare work on the same backup."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

import msgspec

from harness.base.clock import polling
from harness.base.errors import StackNotStarted
from harness.rehearsals.dr_restore import archive
from harness.rehearsals.dr_restore.archive import Archive, WalStream
from harness.rehearsals.dr_restore.restore import RestorePoint, RestoreSource, restore
from harness.rehearsals.dr_restore.server import Server, closing, new_primary
from harness.rehearsals.dr_restore.types import Overhead, Prediction, SizePoint, SizesPlan
from harness.stack.local.site import GIB, Site, copy_tree, remove

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
