"""Security: every check on a running target, then the bundled API in production mode, then what the run left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.contract.check import Check
from harness.contract.chosen import chosen
from harness.contract.http import Exchange
from harness.contract.logs import Logs
from harness.contract.reach import OnStack, Reach
from harness.contract.runner import run_checks
from harness.contract.sections import not_covered, requests
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.section import Section
from harness.model.stack import Capability
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.security.checks import ALL, ASKED, LEFT, NOT_COVERED, PRODUCTION
from harness.rehearsals.security.checks.secrets import told_by
from harness.rehearsals.security.ground import Canaries, SecurityGround
from harness.rehearsals.security.issuer import Issuer
from harness.rehearsals.security.judge import CLAIMS, judged
from harness.rehearsals.security.privileges import read_role
from harness.rehearsals.security.production import in_production
from harness.rehearsals.security.types import SecurityDetails, SecurityPlan
from harness.stack.firebase.documents import Documents
from harness.stack.manifests.change import without_autoscaler
from harness.stack.protocol import ByKubectl, StackNeeds


class Security(Rehearsal[SecurityPlan, SecurityDetails]):
    """The rehearsal. It has no figures: a sentence is kept or it is not."""

    name = "security"
    plan, details = SecurityPlan, SecurityDetails

    def claims(self, plan: SecurityPlan) -> Iterable[tuple[str, str]]:
        """Of the pods' account, and of the roles."""
        _ = plan
        return [("", claim) for claim in CLAIMS]

    def arrange(self, plan: SecurityPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """As many pods as the manifests name, and no more: the limit of requests is each pod's own."""
        _ = plan, options
        return StackNeeds(manifests=without_autoscaler(manifests, manifests.deployment.replicas))

    async def run(self, plan: SecurityPlan, on: Running[SecurityDetails]) -> None:
        """What is asked of the target, what is asked in production mode, and what then lies about."""
        logs = Logs(on.folder / "logs", on.clock)
        on.saw(logs.saw)
        await on.up()
        ground = _ground(on, logs)
        on.at_end(ground.documents.close)
        await _make(plan, on, ground, ASKED)
        if plan.production and _of(plan, PRODUCTION):
            issuer = Issuer(on.clock)
            async with in_production(issuer, ground.endpoints, on.folder / "logs", on.options.seed) as reach:
                await _make(plan, on, msgspec.structs.replace(ground, reach=reach, issuer=issuer), PRODUCTION)
        await _make(plan, on, ground, LEFT)
        on.mark("checks")

    def judge(self, plan: SecurityPlan, seen: Seen[SecurityDetails]) -> Iterable[Judgement]:
        """From the details alone."""
        return judged(plan, seen.details)

    def sections(self, plan: SecurityPlan, seen: Seen[SecurityDetails]) -> Iterable[Section]:
        """The requests that show a finding, and what no check here can tell."""
        _ = plan
        yield from requests(seen.details.checks)
        yield not_covered(NOT_COVERED)


def _of(plan: SecurityPlan, checks: Sequence[Check]) -> list[Check]:
    """Those that the plan asks for."""
    wanted = {check.id for check in chosen(ALL, plan.only)}
    return [check for check in checks if check.id in wanted]


def _ground(on: Running[SecurityDetails], logs: Logs) -> SecurityGround:
    stack, endpoints = on.stack, on.stack.endpoints()
    reach: Reach = OnStack(stack, on.clock)
    return SecurityGround(
        reach=reach,
        clock=on.clock,
        documents=Documents(endpoints.firestore, endpoints.project_id),
        logs=logs,
        seed=on.options.seed,
        run_id=on.run_id,
        hides_tokens=True,
        canaries=Canaries(),
        folder=on.folder,
        manifests=on.manifests,
        pods=on.manifests.deployment.replicas,
        facts=lambda: msgspec.json.encode(on.details),
        role=lambda: read_role(endpoints),
        kubectl=stack.kubectl
        if isinstance(stack, ByKubectl) and Capability.REAL_KUBERNETES in stack.capabilities
        else None,
    )


async def _make(
    plan: SecurityPlan, on: Running[SecurityDetails], ground: SecurityGround, checks: Sequence[Check]
) -> None:
    def seen(exchanges: Sequence[Exchange]) -> None:
        told_by(exchanges, ground.canaries)

    await run_checks(_of(plan, checks), ground, on.folder, on.progress, on.details.checks.append, seen=seen)


REHEARSAL = Security()
