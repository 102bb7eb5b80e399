"""The ground that recovery works on: a leased folder, ports of its own, PostgreSQL's tools run as its account.

The last of a tear down: whatever the stack's parts started and did not end themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import msgspec
import psutil

from harness.base.clock import NS, Clock
from harness.base.errors import EvidenceNotWritten, StackNotStarted
from harness.base.home import home
from harness.base.private import open_beneath
from harness.model.message import ProgressCallback, message
from harness.stack.local.postgres_programs import Programs, provided, whole
from harness.stack.local.postgres_template import account
from harness.stack.state import MARKER, PART_MARKER, RunState, marked, processes, shared_memory
from harness.stack.state.leaks import NOT_DOWN, Traces, leaks, shared_files
from harness.stack.state.processes import signal_group

_ROUNDS = 20
_SEGMENT_ROUNDS = 200
_EVERY_S = 0.05


async def end_strays(state: RunState, clock: Clock) -> None:
    """Kills processes that carry the run's and a part's marker, and removes what they left.

    Tries for 1 s each, and for 10 s where shared memory is held.
    """
    for _ in range(_ROUNDS):
        strays = [
            process for process, environment in marked(MARKER, [state.lease.run_id]) if PART_MARKER in environment
        ]
        if not strays:
            break
        for stray in strays:
            with contextlib.suppress(psutil.Error):
                stray.kill()
        await clock.sleep(_EVERY_S)
    for _ in range(_ROUNDS):
        if not processes.remove_of_run(state.lease.run_id):  # a group is busy until the last of its processes is reaped
            break
        await clock.sleep(_EVERY_S)
    for _ in range(_SEGMENT_ROUNDS):
        if not _remove_segments([part.identity.pid for part in state.lease.parts]):
            break
        await clock.sleep(_EVERY_S)


def _remove_segments(pids: Sequence[int]) -> bool:
    """Whether one is held: by a child of PostgreSQL's that was killed, and ends once a slow disk has answered it."""
    made = shared_memory.made_by(pids)
    for segment in made:
        if segment.attached == 0:
            with contextlib.suppress(OSError):  # then the leak check names it
                shared_memory.remove(segment)
    return any(segment.attached for segment in made)


TOOL_LIMIT_S = 600.0
GIB = 1024**3
FULL = "No space left on device"


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that ended."""

    status: int
    out: str
    err: str


class Site:
    """``home()/runs/<run id>``: made by ``begin``, removed by ``down``. Every process in it has the run's marker."""

    def __init__(self, state: RunState, logs: Path, clock: Clock) -> None:
        self.state = state
        self.logs = logs
        self.clock = clock
        self.top = state.folder  # ours; what is below may belong to PostgreSQL's account
        self.folder = self.make(state.folder / "recovery")
        self._shared_before = shared_files()
        self._traces: Traces | None = None

    @functools.cached_property
    def programs(self) -> Programs:
        """PostgreSQL's, all of one version: 15 where ``provide`` found one."""
        return whole()

    async def provide(self, progress: ProgressCallback) -> None:
        """Fetches PostgreSQL 15 where none is at hand; once, before the first use of ``programs``."""
        self.programs = await provided(every=True, state=self.state, logs=self.logs, progress=progress)

    @classmethod
    def begin(cls, run_id: str, logs: Path, clock: Clock, *, needs_bytes: int = 0) -> Site:
        """Raises ``StackNotStarted`` when the id is taken, or ``needs_bytes`` of disk are not free."""
        folder = home()
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < needs_bytes:
            raise StackNotStarted(
                message(
                    "recovery needs {needed} GiB of disk, {free} GiB are free",
                    needed=f"{needs_bytes / GIB:.1f}",
                    free=f"{free / GIB:.1f}",
                ),
                where=str(folder),
                remedy="free some space, or choose smaller sizes (--size, --sizes)",
            )
        logs.mkdir(parents=True, exist_ok=True)
        return cls(RunState.begin(run_id), logs, clock)

    def make(self, folder: Path) -> Path:
        """Makes ``folder``, owned by the account that PostgreSQL runs as."""
        folder.mkdir(parents=True, mode=0o755)
        if (owner := account()) is not None:
            descriptor = open_beneath(self.top, folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fchown(descriptor, owner.uid, owner.gid)
            finally:
                os.close(descriptor)
        return folder

    async def tool(
        self, name: str, *arguments: str, password: str = "", check: bool = True, limit_s: float = TOOL_LIMIT_S
    ) -> Done:
        """Runs a program of PostgreSQL's (or ``/bin/...``) to its end.

        Raises ``EvidenceNotWritten`` for a full disk, ``StackNotStarted`` when it fails (with ``check``) or takes
        longer than ``limit_s``; cancelled or late, it is killed.
        """
        program = name if name.startswith("/") else self.programs.path(name)
        owner = account()
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.folder,
            env={
                **self.programs.environment,
                **self.state.environment(name),
                **({"PGPASSWORD": password} if password else {}),
            },
            start_new_session=True,
            user=owner.uid if owner else None,
            group=owner.gid if owner else None,
            extra_groups=[] if owner else None,
        )
        try:
            async with asyncio.timeout(limit_s):
                out, err = await process.communicate()
        except TimeoutError:
            raise StackNotStarted(
                message("{name} did not end within {limit_s} s", name=name, limit_s=f"{limit_s:g}"),
                where=str(self.folder),
            ) from None
        finally:
            if process.returncode is None:
                signal_group(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())
        done = Done(status=process.returncode or 0, out=out.decode(errors="replace"), err=err.decode(errors="replace"))
        refuse_full_disk(done.err, self.folder)
        if check and done.status != 0:
            raise StackNotStarted(
                message("{name} failed: {said}", name=name, said=done.err.strip()[-800:]),
                where=" ".join((program, *arguments)),
            )
        return done

    async def down(self) -> None:
        """Ends what still runs and removes the folder."""
        try:
            await end_strays(self.state, self.clock)
        finally:  # whatever broke it: what it left is looked for
            self._traces = Traces.of(self.state, self._shared_before)
            with contextlib.suppress(OSError, StackNotStarted):  # then the leak check names the folder
                self.state.end()

    def leaks(self) -> list[str]:
        """Valid after ``down``; of one that did not come to its end that is a leak itself."""
        return [NOT_DOWN] if self._traces is None else leaks(self._traces)

    def seconds_since(self, start_ns: int) -> float:
        """On the site's clock."""
        return (self.clock.now_ns() - start_ns) / NS


async def copy_tree(site: Site, source: Path, target: Path) -> None:
    """Copies a data folder as the account that owns it. PostgreSQL flushes the copy before it replays."""
    await site.tool("/bin/cp", "-R", "--preserve=mode", str(source), str(target))


def refuse_full_disk(text: str, where: Path) -> None:
    """Raises ``EvidenceNotWritten`` when a program said that the disk is full."""
    if FULL in text:
        raise EvidenceNotWritten(
            "the disk is full: the recovery could not be carried on",
            where=str(where),
            remedy="free some space, or choose smaller sizes (--size, --sizes)",
        )


def remove(folders: Sequence[Path]) -> None:
    """Removes folders that are not needed any more."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
