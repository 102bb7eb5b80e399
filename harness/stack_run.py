"""The frame of a command with one stack: what runs beside its flow, how it ends, what its report says of the run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec

from harness.clock import NS, Clock, utc
from harness.collect import Collector
from harness.document import manifest_facts
from harness.evidence.store import EvidenceStore
from harness.judge.combine import combine, exit_status
from harness.lifecycle import Lifecycle, open_folder, run_identity, with_beside
from harness.load.stages.plan import WorkerPlan
from harness.load.stages.process import StageProcesses
from harness.model.evidence import EventRow, SampleRow
from harness.model.manifests import Manifests
from harness.model.run_report import RunReport
from harness.model.verdict import ErratumSeen, Verdict
from harness.options import RunOptions
from harness.progress import Progress
from harness.report.latest import point_latest
from harness.rungs import manifests_of, stack_for, sweep
from harness.stack.protocol import SecretsPlan, Stack
from harness.state.lease import remove_run_folder, run_folder
from harness.state.ports import any_free_port
from harness.under_load import UnderLoad

GATHER_EVERY_S = 0.5

R = TypeVar("R", bound=RunReport)


class StackRun(ABC, Generic[R]):
    """One run under way. ``run`` always returns a report, however it ended. The heirs make ``stack``, not yet up."""

    stack: Stack

    def __init__(self, name: str, options: RunOptions, clock: Clock, progress: Progress, *, replay: str) -> None:
        self.options = options
        self.clock = clock
        self.progress = progress
        self.replay = replay
        self.started_ns = clock.now_ns()
        self.run_id = run_identity(clock, name, options.seed)
        manifests_of(options)  # the heirs change them: a folder that is refused leaves no folder of a run
        self.folder = open_folder(options.reports, self.run_id)
        self.evidence = Collector(
            EvidenceStore(self.folder / "evidence.sqlite", anchor=clock.anchor, run_id=self.run_id), clock
        )
        self.lifecycle = Lifecycle(progress)
        self.leaks: tuple[str, ...] = ()
        self.timings: dict[str, float] = {}
        self.about_manifests: dict[str, Any] = {}

    @abstractmethod
    async def flow(self) -> None:
        """The steps in order; each may raise, and tear down always follows."""

    @abstractmethod
    def document(self) -> R:
        """What the report says."""

    @abstractmethod
    def write(self, report: R) -> None:
        """Writes the report's files. Raises ``EvidenceNotWritten``."""

    def beside(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """What runs beside the flow until it ends: the gathering of evidence, the watch over the stack."""
        return self._gather(), self._watch()

    def endings(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """What is ended, in order, before the stack is taken down."""
        return ()

    def saw(self, row: EventRow | SampleRow) -> None:
        """Told of each row of the stack's own."""

    def stack_of(
        self,
        manifests: Manifests,
        *,
        peak_pods: int | None = None,
        use_kept: bool = True,
        every_program: bool = False,
        secrets: SecretsPlan | None = None,
    ) -> Stack:
        """The run's stack, not yet up; see ``stack_for``."""
        self.about_manifests = manifest_facts(manifests)
        return stack_for(
            self.options,
            run_id=self.run_id,
            manifests=manifests,
            folder=self.folder,
            clock=self.clock,
            progress=self.progress,
            gate=False,
            peak_pods=peak_pods,
            use_kept=use_kept,
            signals_at_once=self.options.signals_at_once,
            every_program=every_program,
            secrets=secrets,
        )

    async def run(self) -> R:
        """Runs the plan, tears down whatever came of it, and reports."""
        await self.lifecycle.run(with_beside(self.flow(), *self.beside()))
        self.timings["tear_down"] = await self.lifecycle.take_down(self.clock, *self.endings(), self.stack.down)
        remove_run_folder(self.run_id)
        self.leaks = tuple(self.stack.leaks())
        for failure in self.evidence.failures():
            self.lifecycle.note(failure)
        return self.report()

    def report(self) -> R:
        """Closes the evidence, writes the report's files, and points ``latest`` at them."""
        self.lifecycle.write(
            self.evidence.store.close,
            lambda: self.write(self.document()),
            lambda: point_latest(self.options.reports, self.folder),
        )
        return self.document()

    def interrupt(self) -> None:
        """Ends the flow at its next wait; tear down and report follow."""
        self.lifecycle.interrupt()

    async def sweep(self) -> None:
        """Removes what killed runs left on this machine."""
        await sweep(lambda line: self.progress(f"left by a killed run: {line}"))

    def mark(self, name: str) -> None:
        """Notes the seconds since the run began."""
        self.timings[name] = (self.clock.now_ns() - self.started_ns) / NS

    def facts(
        self,
        schema_version: int,
        verdicts: Iterable[Verdict],
        *,
        beside: Iterable[Verdict] = (),
        seen: tuple[ErratumSeen, ...] = (),
    ) -> dict[str, Any]:
        """The fields of ``RunReport``; see ``combine`` for what ``verdicts`` and those ``beside`` them come to.

        ``seen`` are the errata that the run saw.
        """
        combined = combine(verdicts, beside=beside)
        broke = [error.exit for error in self.lifecycle.errors]
        return msgspec.structs.asdict(
            RunReport(
                schema_version=schema_version,
                run_id=self.run_id,
                rung=self.options.rung,
                target=self.options.target.name,
                target_bundled=self.options.target.bundled,
                seed=self.options.seed,
                replay=self.replay,
                started_utc=utc(self.clock.anchor, self.started_ns),
                exit_status=exit_status(combined, broke, leaks=bool(self.leaks)),
                combined=combined,
                errata_seen=seen,
                **self.about_manifests,
                timings={name: round(value, 3) for name, value in self.timings.items()},
                leaks=self.leaks,
                errors=tuple(str(error) for error in self.lifecycle.errors),
                capabilities=tuple(sorted(self.stack.capabilities)),
            )
        )

    async def _gather(self) -> None:
        while True:
            self.evidence.gather()
            await self.clock.sleep(GATHER_EVERY_S)

    async def _watch(self) -> None:
        async for row in self.stack.watch():
            self.evidence.add([row])
            self.saw(row)


class StageRun(StackRun[R]):
    """A run whose load is that of the load stages: ``load`` once it is admitted."""

    load: StageProcesses | None = None

    async def admit(self, accounts: int, *, workers: int = 1, request_timeout_s: float) -> StageProcesses:
        """Starts the load's processes with their accounts."""
        plan = WorkerPlan(
            run_id=self.run_id,
            seed=self.options.seed,
            accounts=accounts,
            worker=0,
            workers=workers,
            master_port=any_free_port(),
            endpoints=self.stack.endpoints(),
            anchor=self.clock.anchor,
            spool="",
            request_timeout_s=request_timeout_s,
        )
        self.load = StageProcesses(plan, run_folder(self.run_id), self.clock, logs=self.folder / "logs")
        await self.load.start()
        self.evidence.follow(self.load.spools)
        return self.load

    def endings(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """The load; its last answers are gathered."""
        return (self._stop_load,)

    async def _stop_load(self) -> None:
        if self.load is not None:
            await self.load.stop()
            self.evidence.gather_last()


class UsersRun(StackRun[R]):
    """A run under the scenario's users and probes."""

    @cached_property
    def load(self) -> UnderLoad:
        """Users and probes; nobody is admitted yet."""
        return UnderLoad(
            self.stack, self.evidence, self.clock, self.progress,
            options=self.options, run_id=self.run_id, logs=self.folder / "logs",
        )  # fmt: skip

    def beside(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """As of every run; whoever dies of the load is noticed too."""
        return self.load.gather(), self.load.watch()

    def endings(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """The load."""
        return (self.load.stop,)
