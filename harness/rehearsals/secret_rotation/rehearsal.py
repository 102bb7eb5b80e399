"""The Secret Manager CSI pattern: the volume as written, the pods as corrected, a password rotated under load."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.parts import ended
from harness.model.section import Section
from harness.rehearsals.secret_rotation import acts, sections
from harness.rehearsals.secret_rotation.acts import RotationActs
from harness.rehearsals.secret_rotation.facts import PHRASES, facts
from harness.rehearsals.secret_rotation.types import (
    Rotated,
    RotationCourse,
    RotationDetails,
    RotationPart,
    RotationPartKind,
    RotationPlan,
)
from harness.rules.fact import Fact
from harness.run.context import RunContext
from harness.run.cost import Cost, cost_by_requests
from harness.run.options import Options
from harness.run.parts import InParts
from harness.run.rehearsal import RunRecord
from harness.stack.protocol import SecretsPlan, StackNeeds


class SecretRotation(InParts[RotationPlan, RotationDetails]):
    """The rehearsal: each part of the plan in turn, on one stack with a secret store."""

    name = "secret_rotation"
    plan, details = RotationPlan, RotationDetails
    phrases, ruled_by = PHRASES, ("checks", "secret_rotation")

    def stack_spec(self, plan: RotationPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """With a secret store where the environment has one."""
        secrets = SecretsPlan(poll_s=plan.poll_s, first=acts.first)
        return replace(super().stack_spec(plan, options, manifests), secrets=secrets)

    def acts(self, plan: RotationPlan, on: RunContext[RotationDetails]) -> RotationActs:
        """With as many pods as the manifests name."""
        _ = plan
        return RotationActs(on, on.manifests.deployment.replicas)

    def loads(self, part: RotationPart) -> bool:
        """While a password is rotated."""
        return part.kind in (RotationPartKind.NAIVE, RotationPartKind.TWO_ROLES)

    def measured(self, plan: RotationPlan, seen: RunRecord[RotationDetails]) -> Iterable[Fact]:
        """From details and rows."""
        return facts(plan, seen.details, seen.evidence.ledger)

    def sections(self, plan: RotationPlan, seen: RunRecord[RotationDetails]) -> Iterable[Section]:
        """The phases of each rotation, and what was observed."""
        evidence, start_ns = seen.evidence, seen.facts.anchor.monotonic_ns
        return sections.sections(plan, seen.details, evidence.events, start_ns)

    def costs(self, plan: RotationPlan, seen: RunRecord[RotationDetails]) -> Iterable[Cost]:
        """Of each rotation, from its first step to the end of its load."""
        for part, _, _ in ended(plan.parts, seen.details.runs):
            match seen.details.did.get(part.name):
                case Rotated(course=RotationCourse(begun_ns=begun_ns, loaded_ns=int(loaded_ns))):
                    yield cost_by_requests(message("the rotation"), seen.evidence, begun_ns, loaded_ns, part.name)


REHEARSAL = SecretRotation()
