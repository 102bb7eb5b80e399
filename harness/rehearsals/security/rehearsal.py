"""Security: every check on a running target, then the bundled API in production mode, then what the run left."""

from __future__ import annotations

from collections.abc import Iterable

from harness.contract import judged as contract
from harness.contract.sections import not_covered, requests
from harness.model.expected import Expected
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.result import Facts
from harness.model.section import Section
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.security.acts import act
from harness.rehearsals.security.checks import NOT_COVERED
from harness.rehearsals.security.judge import CLAIMS, asked, judged
from harness.rehearsals.security.types import SecurityDetails, SecurityPlan
from harness.stack.manifests.change import without_autoscaler
from harness.stack.protocol import StackNeeds


class Security(Rehearsal[SecurityPlan, SecurityDetails]):
    """The rehearsal. It has no figures: a sentence is kept or it is not."""

    name = "security"
    plan, details = SecurityPlan, SecurityDetails
    promised = CLAIMS  # of the pods' account, and of the roles

    def expected(self, plan: SecurityPlan, facts: Facts) -> Iterable[Expected]:
        """The checks, and the claims."""
        return (*contract.expected(asked(plan), {}), *super().expected(plan, facts))

    def arrange(self, plan: SecurityPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """As many pods as the manifests name, and no more: the limit of requests is each pod's own."""
        _ = plan, options
        return StackNeeds(manifests=without_autoscaler(manifests, manifests.deployment.replicas))

    async def run(self, plan: SecurityPlan, on: Running[SecurityDetails]) -> None:
        """What is asked of the target, what is asked in production mode, and what then lies about."""
        await act(plan, on)
        on.mark("checks")

    def judge(self, plan: SecurityPlan, seen: Seen[SecurityDetails]) -> Iterable[Judgement]:
        """From the details alone."""
        return judged(plan, seen.details)

    def sections(self, plan: SecurityPlan, seen: Seen[SecurityDetails]) -> Iterable[Section]:
        """The requests that show a finding, and what no check here can tell."""
        _ = plan
        yield from requests(seen.details.checks)
        yield not_covered(NOT_COVERED)


REHEARSAL = Security()
