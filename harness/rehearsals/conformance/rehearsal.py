"""Conformance: every check of the contract on a running target, one deviation a judgement."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.contract.bench import Ground
from harness.contract.chosen import chosen
from harness.contract.logs import Logs
from harness.contract.reach import OnStack
from harness.contract.rules import Rules
from harness.contract.runner import keep_request, run_checks
from harness.model.expected import Expected
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import Facts
from harness.model.section import Section
from harness.model.stack import Target
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Figure, Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.conformance.checks import ALL
from harness.rehearsals.conformance.extras import extras
from harness.rehearsals.conformance.fuzz import fuzz
from harness.rehearsals.conformance.judge import expected, judged
from harness.rehearsals.conformance.openapi.plan import OpenApiPlan
from harness.rehearsals.conformance.sections import figures, sections
from harness.rehearsals.conformance.types import ConformanceDetails, ConformancePlan, TargetFacts
from harness.stack.firebase.documents import Documents
from harness.stack.manifests.change import without_autoscaler
from harness.stack.protocol import StackNeeds


class Conformance(Rehearsal[ConformancePlan, ConformanceDetails]):
    """The rehearsal. It promises no claims: the checks are of the contract, not of the register."""

    name = "conformance"
    plan, details = ConformancePlan, ConformanceDetails

    def expected(self, plan: ConformancePlan, facts: Facts) -> Iterable[Expected]:
        """The checks."""
        _ = facts
        return expected(plan)

    def arrange(self, plan: ConformancePlan, options: Options, manifests: Manifests) -> StackNeeds:
        """One replica: what a target keeps in a process (its rate limit) is then the same for every request."""
        _ = plan, options
        return StackNeeds(manifests=without_autoscaler(manifests, 1))

    async def run(self, plan: ConformancePlan, on: Running[ConformanceDetails]) -> None:
        """Every check, then what the team's OpenAPI file says, then requests that are drawn from it."""
        target = on.options.target
        on.details.target = _facts(target)
        openapi = OpenApiPlan(Path(plan.openapi)) if plan.openapi else None
        logs = Logs(on.folder / "logs", on.clock)
        on.saw(logs.saw)
        await on.up()
        endpoints = on.stack.endpoints()
        on.details.extras = [*await extras(on.stack, target.metrics_path)]
        documents = Documents(endpoints.firestore, endpoints.project_id)
        on.at_end(documents.close)
        ground = Ground(
            reach=OnStack(on.stack, on.clock),
            clock=on.clock,
            documents=documents,
            logs=logs,
            seed=on.options.seed,
            run_id=on.run_id,
            rules=Rules() if openapi is None else openapi.rules,
        )
        await _check(plan, on, ground, openapi)
        if plan.fuzz_s:
            await _fuzz(plan, on, openapi)
        on.mark("checks")

    def judge(self, plan: ConformancePlan, seen: Seen[ConformanceDetails]) -> Iterable[Judgement]:
        """From the details alone."""
        return judged(plan, seen.details)

    def sections(self, plan: ConformancePlan, seen: Seen[ConformanceDetails]) -> Iterable[Section]:
        """The target, the requests, what was not covered."""
        _ = plan
        return sections(seen.details)

    def figures(self, plan: ConformancePlan, seen: Seen[ConformanceDetails]) -> Iterable[Figure]:
        """How many checks ended how."""
        _ = plan, seen
        return figures(seen.judgements)


def _facts(target: Target) -> TargetFacts:
    return TargetFacts(
        command=target.command,
        folder=target.folder,
        environment=tuple(target.environment),
        migrations=target.migrations,
    )


async def _check(
    plan: ConformancePlan, on: Running[ConformanceDetails], ground: Ground, openapi: OpenApiPlan | None
) -> None:
    answers = None if openapi is None else openapi.answers()
    seen = None if answers is None else answers.take
    checks = on.details.checks
    await run_checks(chosen(ALL, plan.only), ground, on.folder, on.progress, checks.append, seen=seen)
    if openapi is not None and answers is not None:
        checks += openapi.differences()
        for result, exchange in answers.results():
            checks.append(result if exchange is None else keep_request(result, exchange, on.folder))


async def _fuzz(plan: ConformancePlan, on: Running[ConformanceDetails], openapi: OpenApiPlan | None) -> None:
    on.phase("fuzz", message("fuzzing for {seconds} s", seconds=str(plan.fuzz_s)), lasts_s=plan.fuzz_s)
    on.details.fuzz, results = await fuzz(
        on.stack.endpoints(), on.folder, on.run_id, on.clock, seconds=plan.fuzz_s, seed=on.options.seed, plan=openapi
    )
    on.details.checks += results


REHEARSAL = Conformance()
