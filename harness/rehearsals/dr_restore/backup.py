"""Base backups with a manifest: taken by ``pg_basebackup``, proved by ``pg_verifybackup``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from harness.model.stack import Address
from harness.rehearsals.dr_restore.server import SUPERUSER
from harness.rehearsals.dr_restore.wal import segment_of
from harness.stack.site import Site

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


class Checked(msgspec.Struct, frozen=True, kw_only=True):
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


async def verify(site: Site, folder: Path) -> Checked:
    """Every file against the manifest, and the WAL the backup needs read through.

    The WAL of another major version than the tool's is left to the replay: its form differs.
    """
    version = await asyncio.to_thread((folder / "PG_VERSION").read_text) if (folder / "PG_VERSION").exists() else ""
    own = not version or version.strip() == str(site.programs.major)
    done = await site.tool("pg_verifybackup", "-q", *(() if own else ("-n",)), str(folder), check=False)
    said = (done.err or done.out).strip().replace(str(folder), "BACKUP")
    return Checked(ok=done.status == 0, said=said or "every file as in the manifest")


def _wal_ranges(folder: Path) -> dict[str, Any]:
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=dict[str, Any])
    last: dict[str, Any] = manifest["WAL-Ranges"][-1]
    return last
