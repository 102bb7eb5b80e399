"""A run of the load stages in one direction: stack up -> accounts -> stages -> knees -> tear down -> report."""

from __future__ import annotations

import os

import msgspec

from harness import state
from harness.clock import NS, Clock, utc
from harness.collect import Collector
from harness.evidence.store import EvidenceStore
from harness.judge.knee import Tried, knee, next_rate
from harness.judge.ledger import Ledger
from harness.judge.steps import Limits, generator_words
from harness.lifecycle import Lifecycle, open_folder, run_identity, with_beside
from harness.load.stages.plan import WorkerPlan
from harness.load.stages.process import StageProcesses
from harness.manifests.change import without_autoscaler
from harness.manifests.cpu import limits_factor, scaled
from harness.model.errors import Exit, more_severe
from harness.model.load_stages import SCHEMA_VERSION, Arrivals, Knee, LoadReport, LoadStagesPlan, Step, StepResult
from harness.model.stack import Capability
from harness.model.verdict import Verdict
from harness.options import RunOptions
from harness.progress import Progress
from harness.report.language import language
from harness.report.latest import point_latest
from harness.rungs import manifests_of, stack_for
from harness.stack.protocol import Stack
from harness.stages.claims import judged
from harness.stages.measure import Measuring
from harness.stages.report import write_report
from harness.state.lease import remove_run_folder, run_folder
from harness.state.ports import any_free_port
from scenarios import claims

GATHER_EVERY_S = 0.5
SETTLE_S = 1.0  # between steps: what the last one left in queues


