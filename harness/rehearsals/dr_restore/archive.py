"""The WAL archive: whole segments by ``archive_command``, and the stream of ``pg_receivewal`` beside it.

Files are copied and flushed before they get their name. Nothing is ever hard-linked into a running server: it recycles
its segments by renaming and overwriting them.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
from pathlib import Path
from typing import IO

from harness.base.clock import polling
from harness.base.errors import StackNotStarted
from harness.base.private import open_beneath
from harness.model.message import message
from harness.model.stack import Address
from harness.rehearsals.dr_restore.sentinel import closing
from harness.rehearsals.dr_restore.server import SUPERUSER, Server
from harness.rehearsals.dr_restore.wal import SEGMENT
from harness.stack.local import postgres_template
from harness.stack.processes import Process, Spec, spawn, tail
from harness.stack.site import Site

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
        connection = await server.connect()
        try:
            # A switch without WAL since the last one does nothing, and names a segment that is not coming.
            await connection.execute("SELECT pg_create_restore_point('caught up')")
            name = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
        finally:
            await closing(connection)
        again = polling(self.site.clock, limit_s=limit_s, every_s=0.02)
        while not (self.wal / name).exists():
            if not await again():
                raise StackNotStarted(
                    message("segment {name} is not archived after {limit_s} s", name=name, limit_s=f"{limit_s:g}"),
                    where=str(server.log),
                )


class Stream:
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
