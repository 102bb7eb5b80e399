"""Scaling: by hand, by the autoscaler, under the budget, by the document's commands; and the loss of a zone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from harness.evidence.gathered import Gathered
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.parts import ended
from harness.model.section import Section
from harness.rehearsal.cost import Cost, cost_by_requests
from harness.rehearsal.options import Options
from harness.rehearsal.parts import InParts
from harness.rehearsal.rehearsal import Figure, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.scaling import sections
from harness.rehearsals.scaling.acts import Acts
from harness.rehearsals.scaling.facts import PHRASES, Rows, facts
from harness.rehearsals.scaling.figures import reached
from harness.rehearsals.scaling.judge_errata import errata
from harness.rehearsals.scaling.types import (
    Commanded,
    Drained,
    Part,
    PartKind,
    ScalingDetails,
    ScalingPlan,
    ZoneLost,
    controlled,
)
from harness.report.panels import Course
from harness.rules.fact import Fact
from harness.stack.manifests.change import without_autoscaler
from harness.stack.manifests.cpu import scaled
from harness.stack.protocol import StackNeeds


class Scaling(InParts[ScalingPlan, ScalingDetails]):
    """The rehearsal: each part of the plan in turn, on one stack."""

    name = "scaling"
    plan, details = ScalingPlan, ScalingDetails
    phrases = PHRASES

    def arrange(self, plan: ScalingPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A zone is lost by freezing its nodes: nobody else may be on them."""
        use_kept = not any(part.kind is PartKind.ZONE for part in plan.parts)
        return replace(super().arrange(plan, options, manifests), use_kept=use_kept)

    def acts(self, plan: ScalingPlan, on: Running[ScalingDetails]) -> Acts:
        """With the autoscaler and, first, without it at the number of pods that the manifests name."""
        _ = plan
        manifests = scaled(on.manifests, on.details.cpu_factor)
        on.details.controlled = controlled(manifests)
        return Acts(on, manifests, without_autoscaler(manifests, manifests.deployment.replicas))

    def loads(self, part: Part) -> bool:
        """With requests, not by memory that pods hold."""
        return bool(part.rate_per_s or part.in_flight)

    def measured(self, plan: ScalingPlan, seen: Seen[ScalingDetails]) -> Iterable[Fact]:
        """Of every part that was carried through."""
        return facts(plan, seen.details, _rows(seen.facts.capabilities, seen.evidence))

    def of_parts(self, plan: ScalingPlan, seen: Seen[ScalingDetails]) -> Iterable[Judgement]:
        """By the rules, and the errata that the commands showed beside them."""
        yield from self.by_rules(plan, seen)
        for part, _, end_ns in ended(plan.parts, seen.details.runs):
            if isinstance(did := seen.details.did.get(part.name), Commanded):
                yield from errata(part, did, [row for row in seen.evidence.events if row.at_ns <= end_ns])

    def sections(self, plan: ScalingPlan, seen: Seen[ScalingDetails]) -> Iterable[Section]:
        """Pods over time, what was observed, and the moments."""
        return sections.sections(plan, seen, _rows(seen.facts.capabilities, seen.evidence))

    def costs(self, plan: ScalingPlan, seen: Seen[ScalingDetails]) -> Iterable[Cost]:
        """Of each drain and of each loss of a zone, by the requests that were made the while."""
        for part, _, _ in ended(plan.parts, seen.details.runs):
            match seen.details.did.get(part.name):
                case Drained(since_ns=since_ns, until_ns=until_ns):
                    yield cost_by_requests(message("the drain"), seen.evidence, since_ns, until_ns, part.name)
                case ZoneLost(zone=zone, lost_ns=lost_ns, end_ns=end_ns):
                    title = message("the loss of the zone {zone}", zone=zone)
                    yield cost_by_requests(title, seen.evidence, lost_ns, end_ns, part.name)

    def figures(self, plan: ScalingPlan, seen: Seen[ScalingDetails]) -> Iterable[Figure]:
        """When each number of pods was reached; without a value in a part that was not carried through."""
        rows, details = _rows(seen.facts.capabilities, seen.evidence), seen.details
        done = {part.name: (start, end) for part, start, end in ended(plan.parts, details.runs)}
        for part in plan.parts:
            found = sections.course(part, details, rows, *done[part.name]) if part.name in done else Course()
            yield from reached(part, found)


def _rows(capabilities: Collection[str], evidence: Gathered) -> Rows:
    return Rows(capabilities, evidence.events, evidence.samples, evidence.requests)


REHEARSAL = Scaling()
