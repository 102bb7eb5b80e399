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
from harness.judge.judged import MEASUREMENT
from harness.model.judgement import Judgement, Kind
from harness.model.message import english, message
from harness.model.result import Part
from harness.model.stack import Fault, FaultKind, Rung
from harness.model.verdict import Verdict
from harness.rehearsal.command import own
from harness.rehearsals.chaos.judge_run import names, part_of
from harness.rehearsals.infrastructure.command import Infrastructure
from harness.signoff.making import held
from harness.signoff.states import runs, standings
from harness.signoff.types import Standing, State, Stored
from scenarios import claims
from tests.signoff.made import ASKED, judgement, stored

CLAIM = "related.api"
WEEK, BACK = "rollout.week3.success.availability", "rollout.rollback.step1"
OLD: dict[str, Any] = {"started_utc": "2026-01-08T00:00:00.000Z"}
INJECTED: dict[str, Any] = {
    "injected": (Fault(kind=FaultKind.ERRORS, share=0.12).told,),
    "rehearsal": "rollout_week",
    "status": Exit.ROLLED_BACK,
}


def standing(found: Sequence[Stored], claim: str = CLAIM) -> Standing:
    return next(each for each in standings(claims.REGISTER, found, ASKED) if each.claim == claim)


def check(name: str, verdict: Verdict, **more: Any) -> Judgement:
    """One of the checks that are the verdict on the claim together."""
    return judgement(CLAIM, verdict, id=name, **more)


# -- the measurement -------------------------------------------------------------------------------------------------


def test_an_error_of_the_measurement_makes_nothing_ready_and_the_run_is_made_again() -> None:
    why = (message("the measurement failed: users-1: its spool ended early"),)
    lost = Judgement(id=MEASUREMENT, kind=Kind.CHECK, verdict=Verdict.INCONCLUSIVE, told=why)
    run = stored("run", check("walks.get", Verdict.PASS), lost, status=10, replay="again")
    found = standing([run])
    assert found.state is State.NOT_READY and "its spool ended early" in english(found.told)
    assert runs([run], ASKED)[0].broke and held([run], ASKED, "again") == ""
    shown = judgement(CLAIM, Verdict.ERRATUM_SHOWN, erratum="scaling.hpa_takes_back")
    assert standing([stored("run", shown, lost, status=10)]).state is State.NOT_READY
    failed = standing([stored("run", check("walks.get", Verdict.FAIL), lost, status=10)])
    assert failed.state is State.NOT_READY and english(failed.told) == "as it was seen"


# -- a run that was narrowed -----------------------------------------------------------------------------------------


def test_some_of_the_checks_make_no_claim_ready_and_what_they_saw_fail_counts() -> None:
    run = stored("run", check("upsert.b", Verdict.PASS), only=("upsert.b",))
    found = standing([run])
    assert found.state is State.NOT_EXERCISED
    assert english(found.told) == "narrowed to upsert.b: not all that judges the claim was made"
    assert english(runs([run], ASKED)[0].limits) == english(found.told)
    assert standing([stored("run", check("upsert.b", Verdict.FAIL), only=("upsert.b",))]).state is State.NOT_READY


def test_a_narrowed_run_takes_the_place_of_what_it_judged_itself() -> None:
    whole = stored("whole", check("upsert.a", Verdict.FAIL), check("upsert.b", Verdict.PASS), **OLD)
    other = stored("one", check("upsert.b", Verdict.PASS), only=("upsert.b",))
    assert standing([whole, other]).state is State.NOT_READY
    mended = stored("one", check("upsert.a", Verdict.PASS), only=("upsert.a",))
    assert standing([whole, mended]).state is State.READY
    worse = stored("one", check("upsert.b", Verdict.FAIL), only=("upsert.b",))
    good = stored("whole", check("upsert.a", Verdict.PASS), check("upsert.b", Verdict.PASS), **OLD)
    assert standing([good, worse]).state is State.NOT_READY


def test_a_whole_run_takes_the_place_of_all() -> None:
    narrowed = stored("one", check("upsert.b", Verdict.FAIL), only=("upsert.b",), **OLD)
    whole = stored("whole", check("upsert.a", Verdict.PASS))
    found = standing([narrowed, whole])
    assert found.state is State.READY and [each.folder for each in found.evidence] == ["whole"]


