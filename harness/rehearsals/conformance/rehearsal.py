"""Conformance: every check of the contract on a running target, one deviation a judgement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.checks.contract import facts as contract
from harness.checks.contract import http
from harness.checks.contract.check import CheckFixture, chosen
from harness.checks.contract.logs import Logs
from harness.checks.contract.reach import LocalReach
from harness.checks.contract.rules import Rules
from harness.checks.contract.runner import keep_request, run_checks
from harness.checks.contract.sections import not_covered
from harness.model.judgement import Expected
from harness.model.manifests import Manifests
from harness.model.message import Message, gettext_noop, message
from harness.model.result import RunInfo
from harness.model.section import Cell, Lines, Pairs, Section
from harness.model.stack import Address, Target
from harness.rehearsals.conformance.checks import ALL, NOT_COVERED
from harness.rehearsals.conformance.facts import expected, facts
from harness.rehearsals.conformance.fuzz import fuzz
from harness.rehearsals.conformance.openapi.plan import OpenApiPlan
from harness.rehearsals.conformance.types import ConformanceDetails, ConformancePlan, Extra, TargetFacts
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.firebase.documents import Documents
from harness.stack.manifests.change import without_autoscaler
from harness.stack.protocol import Stack, StackNeeds
from harness.stack.target.scraping import WithMetrics

# What the page of a conformance run shows besides its checks. Pure.


def sections(details: ConformanceDetails) -> Iterator[Section]:
    """The target as it was run, the requests that show a deviation, and what no check here can tell."""
    facts = tuple(_facts_of(details))
    if facts:
        yield Pairs(pairs=facts)
    yield not_covered(NOT_COVERED)
    lacking = [extra for extra in details.extras if not extra.offered]
    if lacking:
        yield Lines(
            title=message("Not offered"),
            lines=tuple(
                message("{extra} (beyond the contract): {without}", extra=each.name, without=Message(text=each.without))
                for each in lacking
            ),
        )


def _facts_of(details: ConformanceDetails) -> Iterator[tuple[Message, Cell]]:
    if details.target is not None:
        command = " ".join(details.target.command)
        yield message("Command"), f"{command} ({details.target.folder})"
    if details.fuzz is not None:
        yield message("Fuzzed"), str(details.fuzz)


# Asks the target, then looks at what its OpenAPI file says.
# What a target may offer beyond the contract: no check asks for it, but what is read from it needs it.


async def extras(stack: Stack, path: str) -> tuple[Extra, ...]:
    """A few requests, without a token. Metrics are asked of the first pod, where pods are asked by HTTP, and of the
    service, at ``path``."""
    service = stack.endpoints().service
    pods = stack.metrics() if isinstance(stack, WithMetrics) and stack.credentials() is None else []
    asked = (*(each.address for each in pods[:1]), service)
    health = await http.send(service, "GET", "/health", headers={})
    return (
        Extra(
            name="X-Pod-Name",
            offered="x-pod-name" in health.headers,
            without=gettext_noop("the evidence does not tell which pod answered a request"),
        ),
        Extra(
            name=f"GET {path}",
            offered=any([await _prometheus(address, path) for address in asked]),
            without=gettext_noop("a criterion on the target's own metrics (mirror queue, pool) is not exercised"),
        ),
    )


async def _prometheus(address: Address, path: str) -> bool:
    answer = await http.send(address, "GET", path, headers={})
    return answer.status == 200 and answer.headers.get("content-type", "").startswith("text/plain")


async def act(plan: ConformancePlan, on: RunContext[ConformanceDetails]) -> None:
    """Every check, then what the team's OpenAPI file says, then requests that are drawn from it."""
    target = on.options.target
    on.details.target = _facts(target)
    openapi = OpenApiPlan(Path(plan.openapi)) if plan.openapi else None
    logs = Logs(on.folder / "logs", on.clock)
    on.on_event(logs.saw)
    await on.up()
    endpoints = on.stack.endpoints()
    on.details.extras = [*await extras(on.stack, target.metrics_path)]
    documents = Documents(endpoints.firestore, endpoints.project_id)
    on.add_finalizer(documents.close)
    ground = CheckFixture(
        reach=LocalReach(on.stack, on.clock),
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


def _facts(target: Target) -> TargetFacts:
    return TargetFacts(
        command=target.command,
        folder=target.folder,
        environment=tuple(target.environment),
        migrations=target.migrations,
    )


async def _check(
    plan: ConformancePlan, on: RunContext[ConformanceDetails], ground: CheckFixture, openapi: OpenApiPlan | None
) -> None:
    answers = None if openapi is None else openapi.answers()
    seen = None if answers is None else answers.take
    checks = on.details.checks
    await run_checks(chosen(ALL, plan.only), ground, on.folder, on.progress, checks.append, seen=seen)
    if openapi is not None and answers is not None:
        checks += openapi.differences()
        for result, exchange in answers.results():
            checks.append(result if exchange is None else keep_request(result, exchange, on.folder))


async def _fuzz(plan: ConformancePlan, on: RunContext[ConformanceDetails], openapi: OpenApiPlan | None) -> None:
    on.phase("fuzz", message("fuzzing for {seconds} s", seconds=str(plan.fuzz_s)), lasts_s=plan.fuzz_s)
    on.details.fuzz, results = await fuzz(
        on.stack.endpoints(), on.folder, on.run_id, on.clock, seconds=plan.fuzz_s, seed=on.options.seed, plan=openapi
    )
    on.details.checks += results


class Conformance(Rehearsal[ConformancePlan, ConformanceDetails]):
    """The rehearsal. It promises no claims: the checks are of the contract, not of the register."""

    name = "conformance"
    plan, details = ConformancePlan, ConformanceDetails
    phrases = contract.PHRASES
    ruled_by = ("contract",)

    def expected(self, plan: ConformancePlan, facts: RunInfo) -> Iterable[Expected]:
        """The checks."""
        _ = facts
        return expected(plan)

    def stack_spec(self, plan: ConformancePlan, options: Options, manifests: Manifests) -> StackNeeds:
        """One replica: what a target keeps in a process (its rate limit) is then the same for every request."""
        _ = plan, options
        return StackNeeds(manifests=without_autoscaler(manifests, 1))

    async def run(self, plan: ConformancePlan, on: RunContext[ConformanceDetails]) -> None:
        """Every check, then what the team's OpenAPI file says, then requests that are drawn from it."""
        await act(plan, on)
        on.mark("checks")

    def measured(self, plan: ConformancePlan, seen: RunRecord[ConformanceDetails]) -> Iterable[Fact]:
        """From the details alone."""
        _ = plan
        return facts(seen.details)

    def sections(self, plan: ConformancePlan, seen: RunRecord[ConformanceDetails]) -> Iterable[Section]:
        """The target, the requests, what was not covered."""
        _ = plan
        return sections(seen.details)


REHEARSAL = Conformance()