class LoadStages:
    """One run under way. ``run`` always returns a report, however it ended."""

    def __init__(
        self, plan: LoadStagesPlan, options: RunOptions, clock: Clock, progress: Progress, *, workers: int, replay: str
    ) -> None:
        self.plan = plan
        self.options = options
        self.clock = clock
        self.progress = progress
        self.workers = workers
        self.replay = replay
        self.started_ns = clock.now_ns()
        self.run_id = run_identity(clock, plan.name, options.seed)
        self.folder = open_folder(options.reports, self.run_id)
        self.manifests = without_autoscaler(manifests_of(options), plan.pods)
        share, most = plan.knee.cpu_share, max(plan.knee.pods, default=plan.pods)
        cores = (os.cpu_count() or 1) * share
        self.knee_cpu_factor = limits_factor(self.manifests, cores, most) if share else 1.0
        self.evidence = Collector(
            EvidenceStore(self.folder / "evidence.sqlite", anchor=clock.anchor, run_id=self.run_id), Ledger()
        )
        self.stack: Stack = stack_for(
            options,
            run_id=self.run_id,
            manifests=self.manifests,
            folder=self.folder,
            clock=clock,
            progress=progress,
            gate=False,
        )
        self.lifecycle = Lifecycle(progress)
        self.load: StageProcesses | None = None
        self.steps: list[StepResult] = []
        self.knees: list[Knee] = []
        self.leaks: tuple[str, ...] = ()
        self.timings: dict[str, float] = {}

    async def run(self) -> LoadReport:
        """Runs the plan, tears down whatever came of it, and reports."""
        await self.lifecycle.run(self._supervised())
        self.timings["tear_down"] = await self.lifecycle.take_down(self.clock, self._stop_load, self.stack.down)
        remove_run_folder(self.run_id)
        self.leaks = tuple(self.stack.leaks())
        return self._report()

    def interrupt(self) -> None:
        """Ends the flow at its next wait; tear down and report follow."""
        self.lifecycle.interrupt()

    async def flow(self) -> None:
        """The steps in order; each may raise, and tear down always follows."""
        state.sweep(lambda line: self.progress(f"left by a killed run: {line}"))
        self.progress("bringing the stack up")
        await self.stack.up()
        self._mark("stack_up")
        measuring = await self._admit()
        for step in self.plan.stages:
            await self._step(measuring, step, self.plan.pods)
        self._mark("stages")
        await self._knees(measuring)
        self._mark("knees")

    async def _admit(self) -> Measuring:
        self.progress(f"admitting {self.plan.accounts} accounts, {self.workers} worker(s) of Locust")
        endpoints = self.stack.endpoints()
        plan = WorkerPlan(
            run_id=self.run_id,
            seed=self.options.seed,
            accounts=self.plan.accounts,
            worker=0,
            workers=self.workers,
            master_port=any_free_port(),
            endpoints=endpoints,
            anchor=self.clock.anchor,
            spool="",
            request_timeout_s=self.plan.request_timeout_s,
        )
        self.load = StageProcesses(plan, run_folder(self.run_id), self.clock, logs=self.folder / "logs")
        await self.load.start()
        self.evidence.follow(self.load.spools)
        self._mark("admitted")
        limits = Limits(p95_ms=self.plan.p95_limit_ms, error_ratio=self.plan.error_limit)
        return Measuring(self.load, self.evidence, endpoints, self.clock, limits)

    async def _step(self, measuring: Measuring, step: Step, pods: int) -> StepResult:
        self.evidence.event(self.clock.now_ns(), "phase", "step", step.name, pods=pods)
        result = await measuring.step(step, pods)
        self.steps.append(result)
        figures = result.figures
        self.progress(
            f"{step.name}, {pods} pods: {figures.offered_per_s:.1f}/s offered, "
            f"{figures.answered_per_s:.1f}/s answered, {result.verdict}: {result.reason}"
        )
        await self.clock.sleep(SETTLE_S)
        return result

    async def _knees(self, measuring: Measuring) -> None:
        plan = self.plan.knee
        if plan.pods and self.knee_cpu_factor != 1:
            told = f"CPU requests and limits are multiplied by {self.knee_cpu_factor:.3f}"
            self.progress(f"for the knees {told}: the pods together get {plan.cpu_share * 100:g} % of the machine")
            await self.stack.apply(scaled(self.manifests, self.knee_cpu_factor, raw=True))
        for pods in plan.pods:
            await self._knee(measuring, pods)
        for pods in plan.pods[:1] if plan.photos_per_s else ():
            await self._knee(measuring, pods, photos_per_s=plan.photos_per_s)

    async def _knee(self, measuring: Measuring, pods: int, *, photos_per_s: float = 0.0) -> None:
        self.progress(f"scaling to {pods} pods")
        await self.stack.scale(pods)
        tried: list[Tried] = []
        while (rate := next_rate(self.plan.knee, tried)) is not None:
            step = Step(
                name=f"knee_{pods}_{'photos_' if photos_per_s else ''}{len(tried) + 1}",
                arrivals=Arrivals.POISSON,
                rate_per_s=rate,
                users=self.plan.accounts,
                seconds=self.plan.knee.step_s,
                photos_per_s=photos_per_s,
                photo_bytes=self.plan.knee.photo_bytes if photos_per_s else 0,
            )
            result = await self._step(measuring, step, pods)
            limited = bool(generator_words(result.figures))
            tried.append(Tried(rate_per_s=rate, verdict=result.verdict, generator_limited=limited))
        found = knee(self.plan.knee, pods, tried)
        beside = f"; beside {photos_per_s:g} photos/s" if photos_per_s else ""
        beside += "" if self.knee_cpu_factor == 1 else f"; CPU limits times {self.knee_cpu_factor:.3f}"
        self.knees.append(msgspec.structs.replace(found, photos_per_s=photos_per_s, reason=f"{found.reason}{beside}"))
        self.progress(f"knee of {pods} pods: {self.knees[-1].reason}")

    async def _supervised(self) -> None:
        """The flow, with the gathering of evidence and the watch over the stack beside it."""
        await with_beside(self.flow(), self._gather(), self._watch())

    async def _gather(self) -> None:
        while True:
            self.evidence.gather()
            await self.clock.sleep(GATHER_EVERY_S)

    async def _watch(self) -> None:
        async for row in self.stack.watch():
            self.evidence.add([row])

    async def _stop_load(self) -> None:
        if self.load is not None:
            await self.load.stop()
            self.evidence.gather()

    def _mark(self, name: str) -> None:
        self.timings[name] = (self.clock.now_ns() - self.started_ns) / NS

    def _report(self) -> LoadReport:
        self.lifecycle.write(
            self.evidence.store.close,
            lambda: write_report(self.folder, self._document(), claims.REGISTER, language(self.options.lang)),
            lambda: point_latest(self.options.reports, self.folder),
        )
        return self._document()

    def _document(self) -> LoadReport:
        options = self.options
        results = judged(
            self.plan,
            self.steps,
            self.knees,
            bundled=options.target.bundled,
            limits_enforced=Capability.CPU_LIMITS in self.stack.capabilities,
            cpu_factor=self.knee_cpu_factor,
            request_m=sum(each.request_cpu_m or 0 for each in self.manifests.deployment.template.containers),
        )
        outcomes = [error.exit for error in self.lifecycle.errors]
        wanted = {Verdict.PASS, Verdict.NOT_EXERCISED}
        if not outcomes and not all(result.verdict in wanted for result in results):
            outcomes.append(Exit.HOLD)
        if self.leaks:
            outcomes.append(Exit.LEAK)
        errata = {erratum.id for claim in self.plan.claims for erratum in claims.REGISTER[claim].errata}
        return LoadReport(
            schema_version=SCHEMA_VERSION,
            run_id=self.run_id,
            scenario=self.plan.name,
            title=self.plan.title,
            rung=options.rung,
            target=options.target.name,
            target_bundled=options.target.bundled,
            seed=options.seed,
            replay=self.replay,
            started_utc=utc(self.clock.anchor, self.started_ns),
            exit_status=more_severe(*outcomes),
            p95_limit_ms=self.plan.p95_limit_ms,
            error_limit=self.plan.error_limit,
            steps=tuple(self.steps),
            knees=tuple(self.knees),
            claims=results,
            timings={name: round(value, 3) for name, value in self.timings.items()},
            leaks=self.leaks,
            errors=tuple(str(error) for error in self.lifecycle.errors),
            capabilities=tuple(sorted(self.stack.capabilities)),
            errata=tuple(sorted(errata)),
            knee_cpu_factor=round(self.knee_cpu_factor, 4),
        )
