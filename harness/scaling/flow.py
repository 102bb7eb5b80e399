"""A run of the scaling rehearsal in one direction: stack up -> parts -> tear down -> report."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from harness.clock import NS, Clock, utc
from harness.collect import Collector
from harness.evidence.store import EvidenceStore
from harness.judge.ledger import Ledger
from harness.judge.scaling import course_of
from harness.lifecycle import Lifecycle, open_folder, run_identity, with_beside
from harness.load.stages.plan import WorkerPlan
from harness.load.stages.process import StageProcesses
from harness.manifests.change import without_autoscaler
from harness.manifests.cpu import cpu_factor, scaled
from harness.model.errors import BadInput, Exit, more_severe
from harness.model.evidence import SampleRow
from harness.model.manifests import Manifests
from harness.model.scaling import (
    SCHEMA_VERSION,
    AnyPart,
    AnyPlan,
    Part,
    PartKind,
    PartResult,
    ScalingFinding,
    ScalingReport,
)
from harness.model.stack import Rung
from harness.model.verdict import Verdict
from harness.options import RunOptions
from harness.progress import Progress
from harness.report.language import language
from harness.report.latest import point_latest
from harness.rungs import manifests_of, overlay, stack_for, sweep
from harness.scaling.compare import compare
from harness.scaling.parts import ACCOUNTS, Done, Evidence, Parts
from harness.scaling.report import Beside, write_report
from harness.scaling.timeline import timeline
from harness.stack.protocol import SecretsPlan, Stack
from harness.state.lease import remove_run_folder, run_folder
from harness.state.ports import any_free_port
from scenarios import claims

GATHER_EVERY_S = 0.5
_REQUEST_TIMEOUT_S = 10.0


class ScalingRun:
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
        self.compared = compared
        self.plan = plan
        self.options = options
        self.clock = clock
        self.progress = progress
        self.replay = replay
        self.started_ns = clock.now_ns()
        self.run_id = run_identity(clock, plan.name, options.seed)
        self.folder = open_folder(options.reports, self.run_id)
        self.found = found = manifests_of(options)
        pods = max(part.pods for part in plan.parts)
        self.cpu_factor = cpu_factor(found, os.cpu_count() or 1, pods)
        self.manifests = scaled(found, self.cpu_factor)
        self.plain = without_autoscaler(self.manifests, self.manifests.deployment.replicas)
        self.evidence = Collector(
            EvidenceStore(self.folder / "evidence.sqlite", anchor=clock.anchor, run_id=self.run_id), Ledger()
        )
        self.stack: Stack = self.make_stack(pods)
        self.lifecycle = Lifecycle(progress)
        self.load: StageProcesses | None = None
        self.samples: list[SampleRow] = []
        self.asked: list[tuple[int, str, float]] = []  # the autoscaler's metrics, where the rung tells them
        self.results: list[PartResult] = []
        self.leaks: tuple[str, ...] = ()
        self.timings: dict[str, float] = {}

    def make_stack(self, pods: int, secrets: SecretsPlan | None = None) -> Stack:
        """The stack that the parts are run on, not yet up; at most ``pods`` at once."""
        # A rung on a cluster scales the documents that it applies by the same rule, itself.
        found = scaled(self.found, self.cpu_factor) if self.options.rung is Rung.LOCAL else self.found
        return stack_for(
            self.options,
            run_id=self.run_id,
            manifests=without_autoscaler(found, self.plain.deployment.replicas),
            folder=self.folder,
            clock=self.clock,
            progress=self.progress,
            gate=False,
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

    async def run(self) -> ScalingReport:
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
        """The parts in order; each may raise, and tear down always follows."""
        await sweep(lambda line: self.progress(f"left by a killed run: {line}"))
        if all(self._lacking(part) for part in self.plan.parts):
            for part in self.plan.parts:
                self._not_exercised(part)
            return
        self.progress(f"CPU requests and limits are multiplied by {self.cpu_factor:.2f}")
        self.progress("bringing the stack up")
        await self.stack.up()
        self._mark("stack_up")
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
                start_ns=start_ns,
                end_ns=self.clock.now_ns(),
                course=course_of(self.evidence.events, done.load_ns or start_ns, start_ns, self.clock.now_ns()),
                load_s=(done.end_ns - done.load_ns) / NS,
            )
        )
        for each in self.results[-1].findings:
            self.progress(f"  {each.verdict}: {each.claim}: {each.reason}")
        self._mark(part.name)

    def _not_exercised(self, part: AnyPart) -> None:
        reason = f"the rung lacks {', '.join(self._lacking(part))}"
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
            self.progress(f"admitting {ACCOUNTS} accounts")
            plan = WorkerPlan(
                run_id=self.run_id,
                seed=self.options.seed,
                accounts=ACCOUNTS,
                worker=0,
                workers=1,
                master_port=any_free_port(),
                endpoints=self.stack.endpoints(),
                anchor=self.clock.anchor,
                spool="",
                request_timeout_s=_REQUEST_TIMEOUT_S,
            )
            self.load = StageProcesses(plan, run_folder(self.run_id), self.clock, logs=self.folder / "logs")
            await self.load.start()
            self.evidence.follow(self.load.spools)
        return self.load

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
            if isinstance(row, SampleRow):
                self.samples.append(row)
                if row.metric == "metric_replicas":
                    self.asked.append((row.at_ns, row.subject, row.value))

    async def _stop_load(self) -> None:
        if self.load is not None:
            await self.load.stop()
            self.evidence.gather()

    def _mark(self, name: str) -> None:
        self.timings[name] = (self.clock.now_ns() - self.started_ns) / NS

    def _report(self) -> ScalingReport:
        self.lifecycle.write(
            self.evidence.store.close,
            lambda: self.write(self.document()),
            lambda: point_latest(self.options.reports, self.folder),
        )
        return self.document()

    def document(self) -> ScalingReport:
        """What the report says."""
        options = self.options
        outcomes = [error.exit for error in self.lifecycle.errors]
        verdicts = {finding.verdict for result in self.results for finding in result.findings}
        if not outcomes and not verdicts <= {Verdict.PASS, Verdict.NOT_EXERCISED}:
            outcomes.append(Exit.HOLD)
        if self.leaks:
            outcomes.append(Exit.LEAK)
        return ScalingReport(
            schema_version=SCHEMA_VERSION,
            run_id=self.run_id,
            title=self.plan.title,
            rung=options.rung,
            target=options.target.name,
            target_bundled=options.target.bundled,
            seed=options.seed,
            replay=self.replay,
            started_utc=utc(self.clock.anchor, self.started_ns),
            exit_status=more_severe(*outcomes),
            cpu_factor=round(self.cpu_factor, 4),
            parts=tuple(self.results),
            timings={name: round(value, 3) for name, value in self.timings.items()},
            leaks=self.leaks,
            errors=tuple(str(error) for error in self.lifecycle.errors),
            capabilities=tuple(sorted(self.stack.capabilities)),
            errata=errata_of(self.results),
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


def errata_of(results: list[PartResult]) -> tuple[str, ...]:
    """The document's errata that the findings are about."""
    found = set()
    for result in results:
        for finding in result.findings:
            if finding.claim in claims.ERRATA:
                found.add(finding.claim)
            else:
                found |= {erratum.id for erratum in claims.REGISTER[finding.claim].errata}
    return tuple(sorted(found))
