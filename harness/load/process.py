"""The harness' side of a load: its child processes, started with their plans, watched and ended.

The children lead sessions of their own, so that Ctrl-C reaches the harness alone; they end when their standard input
does, so that a killed harness leaves no load behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from harness.base import machine
from harness.base.clock import Clock, polling
from harness.base.data import ROOT
from harness.base.errors import EvidenceNotWritten, PartDied, RehearsalError
from harness.evidence.spool import SpoolReader
from harness.load import errors
from harness.load.plan import LoadPlan, ProcessPlan, write
from harness.model.evidence import EventRow
from harness.model.message import Message, gettext_noop, message
from harness.model.stack import LOAD_TO
from harness.stack.protocol import LoadPod

#: gRPC and others would take these even for 127.0.0.1.
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "grpc_proxy"})
#: What makes pods for so many processes, by the index of each.
LoadPods = Callable[[int], Awaitable[Sequence[LoadPod]]]
_POLL_S = 0.05
_STOP_SLACK_S = 5.0
#: What the phones tell, and what the probes do.
_ADMITTED = ("admitted", "probes_admitted")


class LoadProcess(msgspec.Struct, kw_only=True):
    """``python -m module``; it writes its evidence to ``spool`` and everything else to ``log``. For one in a ``pod``
    ``relay_main`` stands here."""

    name: str
    module: str
    spool: Path
    log: Path
    process: asyncio.subprocess.Process | None = None
    pod: LoadPod | None = None

    async def start(self, run_id: str, *arguments: str) -> None:
        """Starts it, marked as a part of the run."""
        kept = {name: value for name, value in os.environ.items() if name.lower() not in _PROXIES and name != LOAD_TO}
        environment = {**kept, "TEKUTOKO_RUN_ID": run_id, "PYTHONUNBUFFERED": "1", "GRPC_VERBOSITY": "ERROR"}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *self._words(*arguments),
                cwd=ROOT,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _words(self, *arguments: str) -> tuple[str, ...]:
        if self.pod is None:
            return (self.module, *arguments)
        return ("harness.load.relay_main", *arguments, self.module, msgspec.json.encode(self.pod).decode())

    def cpu_s(self) -> float | None:
        """The CPU seconds that it has used, in its pod where it has one; ``None`` where nobody knows."""
        if self.process is None or self.process.returncode is not None:
            return None
        if self.pod is None:
            return machine.cpu_s(self.process.pid)
        try:
            return float(cpu_file(self.spool).read_text())
        except (OSError, ValueError):  # it has said nothing yet, or says it now
            return None

    async def say(self, line: str) -> None:
        """Writes to its standard input, unless that has ended."""
        if self.process is None or self.process.stdin is None or self.process.stdin.is_closing():
            return
        try:
            self.process.stdin.write(line.encode())
            await self.process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has ended; whoever watches it says so

    def hang_up(self) -> None:
        """Ends its standard input."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()

    def ended(self) -> int | None:
        """The exit status, once it has ended."""
        return self.process.returncode if self.process else None

    async def kill(self) -> None:
        """Ends it at once with all it started; idempotent."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()

    def died(self, status: int) -> RehearsalError:
        """The error to raise when it ended by itself."""
        how = f"signal {-status}" if status < 0 else f"status {status}"
        kind = EvidenceNotWritten if status == errors.EVIDENCE else PartDied
        return kind(f"the {self.name} process ended by itself ({how}): {self.tail()}", where=str(self.log))

    def tail(self) -> str:
        """The last of its standard error."""
        return errors.tail(self.log)


def cpu_file(spool: Path) -> Path:
    """The file beside a spool that says how many seconds of CPU a process in a pod has used."""
    return spool.with_suffix(".cpu")


class Processes:
    """Child processes that make load. ``patience_s`` is how long any of their requests may take.

    Files: ``folder/<name>.json`` (plans), ``folder/spool/<name>.jsonl``, and ``<name>.log`` in ``logs``.
    """

    #: What makes the pods in which those that make the users' requests run; ``None`` runs them on this machine.
    pods: LoadPods | None = None

    def __init__(self, folder: Path, clock: Clock, *, logs: Path, patience_s: float) -> None:
        self._folder = folder
        self._clock = clock
        self._logs = logs
        self._patience_s = patience_s
        self._stopping = False
        self._children: list[LoadProcess] = []  # in the order in which they are asked to end

    @property
    def spools(self) -> tuple[Path, ...]:
        """Where the evidence of the children grows."""
        return tuple(child.spool for child in self._children)

    @property
    def pids(self) -> dict[str, int]:
        """The children that were started, by name."""
        return {child.name: child.process.pid for child in self._children if child.process}

    def check(self) -> None:
        """Raises ``PartDied`` (``EvidenceNotWritten`` for a full disk) when a child has ended without being asked."""
        for child in self._children:
            status = child.ended()
            if status is not None and not self._stopping:
                raise child.died(status)

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
        """Asks all to end and waits: requests under way finish or time out. Kills what does not end. Idempotent.

        Raises as ``check`` does when a child had ended by itself or could not end well: its last rows may be missing.
        """
        before = [(child, child.ended()) for child in self._children]
        already, self._stopping = self._stopping, True
        for child in self._children:
            child.hang_up()
        try:
            async with asyncio.timeout(self._patience_s + _STOP_SLACK_S):
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
                raise child.died(status if status is not None else ended or 0)

    async def kill(self) -> None:
        """Ends all at once, with all they started; what they had not flushed is lost. Idempotent."""
        self._stopping = True
        for child in self._children:
            await child.kill()

    def child(self, name: str, module: str) -> LoadProcess:
        """One more, not yet started."""
        spool = self._folder / "spool" / f"{name}.jsonl"
        made = LoadProcess(name=name, module=module, spool=spool, log=self._logs / f"{name}.log")
        self._children.append(made)
        return made

    async def begin_workers(self, workers: Sequence[LoadProcess], plan: ProcessPlan) -> None:
        """Starts each with its share of ``plan``. Raises as ``begin`` does, and ``StackNotStarted`` for their pods."""
        for number, pod in enumerate(await self.pods(len(workers)) if self.pods else ()):
            workers[number].pod = pod
        for number, worker in enumerate(workers):
            await self.begin(worker, msgspec.structs.replace(plan, worker=number, workers=len(workers)))

    async def begin(self, child: LoadProcess, plan: ProcessPlan) -> None:
        """Starts ``child`` with its plan. Raises ``BadInput``, ``EvidenceNotWritten``, ``PartDied``."""
        path = self._folder / f"{child.name}.json"
        try:
            (self._folder / "spool").mkdir(parents=True, exist_ok=True)
            child.log.parent.mkdir(parents=True, exist_ok=True)
            write(msgspec.structs.replace(plan, spool=str(child.spool)), path)
            child.log.touch()
        except OSError as error:
            raise EvidenceNotWritten(
                message("the folder of the load cannot be written: {why}", why=str(error.strerror or error)),
                where=str(self._folder),
                remedy="make room on the disk, or allow writing to the folder",
            ) from error
        with errors.starting(child.name, child.log):
            await child.start(plan.run_id, str(path))

    async def say(self, line: str) -> None:
        """The same to all of them."""
        for child in self._children:
            await child.say(f"{line}\n")

    async def told(
        self,
        readers: Mapping[str, SpoolReader],
        it: Callable[[EventRow], bool],
        limit_s: float,
        late: Message,
        remedy: str = "",
    ) -> None:
        """Returns once each child of ``readers`` has told of an event that is ``it``. Raises as ``check`` does, and
        ``PartDied`` with the sentence ``late`` after ``limit_s``."""
        waiting, again = set(readers), polling(self._clock, limit_s=limit_s, every_s=_POLL_S)
        while waiting := {name for name in waiting if not any(map(it, _events(readers[name])))}:
            self.check()
            if not await again():
                said = message("{late}: {names}", late=late, names=", ".join(sorted(waiting)))
                raise PartDied(said, where=str(self._logs), remedy=remedy)
        self.check()


def _events(reader: SpoolReader) -> list[EventRow]:
    return [row for row in reader.read() if isinstance(row, EventRow)]


class LoadProcesses(Processes):
    """A population, which ``plan.workers`` processes share, and its probes: these stay on this machine wherever the
    users are, for they stand for the document's checks from outside."""

    def __init__(self, plan: LoadPlan, folder: Path, clock: Clock, *, logs: Path | None = None) -> None:
        patience_s = max(plan.request_timeout_s, plan.probes.timeout_s)
        super().__init__(folder, clock, logs=logs or folder / "logs", patience_s=patience_s)
        self._plan = plan
        names = [f"load-{number}" for number in range(plan.workers)] if plan.workers > 1 else ["load"]
        self._workers = [self.child(name, "harness.load.locust_main") for name in names]
        self._probes = self.child("probes", "harness.load.probes_main")

    async def start(self) -> None:
        """Starts all; they begin to admit at once. Raises ``BadInput``, ``EvidenceNotWritten``."""
        await self.begin_workers(self._workers, self._plan)
        await self.begin(self._probes, self._plan)

    async def admitted(self, timeout_s: float) -> None:
        """Returns once all are ready to go. Raises ``PartDied``, also when that takes longer than ``timeout_s``."""
        await self.told(
            {child.name: SpoolReader(child.spool) for child in self._children},
            lambda row: row.subject in _ADMITTED,
            timeout_s,
            message("not signed in within {limit_s} s", limit_s=f"{timeout_s:g}"),
            gettext_noop("the machine may be too busy; see the logs of the Auth and Remote Config emulators"),
        )

    async def go(self, origin_ns: int) -> None:
        """Starts schedule and probes: their offsets count from ``origin_ns``, best a little ahead of now."""
        await self.say(f"go {origin_ns}")
        self.check()
