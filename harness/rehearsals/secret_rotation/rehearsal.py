"""The Secret Manager CSI pattern: the volume as written, the pods as corrected, a password rotated under load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from harness.base.units import Unit
from harness.judge.difference import Ratio, Single
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.parts import ended
from harness.model.section import Section
from harness.rehearsal.cost import Cost, cost_by_requests
from harness.rehearsal.options import Options
from harness.rehearsal.parts import InParts
from harness.rehearsal.rehearsal import Figure, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.secret_rotation import roles, sections
from harness.rehearsals.secret_rotation.acts import Acts
from harness.rehearsals.secret_rotation.facts import PHRASES, facts
from harness.rehearsals.secret_rotation.facts_course import calls_of, rotation
from harness.rehearsals.secret_rotation.types import (
    Course,
    PartKind,
    Rotated,
    Rotation,
    RotationDetails,
    RotationPart,
    RotationPlan,
)
from harness.rules.fact import Fact
from harness.stack.protocol import SecretsPlan, StackNeeds


class SecretRotation(InParts[RotationPlan, RotationDetails]):
    """The rehearsal: each part of the plan in turn, on one stack with a secret store."""

    name = "secret_rotation"
    plan, details = RotationPlan, RotationDetails
    phrases = PHRASES

    def arrange(self, plan: RotationPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """With a secret store where the environment has one."""
        secrets = SecretsPlan(poll_s=plan.poll_s, first=roles.first)
        return replace(super().arrange(plan, options, manifests), secrets=secrets)

    def acts(self, plan: RotationPlan, on: Running[RotationDetails]) -> Acts:
        """With as many pods as the manifests name."""
        _ = plan
        return Acts(on, on.manifests.deployment.replicas)

    def loads(self, part: RotationPart) -> bool:
        """While a password is rotated."""
        return part.kind in (PartKind.NAIVE, PartKind.TWO_ROLES)

    def measured(self, plan: RotationPlan, seen: Seen[RotationDetails]) -> Iterable[Fact]:
        """From details and rows."""
        return facts(plan, seen.details, seen.evidence.ledger)

    def sections(self, plan: RotationPlan, seen: Seen[RotationDetails]) -> Iterable[Section]:
        """The phases of each rotation, and what was observed."""
        evidence, start_ns = seen.evidence, seen.facts.anchor.monotonic_ns
        return sections.sections(plan, seen.details, evidence.ledger, evidence.events, start_ns)

    def costs(self, plan: RotationPlan, seen: Seen[RotationDetails]) -> Iterable[Cost]:
        """Of each rotation, from its first step to the end of its load."""
        for part, _, _ in ended(plan.parts, seen.details.runs):
            match seen.details.did.get(part.name):
                case Rotated(course=Course(begun_ns=begun_ns, loaded_ns=int(loaded_ns))):
                    yield cost_by_requests(message("the rotation"), seen.evidence, begun_ns, loaded_ns, part.name)

    def figures(self, plan: RotationPlan, seen: Seen[RotationDetails]) -> Iterable[Figure]:
        """What failed of each rotation's requests, and its times from the publishing; without a value where the part
        was not carried through."""
        done = {part.name for part, _, _ in ended(plan.parts, seen.details.runs)}
        for part in plan.parts:
            if part.kind in (PartKind.NAIVE, PartKind.TWO_ROLES):
                did = seen.details.did.get(part.name) if part.name in done else None
                found = None
                if isinstance(did, Rotated):
                    found = rotation(did.course, calls_of(did, seen.evidence.ledger))
                yield from _of_rotation(part.name, found)


def _of_rotation(part: str, found: Rotation | None) -> Iterator[Figure]:
    phases = () if found is None else found.phases
    failed = Ratio(sum(each.failed for each in phases), sum(each.requests for each in phases))
    yield Figure(f"{part}: failed", Unit.RATIO, "worse", failed, gates=True)
    files_s, secret_s = (None, None) if found is None else (found.files_after_s, found.synced_after_s)
    yield Figure(f"{part}: files followed", Unit.SECONDS, "worse", Single(files_s))
    yield Figure(f"{part}: Secret followed", Unit.SECONDS, "worse", Single(secret_s))


REHEARSAL = SecretRotation()
