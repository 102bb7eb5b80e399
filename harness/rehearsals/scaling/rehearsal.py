"""Scaling: by hand, by the autoscaler, under the budget, by the document's commands; and the loss of a zone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence

from harness.checks.step_reads import reads_of_steps
from harness.evidence.gathered import Gathered
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
from harness.rehearsal.pods_over_time import Course
from harness.rehearsal.rehearsal import Figure, Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.scaling import sections
from harness.rehearsals.scaling.acts import Acts
from harness.rehearsals.scaling.figures import reached
from harness.rehearsals.scaling.judge import Rows, judged, of_part
from harness.rehearsals.scaling.types import PartKind, ScalingDetails, ScalingPlan, controlled
from harness.stack.manifests.change import without_autoscaler
from harness.stack.manifests.cpu import cpu_factor, scaled


class Scaling(Rehearsal[ScalingPlan, ScalingDetails]):
    """The rehearsal: each part of the plan in turn, on one stack."""

    name, decides = "scaling", False
    plan, details = ScalingPlan, ScalingDetails

    def claims(self, plan: ScalingPlan) -> Iterable[tuple[str, str]]:
        """Those that each part names."""
        return claims_of(plan.parts)

    def parts(self, plan: ScalingPlan, seen: Seen[ScalingDetails]) -> Sequence[Page]:
        """The plan's."""
        return pages_of(plan.parts, seen.details.runs)

    def arrange(self, plan: ScalingPlan, options: Options, manifests: Manifests) -> Needs:
        """A stack without the autoscaler, whose pods at their most fit the machine's CPU."""
        # A rung on a cluster scales the documents that it applies by the same rule, itself.
        found = scaled(manifests, _factor(plan, manifests)) if options.rung is Rung.LOCAL else manifests
        return Needs(
            stack=StackNeeds(
                manifests=_plain(found),
                peak_pods=_most_pods(plan),
                # A zone is lost by freezing its nodes: nobody else may be on them.
                use_kept=not any(part.kind is PartKind.ZONE for part in plan.parts),
            )
        )

    async def run(self, plan: ScalingPlan, on: Running[ScalingDetails]) -> None:
        """The parts in order; where the environment has what none of them needs, nothing is brought up."""
        details = on.details
        details.cpu_factor = _factor(plan, on.manifests)
        manifests = scaled(on.manifests, details.cpu_factor)
        details.controlled = controlled(manifests)
        acts: Acts | None = None
        if any_runs(plan.parts, on):
            factor = f"{details.cpu_factor:.2f}"
            on.say(message("CPU requests and limits are multiplied by {factor}", factor=factor))
            await on.up()
            acts = Acts(on, manifests, _plain(manifests))
        for part in plan.parts:
            if begin(part, on, details.runs) and acts is not None:
                details.did[part.name] = await acts.run(part)
                end(part, on, details.runs)
                # Seconds of pure calculation for a real autoscaler, while the cluster is watched on.
                rows = _rows(on.stack.rung, on.evidence)
                tell(on, await asyncio.to_thread(of_part, part, details, rows, on.clock.now_ns()))

    def judge(self, plan: ScalingPlan, seen: Seen[ScalingDetails]) -> Iterable[Judgement]:
        """The claims of every part, and what answers showed the users of the load."""
        details, facts = seen.details, seen.facts
        yield from judged(plan, details, _rows(facts.rung, seen.evidence))
        yield from not_exercised(plan.parts, details.runs)
        yield from reads_of_steps(
            seen.evidence.requests, users=details.users, seed=facts.seed, anchor_unix_ns=facts.anchor.unix_ns
        )

    def sections(self, plan: ScalingPlan, seen: Seen[ScalingDetails]) -> Iterable[Section]:
        """Pods over time, what was observed, and the moments."""
        start_ns = seen.facts.anchor.monotonic_ns
        return sections.sections(plan, seen.details, _rows(seen.facts.rung, seen.evidence), start_ns)

    def figures(self, plan: ScalingPlan, seen: Seen[ScalingDetails]) -> Iterable[Figure]:
        """When each number of pods was reached; without a value in a part that was not carried through."""
        rows, details = _rows(seen.facts.rung, seen.evidence), seen.details
        done = {part.name: (start, end) for part, start, end in ended(plan.parts, details.runs)}
        for part in plan.parts:
            found = sections.course(part, details, rows, *done[part.name]) if part.name in done else Course()
            yield from reached(part, found)


def _most_pods(plan: ScalingPlan) -> int:
    return max(part.pods for part in plan.parts)


def _factor(plan: ScalingPlan, manifests: Manifests) -> float:
    return cpu_factor(manifests, os.cpu_count() or 1, _most_pods(plan))


def _plain(manifests: Manifests) -> Manifests:
    """Without the autoscaler, at the number of pods that the manifests name."""
    return without_autoscaler(manifests, manifests.deployment.replicas)


def _rows(rung: Rung, evidence: Gathered) -> Rows:
    return Rows(rung, evidence.events, evidence.samples, evidence.requests)


REHEARSAL = Scaling()
