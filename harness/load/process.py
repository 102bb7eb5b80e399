"""The harness' side of the load: two child processes, their plans, commands, ends.

The children lead sessions of their own, so that Ctrl-C reaches the harness alone; they end when their standard input
does, so that a killed harness leaves no load behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import msgspec

import harness
from harness.clock import NS, Clock
from harness.evidence.spool import SpoolReader
from harness.load import errors
from harness.load.plan import LoadPlan, write
from harness.model.errors import EvidenceNotWritten, PartDied, RehearsalError
from harness.model.evidence import EventRow

ROOT = Path(harness.__file__).resolve().parent.parent
_POLL_S = 0.05
_STOP_SLACK_S = 5.0
_TAIL_BYTES = 2_000
#: gRPC and others would take these even for 127.0.0.1.
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "grpc_proxy"})


class _Child(msgspec.Struct, kw_only=True):
    name: str
    module: str
    admitted_subject: str
    spool: Path
    log: Path
    process: asyncio.subprocess.Process | None = None

    def ended(self) -> int | None:
        """The exit status, once it has ended."""
        return self.process.returncode if self.process else None

    def tail(self) -> str:
        """The last of its standard error."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return file.read().decode(errors="replace").strip()


class LoadProcesses:
    """The population and the probes. ``plan.spool`` is not used: the spools lie in ``folder/spool``.

    Files: ``folder/load.json`` and ``probes.json`` (plans), ``folder/spool/load.jsonl`` and ``probes.jsonl``,
    ``load.log`` and ``probes.log`` in ``logs`` (``folder/logs`` unless named).
    """

    def __init__(self, plan: LoadPlan, folder: Path, clock: Clock, *, logs: Path | None = None) -> None:
        self._plan = plan
        self._folder = folder
        self._logs = logs or folder / "logs"
        self._clock = clock
        self._stopping = False
        self._children = [
            self._child("load", "harness.load.locust_main", "admitted"),
            self._child("probes", "harness.load.probes_main", "probes_admitted"),
        ]

    @property
    def spools(self) -> tuple[Path, ...]:
        """Where the evidence of the children grows."""
        return tuple(child.spool for child in self._children)

    @property
    def pids(self) -> dict[str, int]:
        """The children that were started, by name."""
        return {child.name: child.process.pid for child in self._children if child.process}

    async def start(self) -> None:
        """Starts both; they begin to admit at once. Raises ``BadInput``, ``EvidenceNotWritten``."""
        for child in self._children:
            path = self._prepare(child)
            with child.log.open("ab") as log:
                child.process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    child.module,
                    str(path),
                    cwd=ROOT,
                    env=self._environment(),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    async def admitted(self, timeout_s: float) -> None:
        """Returns once both are ready to go. Raises ``PartDied``, also when that takes longer than ``timeout_s``."""
        give_up_ns = self._clock.now_ns() + round(timeout_s * NS)
        waiting = {child.name: (child, SpoolReader(child.spool)) for child in self._children}
        while waiting:
            for name, (child, reader) in list(waiting.items()):
                if any(isinstance(row, EventRow) and row.subject == child.admitted_subject for row in reader.read()):
                    del waiting[name]
            self.check()
            if waiting and self._clock.now_ns() > give_up_ns:
                raise PartDied(
                    f"not admitted within {timeout_s:g} s: {', '.join(waiting)}",
                    where=str(self._logs),
                    remedy="the machine may be too busy; see the logs of the Auth and Remote Config emulators",
                )
            await self._clock.sleep(_POLL_S)

    async def go(self, origin_ns: int) -> None:
        """Starts schedule and probes: their offsets count from ``origin_ns``, best a little ahead of now."""
        for child in self._children:
            await self._say(child, f"go {origin_ns}\n")
        self.check()

    def check(self) -> None:
        """Raises ``PartDied`` (``EvidenceNotWritten`` for a full disk) when a child has ended without being asked."""
        for child in self._children:
            status = child.ended()
            if status is not None and not self._stopping:
                raise _died(child, status)

    async def watch(self) -> None:
        """Returns when the children were stopped; raises as ``check`` does as soon as one ends by itself."""
        ends = [asyncio.ensure_future(child.process.wait()) for child in self._children if child.process]
        try:
            while ends and not self._stopping:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                self.check()
        finally:
            for end in ends:
                end.cancel()

    async def stop(self) -> None:
        """Asks both to end and waits: requests under way finish or time out. Kills what does not end. Idempotent.

        Raises as ``check`` does when a child had ended by itself or could not end well.
        """
        before = [(child, child.ended()) for child in self._children]
        already, self._stopping = self._stopping, True
        for child in self._children:
            await self._say(child, "stop\n")
            if child.process and child.process.stdin:
                child.process.stdin.close()
        limit_s = max(self._plan.request_timeout_s, self._plan.probes.timeout_s) + _STOP_SLACK_S
        try:
            async with asyncio.timeout(limit_s):
                for child in self._children:
                    if child.process:
                        await child.process.wait()
        except TimeoutError:
            await self.kill()
        if already:
            return
        for child, status in before:
            ended = child.ended()
            if status is not None or ended:
                raise _died(child, status if status is not None else ended or 0)

    async def kill(self) -> None:
        """Ends both at once, with all they started; what they had not flushed is lost. Idempotent."""
        self._stopping = True
        for child in self._children:
            if child.process and child.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.process.pid, signal.SIGKILL)
                await child.process.wait()

    def _child(self, name: str, module: str, subject: str) -> _Child:
        return _Child(
            name=name,
            module=module,
            admitted_subject=subject,
            spool=self._folder / "spool" / f"{name}.jsonl",
            log=self._logs / f"{name}.log",
        )

    def _prepare(self, child: _Child) -> Path:
        path = self._folder / f"{child.name}.json"
        try:
            child.spool.parent.mkdir(parents=True, exist_ok=True)
            child.log.parent.mkdir(parents=True, exist_ok=True)
            write(msgspec.structs.replace(self._plan, spool=str(child.spool)), path)
            child.log.touch()
        except OSError as error:
            raise EvidenceNotWritten(
                f"the folder of the load cannot be written: {error.strerror or error}",
                where=str(self._folder),
                remedy="make room on the disk, or allow writing to the folder",
            ) from error
        return path

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name.lower() not in _PROXIES}
        return {**kept, "TEKUTOKO_RUN_ID": self._plan.run_id, "PYTHONUNBUFFERED": "1", "GRPC_VERBOSITY": "ERROR"}

    async def _say(self, child: _Child, line: str) -> None:
        if child.process is None or child.process.stdin is None or child.process.stdin.is_closing():
            return
        try:
            child.process.stdin.write(line.encode())
            await child.process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has ended; ``check`` says so


def _died(child: _Child, status: int) -> RehearsalError:
    how = f"signal {-status}" if status < 0 else f"status {status}"
    kind = EvidenceNotWritten if status == errors.EVIDENCE else PartDied
    return kind(f"the {child.name} process ended by itself ({how}): {child.tail()}", where=str(child.log))
