"""The load stages: the document's loads, and the search for the knee, on a real stack."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import numpy as np

from harness.base.units import Unit
from harness.checks.step_reads import READS_EXPECTED, reads_of_steps
from harness.judge.difference import Ratio, Series, Single
from harness.judge.figures import latencies_ms
from harness.judge.ledger import Ledger
from harness.judge.window import Window
from harness.model.evidence import Side
from harness.model.expected import Expected
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import Facts
from harness.model.section import Section
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Figure, Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.load_stages import sections
from harness.rehearsals.load_stages.acts import Acts
from harness.rehearsals.load_stages.apache_bench import bench
from harness.rehearsals.load_stages.judge import judged, knees_of, steps_of
from harness.rehearsals.load_stages.judge_bench import ERRATUM, benched
from harness.rehearsals.load_stages.judge_claims import expected
from harness.rehearsals.load_stages.judge_steps import window_of
from harness.rehearsals.load_stages.types import LoadStagesDetails, LoadStagesPlan, StepResult, sized
from harness.stack.manifests.change import without_autoscaler
from harness.stack.manifests.cpu import limits_factor
from harness.stack.protocol import StackNeeds


class LoadStages(Rehearsal[LoadStagesPlan, LoadStagesDetails]):
    """The rehearsal: the stages at one number of pods, then a search for each number of pods of the plan."""

    name = "load_stages"
    plan, details = LoadStagesPlan, LoadStagesDetails

    def expected(self, plan: LoadStagesPlan, facts: Facts) -> Iterator[Expected]:
        """The claims, the erratum of Apache Bench, and what answers showed the users."""
        yield from expected(plan, bundled=facts.target_bundled)
        yield READS_EXPECTED
        if plan.apache_bench is not None:
            yield Expected("", ERRATUM, ERRATUM)

    def arrange(self, plan: LoadStagesPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A fixed number of pods: what is measured a pod must not stand on a number that changes."""
        _ = options
        return StackNeeds(manifests=without_autoscaler(manifests, plan.pods))

    async def run(self, plan: LoadStagesPlan, on: Running[LoadStagesDetails]) -> None:
        """The stages in order, then the knees."""
        manifests = without_autoscaler(on.manifests, plan.pods)
        on.details.knee_cpu_factor = _knee_cpu_factor(plan, manifests)
        on.details.sized = sized(on.manifests, on.details.knee_cpu_factor)
        await on.up()
        acts = Acts(plan, on, manifests)
        await acts.admit()
        for step in plan.stages:
            await acts.step(step, plan.pods)
        if plan.apache_bench is not None:
            on.phase("apache_bench", message("Apache Bench, with one token"))
            on.details.benched = await bench(plan.apache_bench, on.stack.endpoints())
        on.mark("stages")
        await acts.knees()
        on.mark("knees")

    def judge(self, plan: LoadStagesPlan, seen: Seen[LoadStagesDetails]) -> Iterable[Judgement]:
        """The claims, the knees, and what answers showed the users."""
        facts, evidence = seen.facts, seen.evidence
        yield from judged(plan, seen.details, evidence.ledger, facts)
        yield from benched(plan, seen.details.benched)
        yield from reads_of_steps(
            evidence.requests,
            users=plan.accounts,
            seed=facts.seed,
            anchor_unix_ns=facts.anchor.unix_ns,
            steps=[(each.step, each.start_ns) for each in seen.details.made],
        )

    def sections(self, plan: LoadStagesPlan, seen: Seen[LoadStagesDetails]) -> Iterable[Section]:
        """The knees as a picture, and every step."""
        steps = steps_of(plan, seen.details, seen.evidence.ledger, seen.facts.seed)
        return sections.sections(plan, steps, seen.details.knee_cpu_factor)

    def figures(self, plan: LoadStagesPlan, seen: Seen[LoadStagesDetails]) -> Iterable[Figure]:
        """Failures and p95 of every stage, and the knees; without a value where it was not made."""
        ledger = seen.evidence.ledger
        made = steps_of(plan, seen.details, ledger, seen.facts.seed)
        named = {each.step.name: each for each in made}
        for stage in plan.stages:
            yield from _of_stage(stage.name, named.get(stage.name), ledger)
        knees = {
            (each.pods, each.photos_per_s): each.rate_per_s
            for each in knees_of(plan, made, seen.details.knee_cpu_factor)
        }
        for pods in plan.knee.pods:
            yield Figure(f"knee of {pods} pods", Unit.PER_SECOND, "better", Single(knees.get((pods, 0.0))))
        if plan.knee.photos is not None and plan.knee.pods:
            first, rate = plan.knee.pods[0], plan.knee.photos.rate_per_s
            name = f"knee of {first} pods, with photo uploads"
            yield Figure(name, Unit.PER_SECOND, "better", Single(knees.get((first, rate))))


def _of_stage(name: str, result: StepResult | None, ledger: Ledger) -> Iterator[Figure]:
    failed, in_order = Ratio(0, 0), np.empty(0)
    if result is not None:
        window: Window = window_of(result.start_ns, result.step.seconds)
        in_order = latencies_ms(np.sort(ledger.requests_due(window, Side.API), order="due_ns"))
        failed = Ratio(result.figures.failed, result.figures.requests)
    yield Figure(f"{name}: failed", Unit.RATIO, "worse", failed, gates=True)
    yield Figure(f"{name}: p95", Unit.MILLISECONDS, "worse", Series(in_order, 0.95), gates=True)


def _knee_cpu_factor(plan: LoadStagesPlan, manifests: Manifests) -> float:
    """What CPU is multiplied by so that the most pods together have the plan's share of the machine."""
    share, most = plan.knee.cpu_share, max(plan.knee.pods, default=plan.pods)
    return limits_factor(manifests, (os.cpu_count() or 1) * share, most) if share else 1.0


REHEARSAL = LoadStages()
