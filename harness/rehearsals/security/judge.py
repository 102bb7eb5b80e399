"""What a run says of the target's security: each check, and the document's claims that some of them bear on. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.contract import judged as contract
from harness.contract.chosen import chosen
from harness.model.judgement import Judgement, Kind, observation
from harness.model.message import Message, Told, message
from harness.model.verdict import Verdict
from harness.rehearsals.security.checks import ALL, PRODUCTION
from harness.rehearsals.security.types import SecurityDetails, SecurityPlan

ACCOUNT, FIREBASE, LEAST = "security.workload_identity", "security.iam.firebase", "security.least_privilege"
TOO_BROAD = "security.firebase_admin_too_broad"
#: The roles against the calls that are made.
ROLES = (LEAST, "checklist.security.workload_identity")
CLAIMS = (ACCOUNT, FIREBASE, *ROLES)
UNRESTRICTED = "security.pods_unrestricted"
_OF_PODS = ("privilege.api_token", "privilege.context")
#: The check whose verdict is the claim's.
_OF_ACCOUNT = "privilege.account"


def asked(plan: SecurityPlan) -> list[str]:
    """The ids of the checks that the plan asks for."""
    of_production = {check.id for check in PRODUCTION}
    return [check.id for check in chosen(ALL, plan.only) if plan.production or check.id not in of_production]


def judged(plan: SecurityPlan, details: SecurityDetails) -> Iterator[Judgement]:
    """All of them in the order in which people read them, then the claims."""
    checks = [*contract.judged(details.checks, ALL, {})]
    yield from checks
    yield _of_account(checks)
    yield from _of_pods(details)
    yield _of_roles(plan, details)


def _of_account(checks: list[Judgement]) -> Judgement:
    """Whether the pods run under the account that the document prints."""
    found = next((each for each in checks if each.id == _OF_ACCOUNT), None)
    told = found.told if found else (message("the check {check} was not made", check=_OF_ACCOUNT),)
    verdict = found.verdict if found else Verdict.NOT_EXERCISED
    return _claim(ACCOUNT, verdict, told)


def _of_pods(details: SecurityDetails) -> Iterator[Judgement]:
    """The erratum on what Workload Identity takes away, where the pods may do more than they need."""
    found = [run for run in details.checks if run.id in _OF_PODS and run.deviation is not None]
    if found:
        told = tuple(Message(text=run.sentence) for run in found)
        why = message("not kept by the manifests that were applied:")
        yield observation(UNRESTRICTED, (why, *told), erratum=UNRESTRICTED)


def _of_roles(plan: SecurityPlan, details: SecurityDetails) -> Judgement:
    """Whether the role Firebase Admin is needed: who verified tokens has a service account that exists nowhere."""
    wanted = {check.id for check in PRODUCTION}
    ran = [run for run in details.checks if run.id in wanted]
    wrong = [run.id for run in ran if run.deviation or run.lacking or run.broken]
    if not plan.production or len(ran) < len(wanted):
        why = message("the production mode of the bundled API was not tried whole")
        return _claim(FIREBASE, Verdict.NOT_EXERCISED, (why,), also=ROLES)
    if wrong:
        why = message(
            "not shown: of the checks in production mode these are not kept: {checks}", checks=", ".join(wrong)
        )
        return _claim(FIREBASE, Verdict.INCONCLUSIVE, (why,), also=ROLES)
    why = message(
        "signed tokens were verified in {count} checks by a process whose service account exists nowhere: the role "
        "Firebase Admin is not needed for it",
        count=str(len(ran)),
    )
    return _claim(FIREBASE, Verdict.ERRATUM_SHOWN, (why,), also=ROLES, erratum=TOO_BROAD)


def _claim(claim: str, verdict: Verdict, told: Told, *, also: tuple[str, ...] = (), erratum: str = "") -> Judgement:
    return Judgement(
        id=claim, claim=claim, also=also, kind=Kind.CHECK, gates=False, verdict=verdict, told=told, erratum=erratum
    )
