"""Can the archive be replayed from a backup to its end? If not, up to which commit."""

from __future__ import annotations

import msgspec

from harness.rehearsals.dr_restore import wal
from harness.rehearsals.dr_restore.archive import Archive
from harness.rehearsals.dr_restore.backup import Backup
from harness.stack.site import Site, remove


class ArchiveState(msgspec.Struct, frozen=True, kw_only=True):
    """``safe`` is the last commit a restore surely reaches; ``None`` when it reaches none."""

    continuity: wal.Continuity
    damaged: str
    commits: tuple[wal.Commit, ...]

    @property
    def safe(self) -> wal.Commit | None:
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
        found = wal.continuity(names, taken.first_segment(segment_bytes), segment_bytes)
        if not found.unbroken:
            return ArchiveState(continuity=found, damaged="", commits=())
        read = await wal.read_commits(site, into, found.unbroken[0], found.unbroken[-1])
        damaged = wal.damaged_segment(read, found.unbroken, segment_bytes)
        return ArchiveState(continuity=found, damaged=damaged, commits=read.commits)
    finally:
        remove([into])
