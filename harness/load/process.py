"""The harness' side of a load: its child processes, started with their plans, watched and ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from harness.base.clock import NS, Clock
from harness.base.errors import EvidenceNotWritten, PartDied
from harness.evidence.spool import SpoolReader
from harness.load.children import Child
from harness.load.plan import LoadPlan, ProcessPlan, write
from harness.model.evidence import EventRow

_POLL_S = 0.05
_STOP_SLACK_S = 5.0
#: What the phones tell, and what the probes do.
_ADMITTED = ("admitted", "probes_admitted")


class Processes:
    """Child processes that make load. ``patience_s`` is how long any of their requests may take.

    Files: ``folder/<name>.json`` (plans), ``folder/spool/<name>.jsonl``, and ``<name>.log`` in ``logs``.
    """

    def __init__(self, folder: Path, clock: Clock, *, logs: Path, patience_s: float) -> None:
        self._folder = folder
        self._clock = clock
        self._logs = logs
        self._patience_s = patience_s
        self._stopping = False
        self._children: list[Child] = []  # in the order in which they are asked to end

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

    def child(self, name: str, module: str) -> Child:
        """One more, not yet started."""
        spool = self._folder / "spool" / f"{name}.jsonl"
        made = Child(name=name, module=module, spool=spool, log=self._logs / f"{name}.log")
        self._children.append(made)
        return made

    async def begin(self, child: Child, plan: ProcessPlan) -> None:
        """Starts ``child`` with its plan. Raises ``BadInput``, ``EvidenceNotWritten``."""
        path = self._folder / f"{child.name}.json"
        try:
            (self._folder / "spool").mkdir(parents=True, exist_ok=True)
            child.log.parent.mkdir(parents=True, exist_ok=True)
            write(msgspec.structs.replace(plan, spool=str(child.spool)), path)
            child.log.touch()
        except OSError as error:
            raise EvidenceNotWritten(
                f"the folder of the load cannot be written: {error.strerror or error}",
                where=str(self._folder),
                remedy="make room on the disk, or allow writing to the folder",
            ) from error
        await child.start(plan.run_id, str(path))

    async def told(
        self,
        readers: Mapping[str, SpoolReader],
        it: Callable[[EventRow], bool],
        limit_ns: int,
        late: str,
        remedy: str = "",
    ) -> None:
        """Returns once each child of ``readers`` has told of an event that is ``it``. Raises as ``check`` does, and
        ``PartDied`` with the sentence ``late`` once it is."""
        waiting = set(readers)
        while True:
            waiting = {name for name in waiting if not any(map(it, _events(readers[name])))}
            self.check()
            if not waiting:
                return
            if self._clock.now_ns() > limit_ns:
                raise PartDied(f"{late}: {', '.join(sorted(waiting))}", where=str(self._logs), remedy=remedy)
            await self._clock.sleep(_POLL_S)


def _events(reader: SpoolReader) -> list[EventRow]:
    return [row for row in reader.read() if isinstance(row, EventRow)]


class LoadProcesses(Processes):
    """A population and its probes."""

    def __init__(self, plan: LoadPlan, folder: Path, clock: Clock, *, logs: Path | None = None) -> None:
        patience_s = max(plan.request_timeout_s, plan.probes.timeout_s)
        super().__init__(folder, clock, logs=logs or folder / "logs", patience_s=patience_s)
        self._plan = plan
        self.child("load", "harness.load.locust_main")
        self.child("probes", "harness.load.probes_main")

    async def start(self) -> None:
        """Starts both; they begin to admit at once. Raises ``BadInput``, ``EvidenceNotWritten``."""
        for child in self._children:
            await self.begin(child, self._plan)

    async def admitted(self, timeout_s: float) -> None:
        """Returns once both are ready to go. Raises ``PartDied``, also when that takes longer than ``timeout_s``."""
        await self.told(
            {child.name: SpoolReader(child.spool) for child in self._children},
            lambda row: row.subject in _ADMITTED,
            self._clock.now_ns() + round(timeout_s * NS),
            f"not signed in within {timeout_s:g} s",
            "the machine may be too busy; see the logs of the Auth and Remote Config emulators",
        )

    async def go(self, origin_ns: int) -> None:
        """Starts schedule and probes: their offsets count from ``origin_ns``, best a little ahead of now."""
        for child in self._children:
            await child.say(f"go {origin_ns}\n")
        self.check()
