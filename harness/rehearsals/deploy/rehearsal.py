"""``deploy_rehearsal``: versions rolled out and undone under load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.checks import whole_run
from harness.judge.difference import Ratio
from harness.judge.window import NS
from harness.model.expected import Expected
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.parts import listed
from harness.model.result import Facts, Part
from harness.model.section import Section
from harness.model.stack import Capability
from harness.rehearsal.cost import Cost, cost_between
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Figure, Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.deploy.facts import PHRASES, facts
from harness.rehearsals.deploy.flow import Deploys, manifests_for
from harness.rehearsals.deploy.sections import met, sections
from harness.rehearsals.deploy.tallies import Tally
from harness.rehearsals.deploy.types import DeployDetails, DeployPlan
from harness.rules.fact import Fact
from harness.stack.protocol import StackNeeds


class Deploy(Rehearsal[DeployPlan, DeployDetails]):
    """The rehearsal."""

    name = "deploy_rehearsal"
    plan, details = DeployPlan, DeployDetails
    phrases = PHRASES

    def parts(self, plan: DeployPlan, seen: Seen[DeployDetails]) -> Sequence[Part]:
        """Those of the plan."""
        took_s = {each.name: (each.end_ns - each.begun_ns) / NS for each in seen.details.followed if each.end_ns}
        return listed(plan.parts, took_s)

    def expected(self, plan: DeployPlan, facts: Facts) -> Iterable[Expected]:
        """The claims of every part, and the checks of the whole run."""
        return (*super().expected(plan, facts), *whole_run.EXPECTED)

    def arrange(self, plan: DeployPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack with the manifests of the first part."""
        _ = manifests
        return StackNeeds(manifests=manifests_for(plan.parts[0], options))

    async def run(self, plan: DeployPlan, on: Running[DeployDetails]) -> None:
        """The parts in their order."""
        await Deploys(plan, on).run()

    def measured(self, plan: DeployPlan, seen: Seen[DeployDetails]) -> Iterable[Fact]:
        """Of every part that was followed, where it is known what was due."""
        details, races = seen.details, Capability.ENDPOINTS_BEFORE_SIGNALS not in seen.facts.capabilities
        if details.origin_ns is None:
            details = DeployDetails(versions=details.versions)
        return facts(plan, details, seen.evidence, seed=seen.facts.seed, races=races)

    def judge(self, plan: DeployPlan, seen: Seen[DeployDetails]) -> Iterable[Judgement]:
        """By the rules, then the checks of the whole run."""
        yield from super().judge(plan, seen)
        yield from whole_run.of_whole_run(seen.evidence.events)

    def sections(self, plan: DeployPlan, seen: Seen[DeployDetails]) -> Iterable[Section]:
        """Of each part its course, what users met, what was seen besides, and the commands with their output."""
        return sections(plan, seen)

    def costs(self, plan: DeployPlan, seen: Seen[DeployDetails]) -> Iterable[Cost]:
        """Of each part's deploy."""
        _ = plan
        for each in seen.details.followed:
            since_ns = each.since_ns
            yield cost_between(
                message("the deploy"), seen.evidence, since_ns, max(since_ns, each.end_ns), part=each.name
            )

    def figures(self, plan: DeployPlan, seen: Seen[DeployDetails]) -> Iterable[Figure]:
        """The share of requests and probes that failed in each part."""
        followed = {each.name: each for each in seen.details.followed}
        for part in plan.parts:
            found = met(plan, followed[part.name], seen) if part.name in followed else Tally(calls=0, failed=0)
            yield Figure(f"{part.name}: failed", "ratio", "worse", Ratio(found.failed, found.calls), gates=True)


REHEARSAL = Deploy()
