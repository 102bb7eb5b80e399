"""A run of the deploy rehearsal: stack up -> images -> users and probes -> parts -> checks -> tear down -> report."""

from __future__ import annotations

from pathlib import Path

from harness.chaos.closing import closing_checks
from harness.chaos.rolling import GRACEFUL
from harness.clock import NS, Clock, utc
from harness.collect import Collector
from harness.deploys.parts import Parts
from harness.deploys.report import write_report
from harness.evidence.store import EvidenceStore
from harness.judge.ledger import Ledger
from harness.lifecycle import Lifecycle, open_folder, run_identity, with_beside
from harness.manifests.change import without_autoscaler
from harness.model.chaos import CheckSummary
from harness.model.deploy import SCHEMA_VERSION, DeployPart, DeployPlan, DeployReport, PartResult
from harness.model.errors import Exit, NotCapable, more_severe
from harness.model.manifests import Manifests
from harness.model.scaling import ScalingFinding
from harness.model.verdict import Verdict
from harness.options import RunOptions
from harness.progress import Progress
from harness.report.language import language
from harness.report.latest import point_latest
from harness.rungs import manifests_of, stack_for, sweep
from harness.stack.protocol import Stack
from harness.state.lease import remove_run_folder
from harness.under_load import UnderLoad


class DeployRun:
    """One run under way. ``run`` always returns a report, however it ended."""

    def __init__(self, plan: DeployPlan, options: RunOptions, clock: Clock, progress: Progress, *, replay: str) -> None:
        self.plan = plan
        self.options = options
        self.clock = clock
        self.progress = progress
        self.replay = replay
        self.started_ns = clock.now_ns()
        self.run_id = run_identity(clock, plan.name, options.seed)
        self.folder = open_folder(options.reports, self.run_id)
        self.applied = self._folder(plan.parts[0])
        self.manifests = self._fixed(self.applied)
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
        self.load = UnderLoad(
            self.stack, self.evidence, clock, progress, options=options, run_id=self.run_id, logs=self.folder / "logs"
        )
        self.lifecycle = Lifecycle(progress)
        self.results: list[PartResult] = []
        self.checks: list[CheckSummary] = []
        self.leaks: tuple[str, ...] = ()
        self.timings: dict[str, float] = {}

    async def run(self) -> DeployReport:
        """Runs the parts, tears down whatever came of them, and reports."""
        await self.lifecycle.run(with_beside(self.flow(), self.load.gather(), self.load.watch()))
        self.timings["tear_down"] = await self.lifecycle.take_down(self.clock, self.load.stop, self.stack.down)
        remove_run_folder(self.run_id)
        self.leaks = tuple(self.stack.leaks())
        return self._report()

    def interrupt(self) -> None:
        """Ends the flow at its next wait; tear down and report follow."""
        self.lifecycle.interrupt()

    async def flow(self) -> None:
        """The steps in order; each may raise, and tear down always follows."""
        await sweep(lambda line: self.progress(f"left by a killed run: {line}"))
        self.progress(f"bringing the stack up with {self.applied.name}")
        await self.stack.up()
        images = await self._images()
        await self.load.set_flag(True)
        self._mark("stack_up")
        await self.load.admit()
        self._mark("admitted")
        parts = Parts(
            self.stack, self.evidence, self.clock, self.progress,
            scenario=self.options.scenario, plan=self.plan, deployment=self.manifests.deployment, images=images,
        )  # fmt: skip
        for part in self.plan.parts:
            if part.version.name not in images:
                self.results.append(_not_exercised(part, self.applied.name))
                continue
            await self._follow(part)
            self.results.append(await parts.run(part, self.applied.name))
            self._mark(part.name)
        await self.load.stop()
        self.checks += await closing_checks(
            self.stack.endpoints(), self.evidence, self.clock, self.progress,
            options=self.options, manifests=self.manifests, reconcile=None,
        )  # fmt: skip
        self._mark("checked")

    async def _images(self) -> dict[str, str]:
        """By version, before the load begins: building takes the CPU that users need. Without what cannot be made."""
        self.progress("making the images of the versions")
        versions = [part.version for part in self.plan.parts]
        try:
            images = await self.stack.build(*versions)
        except NotCapable as error:
            self.progress(f"  {error.what}")
            versions = [version for version in versions if not version.wrapped]
            images = await self.stack.build(*versions)
        return {version.name: image for version, image in zip(versions, images, strict=True)}

    async def _follow(self, part: DeployPart) -> None:
        wanted = self._folder(part)
        if wanted != self.applied:
            self.progress(f"applying {wanted.name}")
            self.applied, self.manifests = wanted, self._fixed(wanted)
            await self.stack.apply(self.manifests)

    def _folder(self, part: DeployPart) -> Path:
        """The overlay with the component ``graceful`` stands beside the plain one; a user's own folder stands alone."""
        folder = self.options.manifests
        graceful = folder.with_name(folder.name + GRACEFUL)
        return graceful if part.graceful and graceful.is_dir() else folder

    def _fixed(self, folder: Path) -> Manifests:
        """Without the autoscaler: what changes the number of pods is the deploy alone."""
        found = manifests_of(self.options, folder)
        return without_autoscaler(found, found.deployment.replicas)

    def _mark(self, name: str) -> None:
        self.timings[name] = (self.clock.now_ns() - self.started_ns) / NS

    def _report(self) -> DeployReport:
        self.lifecycle.write(
            self.evidence.store.close,
            lambda: write_report(self.folder, self._document(), language(self.options.lang)),
            lambda: point_latest(self.options.reports, self.folder),
        )
        return self._document()

    def _document(self) -> DeployReport:
        options = self.options
        outcomes = [error.exit for error in self.lifecycle.errors]
        verdicts = {finding.verdict for result in self.results for finding in result.findings}
        verdicts |= {check.verdict for check in self.checks}
        if not outcomes and not verdicts <= {Verdict.PASS, Verdict.NOT_EXERCISED}:
            outcomes.append(Exit.HOLD)
        if self.leaks:
            outcomes.append(Exit.LEAK)
        return DeployReport(
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
            parts=tuple(self.results),
            checks=tuple(self.checks),
            timings={name: round(value, 3) for name, value in self.timings.items()},
            leaks=self.leaks,
            errors=tuple(str(error) for error in self.lifecycle.errors),
            capabilities=tuple(sorted(self.stack.capabilities)),
        )


def _not_exercised(part: DeployPart, manifests: str) -> PartResult:
    reason = "nothing can be put in front of this target"
    findings = tuple(
        ScalingFinding(claim=claim, verdict=Verdict.NOT_EXERCISED, value="", reason=reason) for claim in part.claims
    )
    return PartResult(name=part.name, title=part.title, manifests=manifests, version=part.version, findings=findings)
