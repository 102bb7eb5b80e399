"""Conformance: every check of the contract on a running target, one deviation a judgement."""

from __future__ import annotations

from collections.abc import Iterable

from harness.checks.contract import facts as contract
from harness.model.expected import Expected
from harness.model.manifests import Manifests
from harness.model.result import RunInfo
from harness.model.section import Section
from harness.rehearsals.conformance.acts import act
from harness.rehearsals.conformance.facts import expected, facts
from harness.rehearsals.conformance.sections import sections
from harness.rehearsals.conformance.types import ConformanceDetails, ConformancePlan
from harness.rules.fact import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.manifests.change import without_autoscaler
from harness.stack.protocol import StackNeeds


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
