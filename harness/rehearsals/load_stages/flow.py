"""A run of the load stages in one direction: stack up -> accounts -> stages -> knees -> tear down -> report."""

from __future__ import annotations

import os

import msgspec

from harness.clock import Clock
from harness.judge.errata import errata_seen
from harness.manifests.change import without_autoscaler
from harness.manifests.cpu import limits_factor, scaled
from harness.model.message import Message, english, message
from harness.model.stack import Capability
from harness.model.step import Arrivals, Step
from harness.options import RunOptions
from harness.progress import Progress
from harness.rehearsals.load_stages.claims import judged
from harness.rehearsals.load_stages.judge_knee import Tried, knee, next_rate
from harness.rehearsals.load_stages.judge_steps import Limits, generator_words, limiter_words, photo_words, spread_words
from harness.rehearsals.load_stages.measure import Measuring
from harness.rehearsals.load_stages.report import write_report
from harness.rehearsals.load_stages.types import SCHEMA_VERSION, Knee, LoadReport, LoadStagesPlan, StepResult
from harness.report.language import language
from harness.rungs import manifests_of
from harness.stack_run import StageRun
from scenarios import claims

GATHER_EVERY_S = 0.5


class LoadStages(StageRun[LoadReport]):
    """One run under way. ``run`` always returns a report, however it ended."""

    def __init__(
        self, plan: LoadStagesPlan, options: RunOptions, clock: Clock, progress: Progress, *, workers: int, replay: str
    ) -> None:
        super().__init__(plan.name, options, clock, progress, replay=replay)
        self.plan = plan
        self.workers = workers
        self.written = manifests_of(options)
        self.manifests = without_autoscaler(self.written, plan.pods)
        share, most = plan.knee.cpu_share, max(plan.knee.pods, default=plan.pods)
        cores = (os.cpu_count() or 1) * share
        self.knee_cpu_factor = limits_factor(self.manifests, cores, most) if share else 1.0
        self.stack = self.stack_of(self.manifests)
        self.steps: list[StepResult] = []
        self.knees: list[Knee] = []

    async def flow(self) -> None:
        """The steps in order; each may raise, and tear down always follows."""
        await self.sweep()
        self.progress("bringing the stack up")
        await self.stack.up()
        self.mark("stack_up")
        measuring = await self._admit()
        for step in self.plan.stages:
            await self._step(measuring, step, self.plan.pods)
        self.mark("stages")
        await self._knees(measuring)
        self.mark("knees")

    async def _admit(self) -> Measuring:
        self.progress(f"signing in {self.plan.accounts} simulated users, {self.workers} worker(s) of Locust")
        load = await self.admit(self.plan.accounts, workers=self.workers, request_timeout_s=self.plan.request_timeout_s)
        self.mark("admitted")
        limits = Limits(p95_ms=self.plan.p95_limit_ms, error_ratio=self.plan.error_limit)
        return Measuring(load, self.evidence, self.stack.endpoints(), self.clock, limits)

    async def _step(self, measuring: Measuring, step: Step, pods: int) -> StepResult:
        self.evidence.event(self.clock.now_ns(), "phase", "step", step.name, pods=pods)
        result = await measuring.step(step, pods)
        self.steps.append(result)
        figures = result.figures
        self.progress(
            f"{step.name}, {pods} pods: {figures.offered_per_s:.1f}/s offered, "
            f"{figures.answered_per_s:.1f}/s answered, {result.verdict}: {result.reason}"
        )
        await measuring.settle()
        return result

    async def _knees(self, measuring: Measuring) -> None:
        plan = self.plan.knee
        if plan.pods and self.knee_cpu_factor != 1:
            told = f"CPU requests and limits are multiplied by {self.knee_cpu_factor:.3f}"
            self.progress(f"for the knees {told}: the pods together get {plan.cpu_share * 100:g} % of the machine")
            await self.stack.apply(scaled(self.manifests, self.knee_cpu_factor / self.stack.cpu_factor, raw=True))
        for pods in plan.pods:
            await self._knee(measuring, pods)
        for pods in plan.pods[:1] if plan.photos_per_s else ():
            await self._knee(measuring, pods, photos_per_s=plan.photos_per_s)

    async def _knee(self, measuring: Measuring, pods: int, *, photos_per_s: float = 0.0) -> None:
        self.progress(f"scaling to {pods} pods")
        await self.stack.scale(pods)
        await self._warm_up(measuring, pods)
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
            tried.append(_tried(result, pods))
        found = knee(self.plan.knee, pods, tried)
        told = (*found.told, *self._conditions(photos_per_s))
        self.knees.append(msgspec.structs.replace(found, photos_per_s=photos_per_s, told=told, reason=english(told)))
        self.progress(f"knee of {pods} pods: {self.knees[-1].reason}")

    async def _warm_up(self, measuring: Measuring, pods: int) -> None:
        seconds, users = self.plan.knee.warm_up_s, self.plan.accounts
        step = Step(
            name=f"warm_up_{pods}",
            arrivals=Arrivals.EVEN,
            rate_per_s=users / seconds,
            users=users,
            seconds=seconds,
            reopen=True,
        )
        self.evidence.event(self.clock.now_ns(), "phase", "step", step.name, pods=pods)
        await measuring.unjudged(step)
        await measuring.settle()

    def _conditions(self, photos_per_s: float) -> list[Message]:
        """What a knee was found under, beside the rate."""
        factor = f"{self.knee_cpu_factor:.3f}"
        scaled_by = [message("CPU limits were multiplied by {factor}", factor=factor)]
        return [
            *([message("while {rate} photos/s are uploaded", rate=f"{photos_per_s:g}")] if photos_per_s else []),
            *([] if self.knee_cpu_factor == 1 else scaled_by),
        ]

    def write(self, report: LoadReport) -> None:
        """Writes the report's files."""
        write_report(self.folder, report, claims.REGISTER, language(self.options.lang))

    def document(self) -> LoadReport:
        """What the report says."""
        results = judged(
            self.plan,
            self.steps,
            self.knees,
            manifests=self.written,
            bundled=self.options.target.bundled,
            limits_enforced=Capability.CPU_LIMITS in self.stack.capabilities,
            cpu_factor=self.knee_cpu_factor,
        )
        seen = errata_seen(results)
        return LoadReport(
            **self.facts(SCHEMA_VERSION, [result.verdict for result in results], seen=seen),
            scenario=self.plan.name,
            title=self.plan.title,
            p95_limit_ms=self.plan.p95_limit_ms,
            error_limit=self.plan.error_limit,
            steps=tuple(self.steps),
            knees=tuple(self.knees),
            claims=results,
            errata=tuple(each.id for each in seen),
            knee_cpu_factor=round(self.knee_cpu_factor, 4),
        )


def _tried(result: StepResult, pods: int) -> Tried:
    return Tried(
        rate_per_s=result.step.rate_per_s,
        verdict=result.verdict,
        generator_limited=bool(generator_words(result.figures)),
        unspread=bool(spread_words(result.figures, pods)),
        rate_limited=bool(limiter_words(result.figures)),
        without_photos=bool(photo_words(result.figures)),
    )
