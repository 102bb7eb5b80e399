"""The WAL archive, and base backups: whole segments by ``archive_command``, beside the stream of ``pg_receivewal``.

Files are copied and flushed before they get their name. Nothing is ever hard-linked into a running server: it recycles
its segments by renaming and overwriting them.

WAL is seen from outside the server: segment names, gaps, and the commits that ``pg_waldump`` reads. Base backups are
taken by ``pg_basebackup`` and proved by ``pg_verifybackup``. ``check_archive`` tells up to which commit a backup and
the archive can be replayed.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from harness.base.clock import polling
from harness.base.errors import StackNotStarted
from harness.base.private import open_beneath
from harness.model.message import message
from harness.model.stack import Address
from harness.rehearsals.dr_restore.server import SUPERUSER, Server
from harness.stack.local import postgres_template
from harness.stack.local.site import Site, remove
from harness.stack.process.processes import Process, Spec, spawn, tail

SEGMENT = re.compile(r"^[0-9A-F]{24}$")
_COMMIT = re.compile(
    r"tx:\s*(\d+), lsn: ([0-9A-F]+/[0-9A-F]+), .*desc: COMMIT (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC"
)
_BROKEN_AT = re.compile(r"(?:error in WAL record at|could not find a valid record after) ([0-9A-F]+/[0-9A-F]+)")


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction's commit record; ``at`` is PostgreSQL's own commit time, UTC to the microsecond."""

    xid: int
    lsn: str
    at: datetime


class WalContinuity(msgspec.Struct, frozen=True, kw_only=True):
    """The segments at hand from a backup's first on: the unbroken ones, those missing before the last, those behind."""

    unbroken: tuple[str, ...]
    missing: tuple[str, ...]
    beyond: tuple[str, ...]


