"""What made a claim ready before, and does so no more: the findings 11 to 20 of "ready, and too generous"; and what was
asked for too strictly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.data import OVERLAYS
from harness.checks.as_printed import PRINTED, applied, as_printed
from harness.checks.contract.run import CheckRun
from harness.cli.main import parse
from harness.model.claim import ShownOn
from harness.model.judgement import Verdict
from harness.model.stack import EnvironmentKind
from harness.rehearsals.conformance.rehearsal import REHEARSAL as conformance
from harness.rehearsals.conformance.types import ConformanceDetails, ConformancePlan
from harness.rehearsals.operations.facts import CLAIMS, TOPICS
from harness.rehearsals.operations.rehearsal import REHEARSAL, row
from harness.rehearsals.operations.seen.facts import Reviewed
from harness.rehearsals.operations.types import OperationsPlan, Task
from harness.report.signoff.document import of_phase
from harness.report.signoff.states import runs, standings
from harness.report.signoff.types import ClaimState, StoredResult
from harness.run import result as conclude
from harness.stack.manifests import load
from tests.cost.made import BUNDLED, PLAN, changed, of_document
from tests.operations.made import details
from tests.register import REGISTER
from tests.rehearsal import made
from tests.rehearsal.made import by_id, facts, seen
from tests.signoff.made import ASKED, judgement, stored

PASS, FAIL, LEFT = Verdict.PASS, Verdict.FAIL, Verdict.NOT_EXERCISED
COPY = applied(load(OVERLAYS / "local"))
ACCOUNT, SERVICE_ACCOUNT = "security.workload_identity", "manifest.serviceaccount"
SLI = tuple(claim for claim in REGISTER if claim.startswith("sli."))
LEARNING = ("decision.learning", "requirements.learning")
MONITORING, SCRIPT = "phase2.monitoring", "checklist.migration.script"


def state(claim: str, *found: StoredResult) -> ClaimState:
    """Where the register's claim stands."""
    return next(each.state for each in standings(REGISTER, found, ASKED) if each.claim == claim)


def passed(claim: str, verdict: Verdict = PASS, **more: Any) -> StoredResult:
    """A run of nothing else."""
    return stored("run", judgement(claim, verdict), **more)


@pytest.mark.parametrize("claim", PRINTED)
def test_a_copy_of_what_is_printed_keeps_nothing_and_a_teams_own_manifests_do(claim: str) -> None:
    by_copy = {each.id: each for each in as_printed(COPY, own=False)}
    by_own = {each.id: each for each in as_printed(COPY, own=True)}
    wrong = by_own[claim].verdict is Verdict.ERRATUM_SHOWN
    assert by_copy[claim].verdict is (Verdict.ERRATUM_SHOWN if wrong else LEFT)
    assert wrong or state(claim, stored("run", by_copy[claim])) is ClaimState.NOT_SHOWN
    other = as_printed(msgspec.structs.replace(COPY, service_port=8081), own=False)
    assert any(each.verdict is FAIL for each in other), "what the copy does not keep still fails"


@pytest.mark.parametrize(("named", "given"), [("file", True), ("option", True), ("", False)])
def test_manifests_of_the_targets_own_file_are_a_teams_own(tmp_path: Path, named: str, given: bool) -> None:
    folder = OVERLAYS / "local"
    (tmp_path / "target.yaml").write_text("command: sh\n" + (f"manifests: {folder}\n" if named == "file" else ""))
    option = ["--manifests", str(folder)] if named == "option" else []
    typed: Any = parse(["rollout", "--on", "local", "--target", str(tmp_path / "target.yaml"), *option])
    placed = typed.placed(1, "en", typed.manifests)
    assert placed.in_place == ((f"--manifests {folder}",) if given else ())


@pytest.mark.parametrize(
    ("claim", "rung"),
    [
        *(
            (claim, rung)
            for claim in (ACCOUNT, SERVICE_ACCOUNT)
            for rung in (EnvironmentKind.KIND, EnvironmentKind.KUBE)
        ),  # an annotation
        *(
            (claim, rung) for claim in SLI for rung in (EnvironmentKind.LOCAL, EnvironmentKind.KUBE)
        ),  # by our own generator
        ("learning.phase6", EnvironmentKind.KIND),  # an Ingress without a controller
        ("checklist.security.csi", EnvironmentKind.KIND),  # a driver of our own
        ("checklist.security.tls", EnvironmentKind.KIND),  # a controller of our own
    ],
)
def test_a_pass_where_less_is_proved_shows_nothing_and_a_fail_counts(claim: str, rung: EnvironmentKind) -> None:
    assert state(claim, passed(claim, rung=rung)) is ClaimState.NOT_SHOWN
    assert state(claim, passed(claim, FAIL, rung=rung)) is ClaimState.FAILED


