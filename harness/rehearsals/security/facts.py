"""What the checks of security say of the document's claims, as facts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from harness.checks.contract import facts as contract
from harness.checks.contract.check import chosen
from harness.checks.contract.facts import deviations
from harness.checks.contract.run import CheckRun
from harness.model.message import Message, Told, gettext_noop, joined, message
from harness.model.variables import PRODUCTION as ENVIRONMENTS
from harness.rehearsals.security.checks import ALL, PRODUCTION
from harness.rehearsals.security.types import SecurityDetails, SecurityPlan
from harness.rules.rule import Fact, FactsOf

#: Of the pods' account, and of the roles against the calls that are made.
CLAIMS = (
    "security.workload_identity", "security.iam.firebase", "security.least_privilege",
    "checklist.security.workload_identity",
)  # fmt: skip
#: Of what the pods are told to be, which the API in production mode was told.
TOLD = "manifest.configmap.environment"
PHRASES = {
    **contract.PHRASES,
    "account.deviations": gettext_noop("kept"),
    "production.verified": gettext_noop(
        "signed tokens were verified in {seen} checks by a process whose service account exists nowhere: the role "
        "Firebase Admin is not needed for it"
    ),
    "production.deviations": gettext_noop("of the checks in production mode {seen} are not kept: {checks}"),
    "production.told": gettext_noop(
        "the folder tells its pods to be {what}; the bundled API was told production, and tried with signed tokens"
    ),
    "pods.deviations": gettext_noop("not kept by the manifests that were applied: {what}"),
}
_ACCOUNT, _OF_PODS = "privilege.account", ("privilege.api_token", "privilege.context")
_FACT = FactsOf(PHRASES)


def asked(plan: SecurityPlan) -> list[str]:
    """The ids of the checks, in the order in which people read them."""
    of_production = {check.id for check in PRODUCTION}
    return [check.id for check in chosen(ALL, plan.only) if plan.production or check.id not in of_production]


def facts(plan: SecurityPlan, details: SecurityDetails) -> Iterator[Fact]:
    """Of each check, of the pods' account and context, and of the roles."""
    runs = {run.id: run for run in details.checks}
    yield from map(deviations, details.checks)
    yield _of_account(runs.get(_ACCOUNT))
    wrong = [Message(text=runs[id_].sentence) for id_ in _OF_PODS if id_ in runs and runs[id_].deviation]
    yield _FACT("pods.deviations", len(wrong), what=joined(wrong) if wrong else "")
    yield from _of_production(plan, details.environment, runs)


def _of_account(run: CheckRun | None) -> Fact:
    """Whether the pods run under the account that the document prints."""
    if run is not None:
        return msgspec.structs.replace(deviations(run), name="account.deviations", case="", sample=None)
    (none,) = _FACT.none("account.deviations", lacks=(message("the check {check} was not made", check=_ACCOUNT),))
    return none


def _of_production(plan: SecurityPlan, told: str, runs: Mapping[str, CheckRun]) -> Iterator[Fact]:
    """Whether the role Firebase Admin is needed, and whether the pods are ``told`` what the API was told here."""
    made = [runs[check.id] for check in PRODUCTION if check.id in runs]
    if not plan.production or len(made) < len(PRODUCTION):
        why = message("the production mode of the bundled API was not tried whole")
        yield from _FACT.none("production.verified", "production.told", lacks=(why,))
        return
    wrong = [run.id for run in made if run.deviation or run.lacking or run.broken]
    yield _FACT("production.verified", len(made))
    yield _FACT("production.deviations", len(wrong), of=len(made), checks=", ".join(wrong))
    kept: Told = () if told else (message("the run kept nothing of what its pods are told to be"),)
    yield _FACT("production.told", int(told in ENVIRONMENTS), lacks=kept, what=told)