def lsn_number(lsn: str) -> int:
    """``"1/A0"`` as a byte position."""
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def segment_of(lsn: str, timeline: int, segment_bytes: int) -> str:
    """The name of the segment that holds ``lsn`` (``XLogFileName``)."""
    return segment_name(lsn_number(lsn) // segment_bytes, timeline, segment_bytes)


def segment_name(number: int, timeline: int, segment_bytes: int) -> str:
    """The name of segment ``number``: timeline, then high and low part, eight hexadecimal digits each."""
    each = (1 << 32) // segment_bytes
    return f"{timeline:08X}{number // each:08X}{number % each:08X}"


def segment_number(name: str, segment_bytes: int) -> int:
    """The reverse of ``segment_name``, without the timeline."""
    return int(name[8:16], 16) * ((1 << 32) // segment_bytes) + int(name[16:24], 16)


def continuity(names: Iterable[str], first: str, segment_bytes: int) -> WalContinuity:
    """What of ``names`` can be replayed from segment ``first`` on: replay ends at the first gap."""
    timeline = int(first[:8], 16)
    start = segment_number(first, segment_bytes)
    known = {segment_number(n, segment_bytes) for n in names if SEGMENT.match(n) and n[:8] == first[:8]}
    last = max((n for n in known if n >= start), default=start - 1)
    end = start
    while end in known:
        end += 1

    def named(numbers: Iterable[int]) -> tuple[str, ...]:
        return tuple(segment_name(n, timeline, segment_bytes) for n in numbers)

    return WalContinuity(
        unbroken=named(range(start, end)),
        missing=named(n for n in range(end, last + 1) if n not in known),
        beyond=named(n for n in range(end, last + 1) if n in known),
    )


class WalRead(msgspec.Struct, frozen=True, kw_only=True):
    """What ``pg_waldump`` read: commits in WAL order, and where it could read no further (``""``: to the end)."""

    commits: tuple[Commit, ...]
    broken_at: str


async def read_commits(site: Site, folder: Path, first: str, last: str) -> WalRead:
    """Reads segments ``first``..``last`` of ``folder``. A tail that was never written ends it too, as in recovery."""
    done = await site.tool("pg_waldump", "-p", str(folder), "-r", "Transaction", first, last, check=False)
    commits = tuple(
        Commit(xid=int(xid), lsn=lsn, at=datetime.fromisoformat(at).replace(tzinfo=UTC))
        for xid, lsn, at in _COMMIT.findall(done.out)
    )
    return WalRead(commits=commits, broken_at=_first(_BROKEN_AT.findall(done.err)))


def damaged_segment(read: WalRead, unbroken: Sequence[str], segment_bytes: int) -> str:
    """The segment in which reading ended before the last of ``unbroken``; ``""`` when it reached that one.

    The last segment ends where the server was, so an end inside it is no damage.
    """
    if not read.broken_at or not unbroken:
        return ""
    name = segment_of(read.broken_at, int(unbroken[0][:8], 16), segment_bytes)
    return name if name < unbroken[-1] else ""


def _first(found: list[str]) -> str:
    return found[0] if found else ""


MANIFEST = "backup_manifest"
_SYNC_METHOD = 17  # the first version whose pg_basebackup can flush a whole file system at once


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A base backup. ``start_lsn`` is where its replay begins; consistent from ``end_lsn`` on; ``at_ns`` its end."""

    folder: Path
    timeline: int
    start_lsn: str
    end_lsn: str
    at_ns: int
    took_s: float

    def first_segment(self, segment_bytes: int) -> str:
        """The first WAL segment that a restore needs."""
        return segment_of(self.start_lsn, self.timeline, segment_bytes)


class VerifiedBackup(msgspec.Struct, frozen=True, kw_only=True):
    """What ``pg_verifybackup`` said."""

    ok: bool
    said: str


async def take(site: Site, address: Address, password: str, name: str) -> Backup:
    """A plain-format backup in ``site.folder/name``, with the WAL it needs to be consistent. ``StackNotStarted``."""
    folder = site.folder / name
    begun_ns = site.clock.now_ns()
    await site.tool(
        "pg_basebackup",
        *("-h", address.host, "-p", str(address.port), "-U", SUPERUSER, "-w", "-D", str(folder)),
        *(
            "-X",
            "stream",
            "--checkpoint=fast",
            *(("--sync-method=syncfs",) if site.programs.major >= _SYNC_METHOD else ()),
            "--manifest-checksums=CRC32C",
            f"--label={name}",
        ),
        password=password,
    )
    ranges = await asyncio.to_thread(_wal_ranges, folder)
    return Backup(
        folder=folder,
        timeline=int(ranges["Timeline"]),
        start_lsn=str(ranges["Start-LSN"]),
        end_lsn=str(ranges["End-LSN"]),
        at_ns=site.clock.now_ns(),
        took_s=site.seconds_since(begun_ns),
    )


async def verify(site: Site, folder: Path) -> VerifiedBackup:
    """Every file against the manifest, and the WAL the backup needs read through.

    The WAL of another major version than the tool's is left to the replay: its form differs.
    """
    version = await asyncio.to_thread((folder / "PG_VERSION").read_text) if (folder / "PG_VERSION").exists() else ""
    own = not version or version.strip() == str(site.programs.major)
    done = await site.tool("pg_verifybackup", "-q", *(() if own else ("-n",)), str(folder), check=False)
    said = (done.err or done.out).strip().replace(str(folder), "BACKUP")
    return VerifiedBackup(ok=done.status == 0, said=said or "every file as in the manifest")


def _wal_ranges(folder: Path) -> dict[str, Any]:
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=dict[str, Any])
    last: dict[str, Any] = manifest["WAL-Ranges"][-1]
    return last


class ArchiveState(msgspec.Struct, frozen=True, kw_only=True):
    """``safe`` is the last commit a restore surely reaches; ``None`` when it reaches none."""

    continuity: WalContinuity
    damaged: str
    commits: tuple[Commit, ...]

    @property
    def safe(self) -> Commit | None:
        """Its commit time is the latest safe time."""
        return self.commits[-1] if self.commits else None

    @property
    def whole(self) -> bool:
        """Nothing is missing and nothing is damaged."""
        return not self.continuity.missing and not self.damaged


async def check_archive(archive: Archive, taken: Backup, segment_bytes: int) -> ArchiveState:
    """Looks for missing segments by name and for damaged ones by reading every record (its checksum) on a copy."""
    site: Site = archive.site
    into = site.folder / f"{archive.folder.name}-check"
    try:
        names = archive.gather(into)
        found = continuity(names, taken.first_segment(segment_bytes), segment_bytes)
        if not found.unbroken:
            return ArchiveState(continuity=found, damaged="", commits=())
        read = await read_commits(site, into, found.unbroken[0], found.unbroken[-1])
        damaged = damaged_segment(read, found.unbroken, segment_bytes)
        return ArchiveState(continuity=found, damaged=damaged, commits=read.commits)
    finally:
        remove([into])


PARTIAL = ".partial"
STALLED = "stalled"
_ARCHIVE = """#!/bin/sh
# $1: the segment's path, $2: its name. A name that is taken is well only with the same content.
set -e
here=$(dirname "$0")
wal=$here/wal
[ ! -e "$here/stalled" ] || exit 1
[ ! -e "$wal/$2" ] || exec cmp -s "$1" "$wal/$2"
cp "$1" "$wal/.$2.part"
sync "$wal/.$2.part"
mv "$wal/.$2.part" "$wal/$2"
sync "$wal"
"""
_RESTORE = """#!/bin/sh
# $1: the name asked for, $2: where to copy it. The archive first, then the stream, then its unfinished last segment.
here=$(dirname "$0")
for file in "$here/wal/$1" "$here/stream/$1" "$here/stream/$1.partial"; do
  [ ! -e "$file" ] || exec cp "$file" "$2"
done
exit 1
"""


class Archive:
    """``folder/wal`` holds archived segments, ``folder/stream`` what was streamed; the scripts lie beside them."""

    def __init__(self, site: Site, name: str) -> None:
        self.site = site
        self.folder = site.make(site.folder / name)
        self.wal = site.make(self.folder / "wal")
        self.stream = site.make(self.folder / "stream")
        for script, text in (("archive.sh", _ARCHIVE), ("restore.sh", _RESTORE)):
            with self._open(self.folder / script, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
                file.write(text.encode())

    @property
    def settings(self) -> dict[str, str]:
        """What a primary needs to archive here. ``archive_timeout`` is the caller's."""
        return {"archive_mode": "on", "archive_command": f"{self._shell('archive.sh')} %p %f"}

    @property
    def restore_command(self) -> str:
        """What a restored instance asks for a segment."""
        return f"{self._shell('restore.sh')} %f %p"

    def _shell(self, script: str) -> str:
        """A script's call, for a shell, and for PostgreSQL, to which ``%`` means something before that."""
        return f"/bin/sh {shlex.quote(str(self.folder / script))}".replace("%", "%%")

    def _open(self, path: Path, flags: int) -> IO[bytes]:
        """``path`` in the archive, which belongs to PostgreSQL's account: a link that it put there is not followed."""
        descriptor = open_beneath(self.site.top, path, flags)
        if flags & os.O_CREAT:
            os.fchmod(descriptor, 0o644)  # whatever the umask: PostgreSQL's account reads it
        return os.fdopen(descriptor, "wb" if flags & os.O_WRONLY else "rb")

    def stall(self, *, stalled: bool = True) -> None:
        """While stalled, every attempt to archive fails; PostgreSQL keeps the segments and tries again."""
        flag = self.folder / STALLED
        if stalled:
            self._open(flag, os.O_WRONLY | os.O_CREAT).close()
        else:
            flag.unlink(missing_ok=True)

    @property
    def is_stalled(self) -> bool:
        """Whether ``stall`` is in force."""
        return (self.folder / STALLED).exists()

    def archived(self) -> list[str]:
        """The names of the whole archived segments."""
        return sorted(path.name for path in self.wal.iterdir() if SEGMENT.match(path.name))

    def gather(self, into: Path) -> list[str]:
        """Copies everything that a restore could use into one folder, for reading; the names, in order."""
        self.site.make(into)
        for path in self.stream.iterdir():
            name = path.name.removesuffix(PARTIAL)
            if SEGMENT.match(name):
                self._copy(path, into / name)
        for name in self.archived():
            self._copy(self.wal / name, into / name)
        return sorted(path.name for path in into.iterdir())

    def _copy(self, source: Path, target: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with self._open(source, os.O_RDONLY) as file, self._open(target, flags) as copy:
            shutil.copyfileobj(file, copy)

    async def caught_up(self, server: Server, limit_s: float = 20.0) -> None:
        """Finishes the current segment and returns when it is archived. Raises ``StackNotStarted``."""
        async with server.connected() as connection:
            # A switch without WAL since the last one does nothing, and names a segment that is not coming.
            await connection.execute("SELECT pg_create_restore_point('caught up')")
            name = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
        again = polling(self.site.clock, limit_s=limit_s, every_s=0.02)
        while not (self.wal / name).exists():
            if not await again():
                raise StackNotStarted(
                    message("segment {name} is not archived after {limit_s} s", name=name, limit_s=f"{limit_s:g}"),
                    where=str(server.log),
                )


class WalStream:
    """``pg_receivewal`` into the archive's ``stream``: a commit is there moments after it was acknowledged."""

    def __init__(self, archive: Archive, address: Address, password: str, name: str) -> None:
        self.archive = archive
        self._address = address
        self._password = password
        self._name = name
        self.log = archive.site.logs / f"{name}.log"
        self.process: Process | None = None

    async def start(self) -> None:
        """Returns when the stream has begun to write. Raises ``StackNotStarted``."""
        where = ["-h", self._address.host, "-p", str(self._address.port), "-U", SUPERUSER, "-w"]
        # --synchronous flushes each piece as it comes; a slot keeps the server from recycling what is not yet here.
        options = ["-D", str(self.archive.stream), "--synchronous", "--no-loop", "-v"]
        site = self.archive.site
        program = site.programs.path("pg_receivewal")
        slot = [*where, "--slot=recovery", "--create-slot", "--if-not-exists"]
        await site.tool("pg_receivewal", *slot, password=self._password)
        spec = Spec(
            part=self._name,
            command=[program, *options, *where, "--slot=recovery"],
            environment={**site.programs.environment, "PGPASSWORD": self._password},
            log=self.log,
            folder=self.archive.folder,
            account=postgres_template.account(),
        )
        self.process = spawn(spec, site.state)
        for _ in range(200):
            if any(self.archive.stream.iterdir()):
                return
            if self.process.returncode is not None:
                break
            await site.clock.sleep(0.05)
        raise StackNotStarted(message("the WAL stream did not begin\n{log}", log=tail(self.log)), where=str(self.log))

    async def stop(self) -> None:
        """Ends it; idempotent."""
        if self.process is not None:
            await self.process.stop(signal.SIGINT, 3.0)

    async def forget(self) -> None:
        """Ends it, drops its slot, removes what it wrote."""
        await self.stop()
        where = ("-h", self._address.host, "-p", str(self._address.port), "-U", SUPERUSER, "-w")
        drop = ("--slot=recovery", "--drop-slot")
        await self.archive.site.tool("pg_receivewal", *where, *drop, password=self._password, check=False)
        for path in self.archive.stream.iterdir():
            path.unlink()
