"""What a run says of the claims, from whole evidence and from bad."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.data import OVERLAYS
from harness.checks.contract.run import CheckRun, Deviation, DeviationKind, Grade
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.manifests import PatchNote
from harness.model.message import raw_text
from harness.rehearsals.security.checks import ALL, PRODUCTION
from harness.rehearsals.security.facts import CLAIMS, TOLD, asked
from harness.rehearsals.security.rehearsal import REHEARSAL
from harness.rehearsals.security.types import SecurityDetails, SecurityPlan
from harness.run.result import judged
from harness.stack.manifests import load
from harness.stack.manifests.change import environment_as_written
from harness.stack.manifests.forced import reasons
from tests import register as claims
from tests.rehearsal.made import seen

PLAN = SecurityPlan()
ACCOUNT, FIREBASE, *ROLES = CLAIMS
TOO_BROAD, UNRESTRICTED = "security.firebase_admin_too_broad", "security.pods_unrestricted"
WRONG = Deviation(expected="401", got="status 200", grade=Grade.CONTRACT, finding=DeviationKind.STATUS)


def runs(**changes: CheckRun) -> list[CheckRun]:
    """Every check kept, but for ``changes`` by an id with underscores for dots."""
    found = {check.id: CheckRun(id=check.id, sentence=check.sentence, source=check.source) for check in ALL}
    return [changes.get(id_.replace(".", "_"), run) for id_, run in found.items()]


def of(plan: SecurityPlan, checks: list[CheckRun]) -> dict[str, Judgement]:
    return {each.id: each for each in judged(REHEARSAL, plan, seen(SecurityDetails(checks=checks)))}


def told(environment: str, checks: list[CheckRun], plan: SecurityPlan = PLAN) -> tuple[Verdict, bool]:
    """The verdict on what the pods are told to be, and whether it holds the run."""
    found = {
        each.id: each for each in judged(REHEARSAL, plan, seen(SecurityDetails(checks=checks, environment=environment)))
    }
    return found[TOLD].verdict, found[TOLD].holds


def broken(id_: str, deviation: Deviation = WRONG) -> CheckRun:
    return CheckRun(id=id_, sentence="s", deviation=deviation, curl="curl x")


def test_a_whole_run_keeps_everything_and_shows_the_erratum() -> None:
    found = of(PLAN, runs())
    assert found[ACCOUNT].verdict is Verdict.PASS
    assert found[FIREBASE].verdict is Verdict.ERRATUM_SHOWN
    assert found[FIREBASE].erratum == TOO_BROAD
    assert found[FIREBASE].claims == (FIREBASE, *ROLES)
    assert UNRESTRICTED not in found
    assert not any(each.holds for each in found.values())
    assert {TOO_BROAD, UNRESTRICTED} <= set(claims.ERRATA)


@pytest.mark.parametrize("finding", DeviationKind)
def test_a_finding_fails_and_says_what_it_is(finding: DeviationKind) -> None:
    deviation = msgspec.structs.replace(WRONG, finding=finding)
    found = of(PLAN, runs(token_absent=broken("token.absent", deviation)))["token.absent"]
    assert (found.verdict, found.kind, found.holds) == (Verdict.FAIL, Kind.CRITERION, True)
    assert found.reproduce == "curl x"
    assert {"status": "wrong status", "body": "wrong body", "leak": "leaked data", "effect": "wrong effect"}[
        finding.name.lower()
    ] in str(found.notes[0])


def test_a_check_that_was_not_made_holds() -> None:
    found = of(PLAN, runs()[1:])
    assert found[ALL[0].id].verdict is Verdict.INCONCLUSIVE
    assert found[ALL[0].id].holds


def test_a_wrong_account_fails_its_claim() -> None:
    found = of(PLAN, runs(privilege_account=broken("privilege.account")))
    assert found[ACCOUNT].verdict is Verdict.FAIL
    assert found["privilege.account"].holds


def test_pods_that_may_do_more_show_the_erratum_on_them() -> None:
    advice = msgspec.structs.replace(WRONG, grade=Grade.ADVICE)
    found = of(PLAN, runs(privilege_api_token=broken("privilege.api_token", advice)))
    assert found[UNRESTRICTED].erratum == UNRESTRICTED
    assert not found[UNRESTRICTED].holds


def test_no_erratum_is_shown_where_production_mode_found_something() -> None:
    found = of(PLAN, runs(production_none=broken("production.none")))
    assert found[FIREBASE].verdict is Verdict.INCONCLUSIVE
    lacking = CheckRun(id="production.none", sentence="s", lacking=raw_text("no issuer"))
    assert of(PLAN, runs(production_none=lacking))[FIREBASE].verdict is Verdict.INCONCLUSIVE


def test_a_target_of_ones_own_is_not_asked_in_production_mode() -> None:
    plan = SecurityPlan(production=False)
    of_production = {check.id for check in PRODUCTION}
    assert not of_production & set(asked(plan))
    found = of(plan, [run for run in runs() if run.id not in of_production])
    assert found[FIREBASE].verdict is Verdict.NOT_EXERCISED
    assert not any(each.holds for each in found.values())


def test_a_run_that_broke_at_once_exercised_nothing() -> None:
    found = of(PLAN, [])
    assert found[ACCOUNT].verdict is found[FIREBASE].verdict is Verdict.NOT_EXERCISED
    assert all(found[check.id].holds for check in ALL)


def test_pods_that_are_told_production_are_what_was_tried_with_signed_tokens() -> None:
    """Whoever lets one unsigned token in shows nothing by what it is told; another environment's folder is no wrong."""
    assert told("production", runs()) == (Verdict.PASS, False)
    assert told("production", runs(production_none=broken("production.none"))) == (Verdict.INCONCLUSIVE, False)
    lacking = [run for run in runs() if run.id != PRODUCTION[0].id]
    for environment, checks in (("staging", runs()), ("", runs()), ("production", lacking)):
        assert told(environment, checks) == (Verdict.NOT_EXERCISED, False)


def test_what_the_folder_tells_its_pods_is_read_before_the_rehearsal_tells_them_otherwise() -> None:
    """Of the bundled copy, of a team's own folder as a rung has it, and of one that says staging by itself."""
    bundled = load(OVERLAYS / "local")
    assert (bundled.config["environment"], environment_as_written(bundled)) == ("staging", "production")
    own = msgspec.structs.replace(bundled, patches=())
    assert environment_as_written(own) == "staging"
    forced = PatchNote(name="Deployment/api ENVIRONMENT", layer="rung/local", reason=reasons.ENVIRONMENT, forced=True)
    assert environment_as_written(msgspec.structs.replace(own, patches=(forced,))) == "production"
