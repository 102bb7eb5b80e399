"""A run of the deploy rehearsal: stack up -> images -> users and probes -> parts -> checks -> tear down -> report."""

from __future__ import annotations

from pathlib import Path

from harness.clock import Clock
from harness.judge.errata import errata_seen
from harness.manifests.change import without_autoscaler
from harness.model.errors import NotCapable
from harness.model.manifests import Manifests
from harness.model.scaling import ScalingFinding
from harness.model.verdict import Verdict
from harness.options import RunOptions
from harness.progress import Progress
from harness.rehearsals.chaos.closing import closing_checks
from harness.rehearsals.chaos.rolling import GRACEFUL
from harness.rehearsals.chaos.types import CheckSummary
from harness.rehearsals.deploy.parts import Parts
from harness.rehearsals.deploy.report import write_report
from harness.rehearsals.deploy.types import SCHEMA_VERSION, DeployPart, DeployPlan, DeployReport, PartResult
from harness.report.language import language
from harness.rungs import manifests_of
from harness.stack_run import UsersRun


class DeployRun(UsersRun[DeployReport]):
    """One run under way. ``run`` always returns a report, however it ended."""

    def __init__(self, plan: DeployPlan, options: RunOptions, clock: Clock, progress: Progress, *, replay: str) -> None:
        self.plan = plan
        super().__init__(plan.name, options, clock, progress, replay=replay)
        self.applied = self._folder(plan.parts[0])
        self.manifests = self._fixed(self.applied)
        self.stack = self.stack_of(self.manifests)
        self.results: list[PartResult] = []
        self.checks: list[CheckSummary] = []

    async def flow(self) -> None:
        """The steps in order; each may raise, and tear down always follows."""
        await self.sweep()
        self.progress(f"bringing the stack up with {self.applied.name}")
        await self.stack.up()
        images = await self._images()
        await self.load.set_flag(True)
        self.mark("stack_up")
        await self.load.admit()
        self.mark("admitted")
        parts = Parts(
            self.stack, self.evidence, self.clock, self.progress,
            load=self.load, scenario=self.options.scenario, plan=self.plan, deployment=self.manifests.deployment,
            images=images,
        )  # fmt: skip
        for part in self.plan.parts:
            if part.version.name not in images:
                self.results.append(_not_exercised(part, self.applied.name))
                continue
            await self._follow(part)
            self.results.append(await parts.run(part, self.applied.name))
            self.mark(part.name)
        await self.load.stop()
        self.checks += await closing_checks(
            self.stack.endpoints(), self.evidence, self.clock, self.progress,
            options=self.options, manifests=self.manifests, logs=self.folder / "logs", reconcile=None,
        )  # fmt: skip
        self.mark("checked")

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

    def write(self, report: DeployReport) -> None:
        """Writes the report's files."""
        write_report(self.folder, report, language(self.options.lang))

    def document(self) -> DeployReport:
        """What the report says."""
        findings = [finding for result in self.results for finding in result.findings]
        verdicts, checked = [each.verdict for each in findings], [each.verdict for each in self.checks]
        return DeployReport(
            **self.facts(SCHEMA_VERSION, verdicts, beside=checked, seen=errata_seen(findings)),
            title=self.plan.title,
            parts=tuple(self.results),
            checks=tuple(self.checks),
        )


def _not_exercised(part: DeployPart, manifests: str) -> PartResult:
    reason = "nothing can be put in front of this target"
    findings = tuple(
        ScalingFinding(claim=claim, verdict=Verdict.NOT_EXERCISED, value="", reason=reason) for claim in part.claims
    )
    return PartResult(name=part.name, title=part.title, manifests=manifests, version=part.version, findings=findings)