def test_a_part_that_was_run_is_whole_and_another_one_of_the_same_number_is_not_it() -> None:
    """Experiments are numbered in the order in which a run makes them."""
    run = stored("run", check("pod_kill", Verdict.PASS, part="1"), only=("pod_kill",))
    parts = msgspec.structs.replace(run.result, parts=(Part(name="1", title=message("pod_kill")),))
    in_part = msgspec.structs.replace(run, result=parts)
    assert standing([in_part]).state is State.READY
    whole = stored("whole", check("drain", Verdict.FAIL, part="1"), **OLD)
    assert standing([whole, in_part]).state is State.NOT_READY


def in_parts(folder: str, *judgements: Judgement, **more: Any) -> Stored:
    """A run of the experiments that ``judgements`` are of."""
    run = stored(folder, *judgements, rehearsal="chaos", **more)
    made = dict.fromkeys(each.part for each in judgements if each.part)
    parts = tuple(Part(name=part, title=message("an experiment")) for part in made)
    return msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, parts=parts))


def placed(*only: str) -> dict[str, str]:
    """The part of each bundled experiment of a run, by the id of its judgement."""
    command: Any = parse(["chaos", "--on", "local", *(f"--only={name}" for name in only)])
    plan = command.planned()
    return {name: part_of(plan, number) for number, name in enumerate(names(plan), 1)}


def test_an_experiment_is_the_same_wherever_a_run_makes_it() -> None:
    """A whole run makes it at another place than one that is narrowed to it."""
    alone, among = placed("drain")["drain"], placed()["drain"]
    assert alone != among
    narrow: dict[str, Any] = {"only": ("drain",)}
    for verdict, state in ((Verdict.PASS, State.READY), (Verdict.FAIL, State.NOT_READY)):
        other = Verdict.FAIL if verdict is Verdict.PASS else Verdict.PASS
        whole = in_parts("whole", check("drain", verdict, part=among))
        assert standing([in_parts("one", check("drain", other, part=alone), **narrow, **OLD), whole]).state is state
        one = in_parts("one", check("drain", verdict, part=alone), **narrow)
        assert standing([in_parts("whole", check("drain", other, part=among), **OLD), one]).state is state


def test_what_was_looked_at_over_some_parts_takes_no_whole_runs_place() -> None:
    """It is evidence where nothing else is, and what it saw fail counts until the same, or all, is looked at again."""
    lost, kept = check("writes.acknowledged", Verdict.FAIL), check("writes.acknowledged", Verdict.PASS)
    killed = check("pod_kill", Verdict.PASS, part="1")
    narrow: dict[str, Any] = {"only": ("pod_kill",)}
    one = in_parts("one", killed, kept, **narrow)
    assert standing([one]).state is State.READY
    assert standing([in_parts("whole", killed, lost, **OLD), one]).state is State.NOT_READY
    assert standing([in_parts("whole", killed, kept, **OLD), one]).state is State.READY
    worse, before = in_parts("worse", killed, lost, **narrow, **OLD), "2026-01-07T00:00:00.000Z"
    assert standing([in_parts("whole", killed, kept, started_utc=before), worse]).state is State.NOT_READY
    assert standing([worse, in_parts("whole", killed, kept)]).state is State.READY
    assert standing([worse, one]).state is State.READY
    assert standing([worse, in_parts("other", killed, kept, only=("drain",))]).state is State.NOT_READY


@pytest.mark.parametrize(
    ("verdict", "state"), [(Verdict.FAIL, State.NOT_READY), (Verdict.PASS, State.READY)], ids=["failed", "passed"]
)
def test_what_a_narrowed_run_did_not_exercise_takes_the_place_of_nothing(verdict: Verdict, state: State) -> None:
    whole = stored("whole", check("target_qps", verdict), rehearsal="load_stages", **OLD)
    left = check("target_qps", Verdict.NOT_EXERCISED, told=(message("the stages were left out"),))
    knee = stored("knee", left, rehearsal="load_stages", only=("knee",))
    assert standing([whole, knee]).state is state
    alone = standing([knee])
    assert alone.state is State.NOT_EXERCISED and english(alone.told) == "the stages were left out"


