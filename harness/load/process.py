"""The harness' side of a week's load: two child processes, their plans, commands, ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from harness.base.clock import NS, Clock
from harness.base.errors import EvidenceNotWritten, PartDied
from harness.evidence.spool import SpoolReader
from harness.load.children import Child
from harness.load.plan import LoadPlan, write
from harness.model.evidence import EventRow

_POLL_S = 0.05
_STOP_SLACK_S = 5.0


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
            await child.start(self._plan.run_id, str(path))

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
                    f"not signed in within {timeout_s:g} s: {', '.join(waiting)}",
                    where=str(self._logs),
                    remedy="the machine may be too busy; see the logs of the Auth and Remote Config emulators",
                )
            await self._clock.sleep(_POLL_S)

    async def go(self, origin_ns: int) -> None:
        """Starts schedule and probes: their offsets count from ``origin_ns``, best a little ahead of now."""
        for child in self._children:
            await child.say(f"go {origin_ns}\n")
        self.check()

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
        """Asks both to end and waits: requests under way finish or time out. Kills what does not end. Idempotent.

        Raises as ``check`` does when a child had ended by itself or could not end well.
        """
        before = [(child, child.ended()) for child in self._children]
        already, self._stopping = self._stopping, True
        for child in self._children:
            await child.say("stop\n")
            child.hang_up()
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
                raise child.died(status if status is not None else ended or 0)

    async def kill(self) -> None:
        """Ends both at once, with all they started; what they had not flushed is lost. Idempotent."""
        self._stopping = True
        for child in self._children:
            await child.kill()

    def _child(self, name: str, module: str, subject: str) -> Child:
        return Child(
            name=name,
            module=module,
            admitted_subject=subject,
            spool=self._folder / "spool" / f"{name}.jsonl",
            log=self._logs / f"{name}.log",
        )

    def _prepare(self, child: Child) -> Path:
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
