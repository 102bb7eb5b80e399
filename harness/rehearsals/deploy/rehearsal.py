"""``deploy_rehearsal``: versions rolled out and undone under load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.base.ticks import NS
from harness.checks import whole_run
from harness.evidence.gathered import Gathered
from harness.model.expected import Expected
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.parts import listed
from harness.model.result import Part, RunInfo
from harness.model.section import Block, Blocks, Chart, Lines, Section, Timeline
from harness.model.stack import Capability
from harness.rehearsals.deploy.facts import PHRASES, facts, observed
from harness.rehearsals.deploy.flow import Deploys, manifests_for
from harness.rehearsals.deploy.types import DeployDetails, DeployPlan, Followed
from harness.report import course as charts
from harness.report.course import stretch
from harness.report.panels import by_version, first_seen
from harness.report.series import axis_of, measured_on
from harness.rules.fact import Fact
from harness.run.context import RunContext
from harness.run.cost import Cost, cost_between
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.protocol import StackNeeds

# What the page of a deploy shows besides its judgements: each part's course, what users met, the commands. Pure.


def sections(plan: DeployPlan, seen: RunRecord[DeployDetails]) -> Iterator[Section]:
    """Of each part its course, what users met, what was seen besides, and the commands with their output."""
    versions = {part.name: part.version.name for part in plan.parts}
    names = _names(seen, versions)
    for followed in seen.details.followed:
        if followed.end_ns:
            yield _course(followed, seen.evidence, names)
        if lines := tuple(observed(followed, seen.evidence.events)):
            yield Lines(title=message("Observed"), lines=lines, part=followed.name)
        if followed.ran:
            yield _commands(followed)


def _names(seen: RunRecord[DeployDetails], versions: Mapping[str, str]) -> dict[str, str]:
    """The version of each revision of the Deployment: the part's in which its first pod came."""
    return {
        revision: versions[part.name]
        for revision, at_ns in first_seen(seen.evidence.events).items()
        for part in seen.details.followed
        if part.begun_ns <= at_ns < part.end_ns
    }


def _course(followed: Followed, evidence: Gathered, names: Mapping[str, str]) -> Timeline:
    axis = axis_of(followed.begun_ns, followed.end_ns, followed.begun_ns)
    measured = measured_on(axis, evidence)
    pods = by_version(evidence.events, axis, names)
    shown: list[Chart] = [] if pods is None else [pods]
    shown += [charts.errors(measured)] if measured.sides else []
    shown += charts.probes(measured)
    return stretch(
        message("Course of the part"), axis, shown, evidence.events, {"deployment", "fault"}, part=followed.name
    )


def _commands(followed: Followed) -> Blocks:
    return Blocks(
        title=message("the commands and their output"),
        blocks=tuple(
            Block(
                caption=message("{command} ended in {status}", command=one.command, status=str(one.status)),
                text=one.output.strip(),
            )
            for one in followed.ran
        ),
        part=followed.name,
    )


class Deploy(Rehearsal[DeployPlan, DeployDetails]):
    """The rehearsal."""

    name = "deploy_rehearsal"
    plan, details = DeployPlan, DeployDetails
    phrases, ruled_by = PHRASES, ("checks", "deploy_rehearsal")

    def parts(self, plan: DeployPlan, seen: RunRecord[DeployDetails]) -> Sequence[Part]:
        """Those of the plan."""
        took_s = {each.name: (each.end_ns - each.begun_ns) / NS for each in seen.details.followed if each.end_ns}
        return listed(plan.parts, took_s)

    def expected(self, plan: DeployPlan, facts: RunInfo) -> Iterable[Expected]:
        """The claims of every part, and the checks of the whole run."""
        return (*super().expected(plan, facts), *whole_run.EXPECTED)

    def stack_spec(self, plan: DeployPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack with the manifests of the first part."""
        _ = manifests
        return StackNeeds(manifests=manifests_for(plan.parts[0], options))

    async def run(self, plan: DeployPlan, on: RunContext[DeployDetails]) -> None:
        """The parts in their order."""
        await Deploys(plan, on).run()

    def measured(self, plan: DeployPlan, seen: RunRecord[DeployDetails]) -> Iterable[Fact]:
        """Of every part that was followed, where it is known what was due."""
        details, races = seen.details, Capability.ENDPOINTS_BEFORE_SIGNALS not in seen.facts.capabilities
        if details.origin_ns is None:
            details = DeployDetails(versions=details.versions)
        return facts(plan, details, seen.evidence, seed=seen.facts.seed, races=races)

    def checks(self, plan: DeployPlan, seen: RunRecord[DeployDetails]) -> Iterable[Judgement]:
        """Those of every run under load."""
        _ = plan
        return whole_run.of_whole_run(seen.evidence.events)

    def sections(self, plan: DeployPlan, seen: RunRecord[DeployDetails]) -> Iterable[Section]:
        """Of each part its course, what users met, what was seen besides, and the commands with their output."""
        return sections(plan, seen)

    def costs(self, plan: DeployPlan, seen: RunRecord[DeployDetails]) -> Iterable[Cost]:
        """Of each part's deploy."""
        _ = plan
        for each in seen.details.followed:
            since_ns = each.since_ns
            yield cost_between(
                message("the deploy"), seen.evidence, since_ns, max(since_ns, each.end_ns), part=each.name
            )


REHEARSAL = Deploy()