@pytest.mark.parametrize("claim", ["dr.restore.step2", "dr.restore.step3"])
@pytest.mark.parametrize("name", ["stack", "st*k"])
def test_what_judges_a_claim_alone_makes_it_ready_by_itself(claim: str, name: str) -> None:
    def narrowed(*only: str, of: str = claim) -> Standing:
        return standing([stored("run", judgement(of, Verdict.PASS), rehearsal="dr_restore", only=only)], of)

    assert narrowed(name).state is narrowed("sizes", name).state is State.READY
    assert narrowed("sizes").state is State.NOT_EXERCISED
    assert narrowed(name, of="dr.rpo").state is State.NOT_EXERCISED  # of which the disasters are judges, too


# -- faults ----------------------------------------------------------------------------------------------------------


def test_a_week_with_a_fault_counts_neither_for_nor_against_the_week() -> None:
    good = stored("good", judgement(WEEK, Verdict.PASS), rehearsal="rollout_week", **OLD)
    bad = stored("bad", judgement(WEEK, Verdict.FAIL), **INJECTED)
    found = standing([good, bad], WEEK)
    assert found.state is State.READY and [each.folder for each in found.evidence] == ["good"]
    alone = standing([bad], WEEK)
    assert alone.state is State.NOT_EXERCISED and "faults were to be injected" in english(alone.told)
    run = runs([bad], ASKED)[0]
    assert not run.left_out and "errors on 12 % of requests" in english(run.limits)
    assert standing([stored("passed", judgement(WEEK, Verdict.PASS), **INJECTED)], WEEK).state is State.NOT_EXERCISED


def test_a_week_with_a_fault_is_the_evidence_of_the_roll_back() -> None:
    """A later week that was not rolled back takes nothing from it."""
    back = stored("back", judgement(BACK, Verdict.PASS), **{**INJECTED, **OLD})
    good = stored("good", judgement(BACK, Verdict.NOT_EXERCISED), rehearsal="rollout_week")
    assert standing([back, good], BACK).state is State.READY
    late = stored("late", judgement(BACK, Verdict.FAIL), **INJECTED)
    assert standing([back, late], BACK).state is State.NOT_READY


# -- a plan of one's own ---------------------------------------------------------------------------------------------


def test_a_plan_of_ones_own_counts_neither_for_nor_against_anything() -> None:
    theirs = stored("theirs", check("a", Verdict.PASS), own=("--plan",))
    found = standing([theirs])
    assert found.state is State.NOT_EXERCISED
    assert english(found.told).endswith("that counts; not the bundled plan: --plan")
    assert runs([theirs], ASKED)[0].left_out
    failed = stored("theirs", check("a", Verdict.FAIL), own=("--quick",))
    assert standing([stored("ours", check("a", Verdict.PASS), **OLD), failed]).state is State.READY


@pytest.mark.parametrize(
    "line",
    [
        "scaling --plan {mine}",
        "zone_loss --plan {mine}",
        "runbooks --plan {mine}",
        "cost --prices {mine}",
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


def test_a_run_says_to_what_it_was_narrowed() -> None:
    command: Any = parse(["conformance", "--only", "upsert.*,walks.get", "--only", "log.*"])
    assert command.resolved().only == ("upsert.*", "walks.get", "log.*")
    staged: Any = parse(["scaling", "--on", "local", "--only", "manual"])
    assert staged.resolved().only == ("manual",) and staged.resolved().rung is Rung.LOCAL


def test_a_checkout_of_ones_own_does_not_take_the_place_of_what_the_document_prints(tmp_path: Path) -> None:
    def planned(*words: str) -> str:
        command = parse(("infrastructure", *words))
        assert isinstance(command, Infrastructure)
        return command.planned().name

    printed, theirs = planned(), planned("--repository", str(tmp_path))
    assert printed == "infrastructure" and theirs != printed
    claim = "iac.autopilot"
    shown = stored("printed", judgement(claim, Verdict.PASS), rehearsal="infrastructure", **OLD)
    failed = stored("theirs", judgement(claim, Verdict.FAIL), rehearsal="infrastructure")
    failed = msgspec.structs.replace(failed, result=msgspec.structs.replace(failed.result, plan=theirs))
    assert [each.folder for each in standing([shown, failed], claim).evidence] == ["theirs", "printed"]
