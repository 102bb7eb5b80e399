"""The harness' side of the steps: the workers, each a child process."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.base.clock import NS, Clock
from harness.evidence.spool import SpoolReader
from harness.load.plan import ADMISSION_LIMIT_S
from harness.load.process import Processes
from harness.load.stages.plan import StepCommand, WorkerPlan, check_step
from harness.model.message import gettext_noop, message
from harness.model.scenario import Step


class StageProcesses(Processes):
    """One step at a time. ``plan`` is that of any worker."""

    def __init__(self, plan: WorkerPlan, folder: Path, clock: Clock, *, logs: Path) -> None:
        super().__init__(folder, clock, logs=logs, patience_s=plan.request_timeout_s)
        self._plan = plan
        for number in range(plan.workers):
            self.child(f"worker-{number}", "harness.load.stages.worker_main")
        self._readers = {worker.name: SpoolReader(worker.spool) for worker in self._children}

    async def start(self) -> None:
        """Returns when every account is signed in and every user waits for its first step.

        Raises ``PartDied``, ``EvidenceNotWritten``, ``BadInput``.
        """
        await self.begin_workers(self._children, self._plan)
        await self.told(
            self._readers,
            lambda row: row.subject == "admitted",
            ADMISSION_LIMIT_S,
            message("not signed in within {limit_s} s", limit_s=f"{ADMISSION_LIMIT_S:g}"),
            gettext_noop("the machine may be too busy; see the Auth emulator's log"),
        )

    async def step(self, step: Step, origin_ns: int) -> None:
        """Makes the load of ``step`` from ``origin_ns`` on; returns when its last request has ended.

        Raises ``PartDied`` when a process ends, or the answers take longer than any of them may.
        """
        check_step(step, self._plan.accounts)
        await self.say(msgspec.json.encode(StepCommand(step=step, origin_ns=origin_ns)).decode())
        # A user may have a whole queue of due requests, each waiting out its timeout: the slack is for the last ones.
        limit_s = (origin_ns - self._clock.now_ns()) / NS + step.seconds + 6 * self._plan.request_timeout_s
        await self.told(
            self._readers,
            lambda row: (row.subject, row.message) == ("step_done", step.name),
            limit_s,
            message("the load of step {step} did not end", step=step.name),
        )

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds used so far by each worker."""
        used = {each.name: each.cpu_s() for each in self._children}  # one that ends now is told by who watches it
        return {name: seconds for name, seconds in used.items() if seconds is not None}
