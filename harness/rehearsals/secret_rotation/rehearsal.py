"""The Secret Manager CSI pattern: the volume as written, the pods as corrected, a password rotated under load."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from harness.base.units import Unit
from harness.checks.step_reads import reads_of_steps
from harness.judge.difference import Ratio, Single
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.parts import ended
from harness.model.result import Part as Page
from harness.model.section import Section
from harness.model.stack import Rung
from harness.rehearsal.needs import Needs, StackNeeds
from harness.rehearsal.options import Options
from harness.rehearsal.parts import any_runs, begin, claims_of, end, not_exercised, pages_of, tell
from harness.rehearsal.rehearsal import Figure, Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.secret_rotation import roles, sections
from harness.rehearsals.secret_rotation.acts import Acts
from harness.rehearsals.secret_rotation.judge import calls_of, judged, of_part
from harness.rehearsals.secret_rotation.judge_rotation import rotation
from harness.rehearsals.secret_rotation.types import (
    PartKind,
    Rotated,
    Rotation,
    RotationDetails,
    RotationPlan,
)
from harness.stack.manifests.change import without_autoscaler
from harness.stack.manifests.cpu import cpu_factor, scaled
from harness.stack.protocol import SecretsPlan


class SecretRotation(Rehearsal[RotationPlan, RotationDetails]):
    """The rehearsal: each part of the plan in turn, on one stack with a secret store."""

    name, decides = "secret_rotation", False
    plan, details = RotationPlan, RotationDetails

    def claims(self, plan: RotationPlan) -> Iterable[tuple[str, str]]:
        """Those that each part names."""
        return claims_of(plan.parts)

    def parts(self, plan: RotationPlan, seen: Seen[RotationDetails]) -> Sequence[Page]:
        """The plan's."""
        return pages_of(plan.parts, seen.details.runs)

    def arrange(self, plan: RotationPlan, options: Options, manifests: Manifests) -> Needs:
        """A stack without the autoscaler, whose pods at their most fit the machine's CPU; with a secret store on a rung
        that has one."""
        # A rung on a cluster scales the documents that it applies by the same rule, itself.
        found = scaled(manifests, _factor(plan, manifests)) if options.rung is Rung.LOCAL else manifests
        secrets = SecretsPlan(poll_s=plan.poll_s, first=roles.first) if options.rung is Rung.KIND else None
        plain = without_autoscaler(found, found.deployment.replicas)
        return Needs(stack=StackNeeds(manifests=plain, peak_pods=_most_pods(plan), secrets=secrets))

    async def run(self, plan: RotationPlan, on: Running[RotationDetails]) -> None:
        """The parts in order; where the environment has what none of them needs, nothing is brought up."""
        details = on.details
        details.cpu_factor = _factor(plan, on.manifests)
        acts: Acts | None = None
        if any_runs(plan.parts, on):
            factor = f"{details.cpu_factor:.2f}"
            on.say(message("CPU requests and limits are multiplied by {factor}", factor=factor))
            await on.up()
            acts = Acts(on, on.manifests.deployment.replicas)
        for part in plan.parts:
            if begin(part, on, details.runs) and acts is not None:
                details.did[part.name] = await acts.run(part)
                end(part, on, details.runs)
                tell(on, of_part(plan, part, details, on.evidence.ledger))

    def judge(self, plan: RotationPlan, seen: Seen[RotationDetails]) -> Iterable[Judgement]:
        """The claims of every part, and what answers showed the users of the load."""
        details, facts = seen.details, seen.facts
        yield from judged(plan, details, seen.evidence.ledger)
        yield from not_exercised(plan.parts, details.runs)
        yield from reads_of_steps(
            seen.evidence.requests, users=details.users, seed=facts.seed, anchor_unix_ns=facts.anchor.unix_ns
        )

    def sections(self, plan: RotationPlan, seen: Seen[RotationDetails]) -> Iterable[Section]:
        """The phases of each rotation, and what was observed."""
        evidence, start_ns = seen.evidence, seen.facts.anchor.monotonic_ns
        return sections.sections(plan, seen.details, evidence.ledger, evidence.events, start_ns)

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


def _most_pods(plan: RotationPlan) -> int:
    return max(part.pods for part in plan.parts)


def _factor(plan: RotationPlan, manifests: Manifests) -> float:
    return cpu_factor(manifests, os.cpu_count() or 1, _most_pods(plan))


REHEARSAL = SecretRotation()
