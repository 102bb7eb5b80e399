"""The harness' side of the stages: Locust's master and its workers, each a child process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import psutil

from harness.base.clock import NS, Clock
from harness.base.errors import EvidenceNotWritten, PartDied
from harness.evidence.spool import SpoolReader
from harness.load.children import Child
from harness.load.stages.plan import Command, WorkerPlan, check_step, write
from harness.model.evidence import EventRow
from harness.model.step import Step

ADMISSION_LIMIT_S = 120.0
_POLL_S = 0.05
_STOP_SLACK_S = 5.0


class StageProcesses:
    """One step at a time. ``plan`` is that of any worker: ``worker`` and ``spool`` are set here.

    Files: ``folder/worker-<n>.json``, ``folder/spool/worker-<n>.jsonl``; logs in ``logs``.
    """

    def __init__(self, plan: WorkerPlan, folder: Path, clock: Clock, *, logs: Path) -> None:
        self._plan = plan
        self._folder = folder
        self._clock = clock
        self._logs = logs
        self._stopping = False
        self._master = self._child("load-master", "harness.load.stages.master_main")
        self._workers = [
            self._child(f"worker-{number}", "harness.load.stages.worker_main") for number in range(plan.workers)
        ]
        self._events = [SpoolReader(worker.spool) for worker in self._workers]

    @property
    def spools(self) -> tuple[Path, ...]:
        """Where the evidence grows."""
        return tuple(worker.spool for worker in self._workers)

    async def start(self) -> None:
        """Returns when every account is signed in and every user waits for its first step.

        Raises ``PartDied``, ``EvidenceNotWritten``, ``BadInput``.
        """
        self._make_folders()
        plan = self._plan
        await self._master.start(plan.run_id, str(plan.master_port), str(plan.workers), str(plan.accounts))
        for number, worker in enumerate(self._workers):
            path = self._folder / f"{worker.name}.json"
            write(msgspec.structs.replace(plan, worker=number, spool=str(worker.spool)), path)
            await worker.start(plan.run_id, str(path))
        give_up_ns = self._clock.now_ns() + round(ADMISSION_LIMIT_S * NS)
        while "ready" not in self._master.log.read_text(errors="replace").split():
            self.check()
            if self._clock.now_ns() > give_up_ns:
                raise PartDied(
                    f"{plan.accounts} simulated users were not signed in within {ADMISSION_LIMIT_S:g} s",
                    where=str(self._logs),
                    remedy="the machine may be too busy; see the Auth emulator's log",
                )
            await self._clock.sleep(_POLL_S)

    async def step(self, step: Step, origin_ns: int) -> None:
        """Makes the load of ``step`` from ``origin_ns`` on; returns when its last request has ended.

        Raises ``PartDied`` when a process ends, or the answers take longer than any of them may.
        """
        check_step(step, self._plan.accounts)
        await self._master.say(msgspec.json.encode(Command(step=step, origin_ns=origin_ns)).decode() + "\n")
        # A user may have a whole queue of due requests, each waiting out its timeout: the slack is for the last ones.
        limit_ns = origin_ns + round((step.seconds + 6 * self._plan.request_timeout_s) * NS)
        waiting = set(range(len(self._workers)))
        while waiting:
            for number, reader in enumerate(self._events):
                if any(_step_done(row, step.name) for row in reader.read()):
                    waiting.discard(number)
            self.check()
            if waiting and self._clock.now_ns() > limit_ns:
                raise PartDied(f"the load of step {step.name} did not end", where=str(self._logs))
            await self._clock.sleep(_POLL_S)

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds used so far by each worker."""
        used = {}
        for worker in self._workers:
            if worker.process is not None and worker.process.returncode is None:
                times = psutil.Process(worker.process.pid).cpu_times()
                used[worker.name] = times.user + times.system
        return used

    def check(self) -> None:
        """Raises ``PartDied`` (``EvidenceNotWritten`` for a full disk) when a process has ended without being asked."""
        for child in (self._master, *self._workers):
            status = child.ended()
            if status is not None and not self._stopping:
                raise child.died(status)

    async def stop(self) -> None:
        """Ends all: requests under way finish or time out. Kills what does not end. Idempotent.

        Raises as ``check`` does when a process had ended by itself or could not end well: its last rows may be missing.
        """
        already, self._stopping = self._stopping, True
        for child in (*self._workers, self._master):
            child.hang_up()
        try:
            async with asyncio.timeout(self._plan.request_timeout_s + _STOP_SLACK_S):
                for child in (*self._workers, self._master):
                    if child.process is not None:
                        await child.process.wait()
        except TimeoutError:
            for child in (*self._workers, self._master):
                await child.kill()
        for child in () if already else (*self._workers, self._master):
            if status := child.ended():
                raise child.died(status)

    def _child(self, name: str, module: str) -> Child:
        return Child(
            name=name,
            module=module,
            admitted_subject="admitted",
            spool=self._folder / "spool" / f"{name}.jsonl",
            log=self._logs / f"{name}.log",
        )

    def _make_folders(self) -> None:
        try:
            (self._folder / "spool").mkdir(parents=True, exist_ok=True)
            self._logs.mkdir(parents=True, exist_ok=True)
            for child in (self._master, *self._workers):
                child.log.touch()
        except OSError as error:
            raise EvidenceNotWritten(
                f"the folder of the load cannot be written: {error.strerror or error}",
                where=str(self._folder),
                remedy="make room on the disk, or allow writing to the folder",
            ) from error


def _step_done(row: object, name: str) -> bool:
    return isinstance(row, EventRow) and row.subject == "step_done" and row.message == name
