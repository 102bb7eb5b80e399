"""Restore to a point into a new instance: copy the backup, replay the archive to the target, promote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.base.clock import Anchor, utc
from harness.base.errors import StackNotStarted
from harness.model.message import Message, message
from harness.rehearsals.dr_restore.archive import Archive
from harness.rehearsals.dr_restore.backup import Backup, verify
from harness.rehearsals.dr_restore.server import Server
from harness.stack.processes import tail
from harness.stack.site import Site, copy_tree

REPLAY_LIMIT_S = 600.0


class Point(msgspec.Struct, frozen=True, kw_only=True):
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


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore is made from; ``password`` is the superuser's, which the backup carries."""

    backup: Backup
    archive: Archive
    password: str


class Restored(msgspec.Struct, kw_only=True):
    """A restored instance that takes writes, and how long its two steps took (seconds)."""

    server: Server
    point: Point
    restore_s: float  # the backup verified and copied
    replay_s: float  # from the start of the server until it takes writes


class BackupDamaged(StackNotStarted):
    """The backup does not agree with its manifest."""


class PointNotReached(StackNotStarted):
    """The WAL at hand ends before the point asked for."""


#: Makes the server on a data folder, not started: site, name, folder, the superuser's password.
Serve = Callable[[Site, str, Path, str], Server]


async def restore(
    site: Site, source: Source, point: Point, name: str, *, verified: bool = False, serve: Serve = Server
) -> Restored:
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
    return Restored(server=server, point=point, restore_s=restore_s, replay_s=site.seconds_since(begun_ns))


async def replay(site: Site, source: Source, point: Point, data: Path, serve: Serve = Server) -> Server:
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
