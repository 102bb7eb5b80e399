"""Security: every check on a running target, then the bundled API in production mode, then what the run left."""

from __future__ import annotations

from collections.abc import Iterable

from harness.checks.contract import facts as contract
from harness.checks.contract.sections import not_covered
from harness.model.expected import Expected
from harness.model.manifests import Manifests
from harness.model.result import RunInfo
from harness.model.section import Section
from harness.rehearsals.security.acts import act
from harness.rehearsals.security.checks import NOT_COVERED
from harness.rehearsals.security.facts import CLAIMS, PHRASES, TOLD, asked, facts
from harness.rehearsals.security.types import SecurityDetails, SecurityPlan
from harness.rules.fact import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.manifests.change import without_autoscaler
from harness.stack.protocol import StackNeeds


class Security(Rehearsal[SecurityPlan, SecurityDetails]):
    """The rehearsal. It has no figures: a sentence is kept or it is not."""

    name = "security"
    plan, details = SecurityPlan, SecurityDetails
    promised = (*CLAIMS, TOLD)
    phrases = PHRASES
    ruled_by = ("contract", "security")

    def expected(self, plan: SecurityPlan, facts: RunInfo) -> Iterable[Expected]:
        """The checks, and the claims."""
        return (*contract.expected(asked(plan), {}), *super().expected(plan, facts))

    def stack_spec(self, plan: SecurityPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """As many pods as the manifests name, and no more: the limit of requests is each pod's own."""
        _ = plan, options
        return StackNeeds(manifests=without_autoscaler(manifests, manifests.deployment.replicas))

    async def run(self, plan: SecurityPlan, on: RunContext[SecurityDetails]) -> None:
        """What is asked of the target, what is asked in production mode, and what then lies about."""
        await act(plan, on)
        on.mark("checks")

    def measured(self, plan: SecurityPlan, seen: RunRecord[SecurityDetails]) -> Iterable[Fact]:
        """From the details alone."""
        return facts(plan, seen.details)

    def sections(self, plan: SecurityPlan, seen: RunRecord[SecurityDetails]) -> Iterable[Section]:
        """What no check here can tell."""
        _ = plan, seen
        yield not_covered(NOT_COVERED)


REHEARSAL = Security()