def test_alerts_in_minutes_divided_by_fifteen_show_nothing_and_no_alert_is_a_dashboard() -> None:
    quick = passed(MONITORING, rehearsal="alert_drill", rung=EnvironmentKind.LOCAL, smaller=("--scale 15",))
    whole = passed(MONITORING, rehearsal="alert_drill", rung=EnvironmentKind.LOCAL)
    assert [state(MONITORING, each) for each in (quick, whole)] == [ClaimState.NOT_SHOWN, ClaimState.SHOWN]
    assert state("phase2.dashboard", whole) is ClaimState.NOT_SHOWN


def test_one_alert_refused_leaves_the_alerts_not_shown() -> None:
    told = (("alert.latency_p95", PASS), ("alert.availability", Verdict.INCONCLUSIVE))
    fires = [judgement(alert, verdict, id=f"{alert}.fires", also=(MONITORING,)) for alert, verdict in told]
    assert state(MONITORING, stored("run", *fires, rehearsal="alert_drill")) is ClaimState.NOT_SHOWN


@pytest.mark.parametrize("claim", [*LEARNING, "phase2.dashboard", "rollout.rollback.analysis"])
def test_what_people_do_is_theirs_whatever_a_run_says(claim: str) -> None:
    assert REGISTER[claim].shown_on is ShownOn.PERSON
    assert state(claim, passed(claim)) is ClaimState.NOT_SHOWN


def test_kept_files_show_that_they_are_kept_and_no_analysis_of_the_cause() -> None:
    step = "rollout.rollback.step3"
    run = passed(step, rehearsal="rollout", rung=EnvironmentKind.LOCAL)
    assert (state(step, run), state("rollout.rollback.analysis", run)) == (ClaimState.SHOWN, ClaimState.NOT_SHOWN)


def test_our_own_contract_is_not_the_teams_openapi_file_and_our_schema_not_theirs() -> None:
    asked = {each.claim for each in conformance.expected(ConformancePlan(only=(), fuzz_s=60), facts())}
    assert not asked & {"related.api", "related.schema"}
    assert REGISTER["related.schema"].shown_on is ShownOn.PERSON
    runs = [
        CheckRun(id=id_, sentence="as it must") for id_ in ("walks.create", "postgres.rows", "openapi.answers.create")
    ]
    found = conformance.by_rules(ConformancePlan(openapi="openapi.yaml"), seen(ConformanceDetails(checks=runs)))
    assert {each.id for each in found if "related.api" in each.claims} == {"openapi.answers.create"}


@pytest.mark.parametrize("claim", ["strategy.versus.cost", "strategy.merit.cost"])
def test_what_no_prices_refute_is_not_counted_as_shown(claim: str) -> None:
    assert not of_phase(REGISTER[claim], 2)


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ((PASS, EnvironmentKind.LOCAL), PASS),  # less is proved than the claim says, and the figure is there
        ((LEFT, EnvironmentKind.LOCAL), Verdict.INCONCLUSIVE),
        ((Verdict.INCONCLUSIVE, EnvironmentKind.LOCAL), Verdict.INCONCLUSIVE),
        ((FAIL, EnvironmentKind.LOCAL), Verdict.INCONCLUSIVE),
    ],
)
@pytest.mark.parametrize("task", [Task.WEEKLY, Task.MONTHLY])
def test_a_review_needs_a_verdict_on_each_topic_and_none_that_failed(
    task: Task, told: tuple[Verdict, EnvironmentKind], verdict: Verdict
) -> None:
    """Any state of any claim was enough."""
    claims = [next(claim for claim in REGISTER if claim.startswith(f"{topic}.")) for topic in TOPICS[task]]
    run = stored("run", *(judgement(claim, told[0]) for claim in claims), rung=told[1])
    seen = runs([run], ASKED)
    rows = [row(each, {"run": seen[0]}) for each in standings(REGISTER, [run], ASKED) if each.claim in claims]
    assert reviewed(task, rows) is verdict


def reviewed(task: Task, rows: list[Reviewed]) -> Verdict:
    of = details()
    of.reviewed = rows
    return by_id(conclude.judged(REHEARSAL, OperationsPlan(task=task), made.seen(of)))[CLAIMS[task]].verdict


# -- too strict ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", ["cost.total", "checklist.cost.budget"])
def test_a_sum_of_the_documents_own_parts_needs_no_prices(claim: str) -> None:
    assert of_document(BUNDLED)[claim].verdict is PASS
    assert of_document(changed(BUNDLED, printed__storage_usd=11.0))[claim].verdict is FAIL
    assert of_document(PLAN)[claim].verdict is Verdict.ERRATUM_SHOWN, "by the region's own prices its parts are wrong"


@pytest.mark.parametrize(("option", "least"), [("--kills 1", ClaimState.SHOWN), ("--pace 5s", ClaimState.NOT_SHOWN)])
def test_a_migration_of_fewer_walks_shows_the_script_as_the_document_names_no_number(
    option: str, least: ClaimState
) -> None:
    assert (
        state(SCRIPT, passed(SCRIPT, rehearsal="migration_drill", rung=EnvironmentKind.LOCAL, smaller=(option,)))
        is least
    )
