"""What counts as evidence, and why not: the page says no more than was seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.data import PLANS
from harness.base.errors import Exit
from harness.cli.main import parse
from harness.model.claim import ShownOn
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import english, message
from harness.model.result import Part
from harness.model.stack import EnvironmentKind, Fault, FaultKind
from harness.rehearsals.infrastructure.command import InfrastructureCommand
from harness.report.signoff.document import held
from harness.report.signoff.states import runs, standings
from harness.report.signoff.types import ClaimStanding, ClaimState, StoredResult
from harness.rules.judged import MEASUREMENT
from harness.run.command import own
from tests import register as claims
from tests.signoff.made import ASKED, judgement, stored

CLAIM = "related.api"
WEEK, BACK = "rollout.week3.success.availability", "rollout.rollback.step1"
OLD: dict[str, Any] = {"started_utc": "2026-01-08T00:00:00.000Z"}
INJECTED: dict[str, Any] = {
    "injected": (Fault(kind=FaultKind.ERRORS, share=0.12).told,),
    "rehearsal": "rollout_week",
    "status": Exit.ROLLED_BACK,
}


def standing(found: Sequence[StoredResult], claim: str = CLAIM) -> ClaimStanding:
    """Where a claim that a cluster proves, and whose errata nobody saw, stands."""
    register = {claim: msgspec.structs.replace(claims.REGISTER[claim], shown_on=ShownOn.KIND, about_go_backend=False)}
    return standings(register, found, ASKED)[0]


def check(name: str, verdict: Verdict, **more: Any) -> Judgement:
    """One of the checks that are the verdict on the claim together."""
    return judgement(CLAIM, verdict, id=name, **more)


# -- the measurement -------------------------------------------------------------------------------------------------


def test_an_error_of_the_measurement_shows_nothing_and_the_run_is_made_again() -> None:
    why = (message("the measurement failed: users-1: its spool ended early"),)
    lost = Judgement(id=MEASUREMENT, kind=Kind.CHECK, verdict=Verdict.INCONCLUSIVE, told=why)
    run = stored("run", check("walks.get", Verdict.PASS), lost, status=10, replay="again")
    found = standing([run])
    assert found.state is ClaimState.NOT_SHOWN and "its spool ended early" in english(found.told)
    assert runs([run], ASKED)[0].broke and held([run], ASKED, "again") == ""
    seen = judgement(CLAIM, Verdict.ERRATUM_SHOWN, erratum="scaling.hpa_takes_back")
    assert standing([stored("run", seen, lost, status=10)]).state is ClaimState.NOT_SHOWN
    assert standing([stored("run", check("walks.get", Verdict.FAIL), lost, status=10)]).state is ClaimState.FAILED


# -- a run that was narrowed -----------------------------------------------------------------------------------------


def test_some_of_the_checks_show_no_claim_and_what_they_saw_fail_counts() -> None:
    for only in ("upsert.b", "upsert.*", "other"):
        run = stored("run", check("upsert.b", Verdict.PASS), only=(only,))
        found = standing([run])
        assert found.state is ClaimState.NOT_SHOWN
        assert english(found.told) == f"narrowed to {only}: not all that judges the claim was made"
        assert english(runs([run], ASKED)[0].limits) == english(found.told)
        assert standing([stored("run", check("upsert.b", Verdict.FAIL), only=(only,))]).state is ClaimState.FAILED


def test_a_check_that_was_chosen_by_its_own_name_is_one_more_try_of_it() -> None:
    whole = stored("whole", check("upsert.a", Verdict.FAIL), check("upsert.b", Verdict.PASS), **OLD)
    again = stored("one", check("upsert.a", Verdict.PASS), only=("upsert.a",))
    assert standing([whole]).state is ClaimState.FAILED
    found = standing([whole, again])
    assert (found.state, found.held, found.tries) == (ClaimState.NOT_SHOWN, 1, 2)
    worse = stored("one", check("upsert.b", Verdict.FAIL), only=("upsert.b",))
    assert standing([stored("good", check("upsert.b", Verdict.PASS), **OLD), worse]).state is ClaimState.FAILED


def in_parts(folder: str, *judgements: Judgement, **more: Any) -> StoredResult:
    """A run of the experiments that ``judgements`` are of."""
    run = stored(folder, *judgements, rehearsal="chaos", **more)
    made = dict.fromkeys(each.part for each in judgements if each.part)
    parts = tuple(Part(name=part, title=message("an experiment")) for part in made)
    return msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, parts=parts))


def placed(*only: str) -> dict[str, str]:
    """The part of each bundled experiment of a run, by the id of its judgement."""
    command: Any = parse(["chaos", "--on", "local", *(f"--only={name}" for name in only)])
    plan = command.planned()
    return {name: plan.part_of(number) for number, name in enumerate(plan.names, 1)}


def test_an_experiment_is_the_same_wherever_a_run_makes_it() -> None:
    """A whole run makes it at another place than one that is narrowed to it, and is whole by itself."""
    alone, among = placed("drain")["drain"], placed()["drain"]
    assert alone != among
    narrow: dict[str, Any] = {"only": ("drain",)}
    passed = in_parts("one", check("drain", Verdict.PASS, part=alone), **narrow)
    assert standing([passed]).state is ClaimState.SHOWN
    assert standing([in_parts("whole", check("drain", Verdict.FAIL, part=among), **OLD), passed]).tries == 2
    failed = in_parts("one", check("drain", Verdict.FAIL, part=alone), **narrow)
    assert (
        standing([in_parts("whole", check("drain", Verdict.PASS, part=among), **OLD), failed]).state
        is ClaimState.FAILED
    )
    killed = check("pod_kill", Verdict.FAIL, part=alone)
    assert standing([in_parts("whole", killed, **OLD), passed]).state is ClaimState.FAILED, "another of the same number"


def test_what_was_looked_at_over_some_parts_is_no_try_of_the_whole() -> None:
    lost, kept = check("writes.acknowledged", Verdict.FAIL), check("writes.acknowledged", Verdict.PASS)
    killed = check("pod_kill", Verdict.PASS, part="1")
    one = in_parts("one", killed, kept, only=("pod_kill",))
    assert standing([in_parts("whole", killed, lost, **OLD), one]).state is ClaimState.FAILED
    assert standing([in_parts("whole", killed, kept, **OLD), one]).state is ClaimState.SHOWN


def test_what_a_narrowed_run_did_not_exercise_takes_the_place_of_nothing() -> None:
    left = check("target_qps", Verdict.NOT_EXERCISED, told=(message("the stages were left out"),))
    knee = stored("knee", left, rehearsal="load_stages", only=("knee",))
    for verdict, state in ((Verdict.FAIL, ClaimState.FAILED), (Verdict.PASS, ClaimState.SHOWN)):
        whole = stored("whole", check("target_qps", verdict), rehearsal="load_stages", **OLD)
        assert standing([whole, knee]).state is state
    assert english(standing([knee]).told) == "the stages were left out"


@pytest.mark.parametrize("name", ["stack", "st*k"])
def test_what_judges_a_claim_alone_shows_it_by_itself(name: str) -> None:
    claim = next(claim.id for claim in claims.REGISTER.values() if claim.whole_in == ("stack",))

    def narrowed(*only: str, of: str = claim) -> ClaimState:
        register = {of: msgspec.structs.replace(claims.REGISTER[of], shown_on=ShownOn.KIND, errata=())}
        run = stored("run", judgement(of, Verdict.PASS), rehearsal="dr_restore", only=only)
        return standings(register, [run], ASKED)[0].state

    assert narrowed(name) is narrowed("sizes", name) is ClaimState.SHOWN
    assert narrowed("sizes") is ClaimState.NOT_SHOWN
    assert narrowed(name, of="dr.rpo") is ClaimState.NOT_SHOWN  # of which the disasters are judges, too


# -- faults ----------------------------------------------------------------------------------------------------------


def test_a_week_with_a_fault_counts_neither_for_nor_against_the_week() -> None:
    good = stored("good", judgement(WEEK, Verdict.PASS), rehearsal="rollout_week", **OLD)
    bad = stored("bad", judgement(WEEK, Verdict.FAIL), **INJECTED)
    found = standing([good, bad], WEEK)
    assert found.state is ClaimState.SHOWN and [each.folder for each in found.evidence] == ["good"]
    alone = standing([bad], WEEK)
    assert alone.state is ClaimState.NOT_SHOWN and "faults were to be injected" in english(alone.told)
    run = runs([bad], ASKED)[0]
    assert not run.left_out and "errors on 12 % of requests" in english(run.limits)
    assert standing([stored("passed", judgement(WEEK, Verdict.PASS), **INJECTED)], WEEK).state is ClaimState.NOT_SHOWN


def test_a_week_with_a_fault_is_the_evidence_of_the_roll_back() -> None:
    """A later week that was not rolled back takes nothing from it."""
    back = stored("back", judgement(BACK, Verdict.PASS), **{**INJECTED, **OLD})
    good = stored("good", judgement(BACK, Verdict.NOT_EXERCISED), rehearsal="rollout_week")
    assert standing([back, good], BACK).state is ClaimState.SHOWN
    late = stored("late", judgement(BACK, Verdict.FAIL), **INJECTED)
    assert standing([back, late], BACK).state is ClaimState.FAILED


# -- a plan of one's own ---------------------------------------------------------------------------------------------


def test_a_plan_of_ones_own_counts_neither_for_nor_against_anything() -> None:
    theirs = stored("theirs", check("a", Verdict.PASS), own=("--plan",))
    found = standing([theirs])
    assert found.state is ClaimState.NOT_SHOWN
    assert english(found.told).endswith("that counts; not the bundled plan: --plan")
    assert runs([theirs], ASKED)[0].left_out
    failed = stored("theirs", check("a", Verdict.FAIL), own=("--quick",))
    assert standing([stored("ours", check("a", Verdict.PASS), **OLD), failed]).state is ClaimState.SHOWN


@pytest.mark.parametrize(
    "line",
    [
        "scaling --plan {mine}",
        "zone_loss --plan {mine}",
        "runbooks --plan {mine}",
        "load_stages --quick",
        "rolling_update --least-calls 1",
        "chaos --only pod_kill,{mine}",
    ],
)
def test_what_asks_for_less_or_by_other_limits_is_said_by_the_run(line: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text((PLANS / "scaling.yaml").read_text("utf-8").replace("up_within: 45s", "up_within: 600s"))
    assert mine.read_text() != (PLANS / "scaling.yaml").read_text("utf-8")
    typed = line.format(mine=mine)
    command: Any = parse(typed.split())
    assert own(command) == (typed.split()[1],)
    local = dataclasses.replace(command, **({"on": "local"} if hasattr(command, "on") else {}))
    assert local.resolved().own == own(command)


@pytest.mark.parametrize(
    "line",
    ["scaling --plan {copy}", "rolling_update --least-calls 5000", "load_stages --pods 2", "chaos --only pod_kill"],
)
def test_what_asks_for_no_less_counts(line: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.yaml"
    copy.write_text("# ours\n" + (PLANS / "scaling.yaml").read_text("utf-8"))
    assert own(parse(line.format(copy=copy).split())) == ()


@pytest.mark.parametrize(
    ("region", "fee", "counts"),
    [("us-central1", "0.10", True), ("us-central1", "0.20", False), ("asia-northeast1", "0.20", True)],
)
def test_a_team_s_prices_count_where_they_are_of_the_document_s_region(
    region: str, fee: str, counts: bool, tmp_path: Path
) -> None:
    mine, bundled = tmp_path / "mine.yaml", (PLANS / "prices.yaml").read_text("utf-8")
    mine.write_text(bundled.replace("region: us-central1", f"region: {region}").replace("hour: $0.10", f"hour: ${fee}"))
    assert f"region: {region}" in mine.read_text() and f"\n  hour: ${fee}\n" in mine.read_text()
    assert own(parse(["cost", "--prices", str(mine)])) == (() if counts else ("--prices",))


def test_a_run_says_to_what_it_was_narrowed() -> None:
    command: Any = parse(["conformance", "--only", "upsert.*,walks.get", "--only", "log.*"])
    assert command.resolved().only == ("upsert.*", "walks.get", "log.*")
    staged: Any = parse(["scaling", "--on", "local", "--only", "manual"])
    assert staged.resolved().only == ("manual",) and staged.resolved().rung is EnvironmentKind.LOCAL


def test_a_checkout_of_ones_own_does_not_take_the_place_of_what_the_document_prints(tmp_path: Path) -> None:
    def planned(*words: str) -> str:
        command = parse(("infrastructure", *words))
        assert isinstance(command, InfrastructureCommand)
        return command.planned().name

    printed, theirs = planned(), planned("--repository", str(tmp_path))
    assert printed == "infrastructure" and theirs != printed
    claim = "iac.autopilot"
    shown = stored("printed", judgement(claim, Verdict.PASS), rehearsal="infrastructure", **OLD)
    failed = stored("theirs", judgement(claim, Verdict.FAIL), rehearsal="infrastructure")
    failed = msgspec.structs.replace(failed, result=msgspec.structs.replace(failed.result, plan=theirs))
    assert [each.folder for each in standing([shown, failed], claim).evidence] == ["theirs", "printed"]
