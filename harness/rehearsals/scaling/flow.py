"""A run of the scaling rehearsal in one direction: stack up -> parts -> tear down -> report."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from harness.clock import NS, Clock
from harness.judge.errata import errata_seen
from harness.load.stages.process import StageProcesses
from harness.manifests.change import without_autoscaler
from harness.manifests.cpu import cpu_factor, scaled
from harness.model.errors import BadInput
from harness.model.evidence import EventRow, SampleRow
from harness.model.manifests import Manifests
from harness.model.stack import Rung
from harness.model.verdict import Verdict
from harness.options import RunOptions
from harness.progress import Progress
from harness.rehearsals.scaling.compare import compare
from harness.rehearsals.scaling.judge_parts import course_of
from harness.rehearsals.scaling.parts import ACCOUNTS, Done, Evidence, Parts
from harness.rehearsals.scaling.report import Beside, write_report
from harness.rehearsals.scaling.timeline import timeline
from harness.rehearsals.scaling.types import (
    SCHEMA_VERSION,
    AnyPart,
    AnyPlan,
    Part,
    PartKind,
    PartResult,
    ScalingFinding,
    ScalingReport,
)
from harness.report.language import language
from harness.report.words import lacking_words
from harness.rungs import manifests_of, overlay
from harness.stack.protocol import SecretsPlan, Stack
from harness.stack_run import StageRun
from scenarios import claims

GATHER_EVERY_S = 0.5
_REQUEST_TIMEOUT_S = 10.0


class ScalingRun(StageRun[ScalingReport]):
    """One run under way. ``run`` always returns a report, however it ended."""

    def __init__(
        self,
        plan: AnyPlan,
        options: RunOptions,
        clock: Clock,
        progress: Progress,
        *,
        replay: str,
        compared: ScalingReport | None = None,
    ) -> None:
        super().__init__(plan.name, options, clock, progress, replay=replay)
        self.compared = compared
        self.plan = plan
        self.found = found = manifests_of(options)
        pods = max(part.pods for part in plan.parts)
        self.cpu_factor = cpu_factor(found, os.cpu_count() or 1, pods)
        self.manifests = scaled(found, self.cpu_factor)
        self.plain = without_autoscaler(self.manifests, self.manifests.deployment.replicas)
        self.stack = self.make_stack(pods)
        self.samples: list[SampleRow] = []
        self.asked: list[tuple[int, str, float]] = []  # the autoscaler's metrics, where the rung tells them
        self.results: list[PartResult] = []

    def make_stack(self, pods: int, secrets: SecretsPlan | None = None) -> Stack:
        """The stack that the parts are run on, not yet up; at most ``pods`` at once."""
        # A rung on a cluster scales the documents that it applies by the same rule, itself.
        found = scaled(self.found, self.cpu_factor) if self.options.rung is Rung.LOCAL else self.found
        return self.stack_of(
            without_autoscaler(found, self.plain.deployment.replicas),
            peak_pods=pods,
            secrets=secrets,
            # A zone is lost by freezing its nodes: nobody else may be on them.
            use_kept=not any(isinstance(part, Part) and part.kind is PartKind.ZONE for part in self.plan.parts),
        )

    def runner(self) -> Callable[[Any], Awaitable[Done]]:
        """What runs a part of the plan on the stack, which is up."""
        evidence = Evidence(
            events=self.evidence.events, samples=self.samples, requests=self.evidence.requests, asked=self.asked
        )
        return Parts(
            self.stack,
            evidence,
            manifests=self.manifests,
            plain=self.plain,
            with_component=self._with_component,
            clock=self.clock,
            progress=self.progress,
            admit=self.admitted,
            document=str(overlay(self.options.rung).parents[1] / "document"),
            folder=str(self.folder),
        ).run

    def write(self, report: ScalingReport) -> None:
        """Writes the report's files."""
        write_report(self.folder, report, claims.REGISTER, language(self.options.lang), self._beside())

    async def flow(self) -> None:
        """The parts in order; each may raise, and tear down always follows."""
        await self.sweep()
        if all(self._lacking(part) for part in self.plan.parts):
            for part in self.plan.parts:
                self._not_exercised(part)
            return
        self.progress(f"CPU requests and limits are multiplied by {self.cpu_factor:.2f}")
        self.progress("bringing the stack up")
        await self.stack.up()
        self.mark("stack_up")
        run_part = self.runner()
        for part in self.plan.parts:
            await self._part(run_part, part)

    def _lacking(self, part: AnyPart) -> list[str]:
        return sorted(set(part.needs) - {str(each) for each in self.stack.capabilities})

    async def _part(self, run_part: Callable[[Any], Awaitable[Done]], part: AnyPart) -> None:
        if self._lacking(part):
            self._not_exercised(part)
            return
        start_ns = self.clock.now_ns()
        self.evidence.event(start_ns, "phase", "part", part.title, name=part.name)
        self.progress(f"{part.name}: {part.title}")
        done = await run_part(part)
        self.results.append(
            PartResult(
                name=part.name,
                title=part.title,
                findings=tuple(each for each in done.findings if each.claim in part.claims),
                observed=tuple(done.observed),
                errata=tuple(done.errata),
                start_ns=start_ns,
                end_ns=self.clock.now_ns(),
                course=course_of(self.evidence.events, done.load_ns or start_ns, start_ns, self.clock.now_ns()),
                load_s=(done.end_ns - done.load_ns) / NS,
            )
        )
        for each in self.results[-1].findings:
            self.progress(f"  {each.verdict}: {each.claim}: {each.reason}")
        self.mark(part.name)

    def _not_exercised(self, part: AnyPart) -> None:
        reason = str(lacking_words(self._lacking(part)))
        findings = tuple(
            ScalingFinding(claim=claim, verdict=Verdict.NOT_EXERCISED, value="", reason=reason) for claim in part.claims
        )
        self.results.append(PartResult(name=part.name, title=part.title, findings=findings))
        self.progress(f"{part.name}: not exercised: {reason}")

    def _with_component(self, name: str) -> Manifests:
        """The overlay beside the rung's own, without the autoscaler. Raises ``BadInput``."""
        folder = self.options.manifests
        found = manifests_of(self.options, folder.with_name(f"{folder.name}-{name}") if name else None)
        return without_autoscaler(scaled(found, self.cpu_factor), self.plain.deployment.replicas)

    async def admitted(self) -> StageProcesses:
        """The load, started once."""
        if self.load is None:
            self.progress(f"signing in {ACCOUNTS} simulated users")
            return await self.admit(ACCOUNTS, request_timeout_s=_REQUEST_TIMEOUT_S)
        return self.load

    def saw(self, row: EventRow | SampleRow) -> None:
        """Keeps the samples, which the parts judge."""
        if isinstance(row, SampleRow):
            self.samples.append(row)
            if row.metric == "metric_replicas":
                self.asked.append((row.at_ns, row.subject, row.value))

    def document(self) -> ScalingReport:
        """What the report says."""
        findings = [finding for result in self.results for finding in result.findings]
        seen = errata_seen(findings, (each for result in self.results for each in result.errata))
        return ScalingReport(
            **self.facts(SCHEMA_VERSION, [each.verdict for each in findings], seen=seen),
            title=self.plan.title,
            cpu_factor=round(self.cpu_factor, 4),
            parts=tuple(self.results),
            errata=tuple(each.id for each in seen),
            timeline=timeline(self.evidence.events, self.started_ns),
        )

    def _beside(self) -> Beside | None:
        """The run that this one is compared with; a part less in common is told, and no reason to lose the report."""
        if self.compared is None:
            return None
        try:
            return Beside(report=self.compared, comparison=compare(self.compared, self.document()))
        except BadInput as error:
            self.progress(f"not compared: {error.what}")
            return None
