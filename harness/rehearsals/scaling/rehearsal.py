"""Scaling: by hand, by the autoscaler, under the budget, by the document's commands; and the loss of a zone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from harness.evidence.gathered import Gathered
from harness.model.expected import Expected
from harness.model.judgement import Kind
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.parts import ended
from harness.model.result import RunInfo
from harness.model.section import Section
from harness.rehearsals.scaling import sections
from harness.rehearsals.scaling.acts import ScalingActs
from harness.rehearsals.scaling.facts import PHRASES, ScalingEvidence, facts
from harness.rehearsals.scaling.types import (
    Drained,
    ScalingDetails,
    ScalingPart,
    ScalingPartKind,
    ScalingPlan,
    ZoneLost,
    controlled,
)
from harness.rules.fact import Fact
from harness.run.context import RunContext
from harness.run.cost import Cost, cost_by_requests
from harness.run.options import Options
from harness.run.parts import InParts
from harness.run.rehearsal import RunRecord
from harness.stack.manifests.change import without_autoscaler
from harness.stack.manifests.quantity import scaled
from harness.stack.protocol import StackNeeds

#: What the claim on the autoscaler's time has looked at beside it.
COLD_START, HPA_UP = "cold_start", "scaling.time.hpa_up"


class Scaling(InParts[ScalingPlan, ScalingDetails]):
    """The rehearsal: each part of the plan in turn, on one stack."""

    name = "scaling"
    plan, details = ScalingPlan, ScalingDetails
    phrases, ruled_by = PHRASES, ("checks", "scaling")

    def stack_spec(self, plan: ScalingPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A zone is lost by freezing its nodes: nobody else may be on them."""
        use_kept = not any(part.kind is ScalingPartKind.ZONE for part in plan.parts)
        return replace(super().stack_spec(plan, options, manifests), use_kept=use_kept)

    def expected(self, plan: ScalingPlan, facts: RunInfo) -> Iterator[Expected]:
        """And how long a pod's own start took of the autoscaler's time, and the errata that the document's commands may
        show."""
        yield from super().expected(plan, facts)
        yield from (Expected(each.name, COLD_START, HPA_UP) for each in plan.parts if HPA_UP in each.claims)
        errata = [id_ for id_, rule in self.rules.items() if rule.kind is Kind.OBSERVATION]
        commanded = (part.name for part in plan.parts if part.kind is ScalingPartKind.COMMANDS)
        yield from (Expected(part, id_, kind=Kind.OBSERVATION) for part in commanded for id_ in errata)

    def acts(self, plan: ScalingPlan, on: RunContext[ScalingDetails]) -> ScalingActs:
        """With the autoscaler and, first, without it at the number of pods that the manifests name."""
        _ = plan
        manifests = scaled(on.manifests, on.details.cpu_factor)
        on.details.controlled = controlled(manifests)
        return ScalingActs(on, manifests, without_autoscaler(manifests, manifests.deployment.replicas))

    def loads(self, part: ScalingPart) -> bool:
        """With requests, not by memory that pods hold."""
        return bool(part.rate_per_s or part.in_flight)

    def measured(self, plan: ScalingPlan, seen: RunRecord[ScalingDetails]) -> Iterable[Fact]:
        """Of every part that was carried through."""
        return facts(plan, seen.details, _rows(seen.facts.capabilities, seen.evidence))

    def sections(self, plan: ScalingPlan, seen: RunRecord[ScalingDetails]) -> Iterable[Section]:
        """Pods over time, and the moments."""
        return sections.sections(plan, seen, _rows(seen.facts.capabilities, seen.evidence))

    def costs(self, plan: ScalingPlan, seen: RunRecord[ScalingDetails]) -> Iterable[Cost]:
        """Of each drain and of each loss of a zone, by the requests that were made the while."""
        for part, _, _ in ended(plan.parts, seen.details.runs):
            match seen.details.did.get(part.name):
                case Drained(since_ns=since_ns, until_ns=until_ns):
                    yield cost_by_requests(message("the drain"), seen.evidence, since_ns, until_ns, part.name)
                case ZoneLost(zone=zone, lost_ns=lost_ns, end_ns=end_ns):
                    title = message("the loss of the zone {zone}", zone=zone)
                    yield cost_by_requests(title, seen.evidence, lost_ns, end_ns, part.name)


def _rows(capabilities: Collection[str], evidence: Gathered) -> ScalingEvidence:
    return ScalingEvidence(capabilities, evidence.events, evidence.samples, evidence.requests)


REHEARSAL = Scaling()
