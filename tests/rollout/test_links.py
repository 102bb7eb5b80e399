"""The last week's check, and the steps of a roll back: what is not as the document has it does not pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import msgspec
import pytest

from harness.base.clock import NS
from harness.base.errors import Exit
from harness.checks.off_in_time import FLAG
from harness.evidence.store import Gathered
from harness.load.population.schedule import due_list
from harness.model.evidence import Due, EventRow, Operation, Outcome, Row
from harness.model.judgement import Decision, Verdict
from harness.model.message import english
from harness.model.stack import Capability
from harness.rehearsals.rollout.facts import of_roll_back
from harness.rehearsals.rollout.observed import EMPTY, ObservedWindow, WeekDetails, observed
from harness.rehearsals.rollout.sequence import (
    PlannedWeek,
    RolloutDetails,
    RolloutPlan,
    WeekAttempt,
    final_check,
    stands,
)
from harness.rehearsals.rollout.sequence import judged_week as judged_rollout_week
from harness.rehearsals.rollout.week import REHEARSAL
from harness.run.rehearsal import RunRecord
from harness.run.scenarios.load import load
from tests.rehearsal.made import facts
from tests.rollout.planted import ruled
from tests.rules.evidence import request
from tests.rules.test_week_beside import pod, sampled

PLAN = load("rollout_week3")
REAL = (Capability.REAL_PROCESSES,)


def attempt(week: int, decision: Decision = Decision.ADVANCE) -> WeekAttempt:
    status = Exit.OK if decision is Decision.ADVANCE else Exit.HOLD
    return WeekAttempt(week=week, attempt=1, started_utc="", seconds=1.0, decision=decision, exit_status=int(status))


@pytest.mark.parametrize(
    ("begun", "verdict"),
    [
        ({week: attempt(week) for week in (1, 2, 3, 4)}, Verdict.PASS),
        ({week: attempt(week) for week in (1, 2, 3)}, Verdict.NOT_EXERCISED),
        ({1: attempt(1), 2: attempt(2, Decision.HOLD)}, Verdict.INCONCLUSIVE),
        ({1: attempt(1), 2: attempt(2, Decision.ROLL_BACK)}, Verdict.FAIL),
        ({}, Verdict.NOT_EXERCISED),
    ],
)
def test_the_final_check_wants_all_four_weeks(begun: dict[int, WeekAttempt], verdict: Verdict) -> None:
    found = final_check(begun)
    assert (found.claim, found.verdict, found.gates) == ("rollout.week4.check", verdict, False)


def test_a_rollout_without_a_word_of_its_week_may_have_been_killed() -> None:
    """Its page was written when the week began, and is all that a killed rollout leaves."""
    plan = RolloutPlan(weeks=tuple(PlannedWeek(week=week, scenario=load(f"rollout_week{week}")) for week in (1, 2)))
    told = stands(plan, RolloutDetails(rollout="r1", attempts=(attempt(1),)), ended=True)
    assert english(told) == "Week 2 has not reported: it is under way, or was killed; week 1 advanced."


def test_weeks_of_two_programs_are_not_the_four_weeks_of_either() -> None:
    """Held in week 3, mended, and resumed with the new image: nobody has seen that one in weeks 1 and 2."""
    of = {week: "sha256:old" if week < 3 else "sha256:new" for week in (1, 2, 3, 4)}
    begun = {week: msgspec.structs.replace(attempt(week), target_digest=digest) for week, digest in of.items()}
    found = final_check(begun, "sha256:new")
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "advanced with another program or image: week 1, 2")
    assert (
        judged_rollout_week(1, begun[1], "sha256:new").notes
        and not judged_rollout_week(3, begun[3], "sha256:new").notes
    )
    unknown = {week: attempt(week) for week in begun}
    assert final_check(unknown, "sha256:new").verdict is final_check(begun, "").verdict is Verdict.PASS


def rolled_back(off_after_s: float | None) -> ObservedWindow:
    decided = EventRow(at_ns=NS, kind="decision", subject=str(Decision.ROLL_BACK), message="")
    off = (
        None
        if off_after_s is None
        else EventRow(at_ns=NS + int(off_after_s * NS), kind="flag", subject="f", message="")
    )
    return ObservedWindow(planned=EMPTY, window=EMPTY, seed=1, bucket="", decision=decided, off=off)


def step(
    number: int,
    week: ObservedWindow,
    logged: tuple[str, ...] | None = None,
    *rows: Row,
    capabilities: Sequence[str] = REAL,
) -> tuple[Verdict, str] | None:
    """What became of a step of a roll back; ``None``: nothing is said."""
    evidence = Gathered()
    evidence.see(rows)
    found = ruled(PLAN, of_roll_back(week, evidence, logged), capabilities=capabilities)
    told = found.get(f"rollout.rollback.step{number}")
    return None if told is None else (told.verdict, told.reason)


@pytest.mark.parametrize(
    ("off_after_s", "verdict"), [(2.0, Verdict.PASS), (PLAN.switch_over_limit_s + 1, Verdict.FAIL), (None, None)]
)
def test_a_flag_that_went_off_too_late_or_never_passes_no_step(
    off_after_s: float | None, verdict: Verdict | None
) -> None:
    found = step(1, rolled_back(off_after_s))
    assert (found and found[0]) == verdict


def test_of_a_run_that_was_not_rolled_back_no_step_is_exercised() -> None:
    week = dataclasses.replace(rolled_back(1.0), decision=None)
    assert [step(number, week) for number in (1, 2, 3)] == [(Verdict.NOT_EXERCISED, "the run was not rolled back")] * 3
    assert step(2, rolled_back(1.0)) is None, "the check of the clients says it"


def test_a_flag_that_stood_off_before_the_decision_is_not_what_the_roll_back_published() -> None:
    def row(at_s: int, kind: str, subject: str, **data: int) -> EventRow:
        return EventRow(at_ns=at_s * NS, kind=kind, subject=subject, message="", data=data)

    window = row(2, "phase", "window", start_ns=2 * NS, end_ns=9 * NS, seed=1)
    window = msgspec.structs.replace(window, data={**window.data, "bucket": ""})
    before = [row(1, "flag", FLAG, on=0), window, row(5, "decision", str(Decision.ROLL_BACK))]
    assert observed(before).off is None
    after = row(6, "flag", FLAG, on=0)
    assert observed([*before, after]).off == after
    assert step(1, observed(before)) is None


@pytest.mark.parametrize(
    ("measured", "logged", "verdict", "words"),
    [
        (("a", "b"), ("a", "b", "envoy"), Verdict.PASS, "ready pods without a log: 0 of 2"),
        (("a", "b"), ("a",), Verdict.FAIL, "(b)"),
        (("a", "b"), (), Verdict.FAIL, "(a, b)"),
        (("a",), ("a", "b"), Verdict.INCONCLUSIVE, "(b)"),
        ((), ("a", "b"), Verdict.INCONCLUSIVE, "(a, b)"),
        (("a", "b"), None, Verdict.NOT_EXERCISED, "no pod's log was looked for"),
        ((), None, Verdict.INCONCLUSIVE, "no pod's log was looked for"),
    ],
)
def test_without_log_and_metrics_of_every_pod_no_cause_can_be_looked_for(
    measured: tuple[str, ...], logged: tuple[str, ...] | None, verdict: Verdict, words: str
) -> None:
    found = step(3, rolled_back(1.0), logged, pod("a"), pod("b"), *sampled(*measured))
    assert found is not None and found[0] is verdict and words in found[1]


def test_a_simulated_roll_back_has_no_pods_to_keep_anything_of() -> None:
    assert step(3, rolled_back(1.0), capabilities=()) == (Verdict.NOT_EXERCISED, "the environment lacks real processes")


def test_where_no_pod_became_ready_nothing_is_known() -> None:
    found = step(3, rolled_back(1.0), ("a",))
    assert found is not None and found[0] is Verdict.INCONCLUSIVE


def test_a_week_that_was_rolled_back_after_ten_seconds_was_no_load_test() -> None:
    start_ns, end_ns = NS, round((1 + PLAN.window_s) * NS)
    began = {"start_ns": start_ns, "end_ns": end_ns, "seed": 3, "bucket": ""}
    seen = RunRecord(facts=facts(), details=WeekDetails(), evidence=Gathered())
    seen.evidence.see([EventRow(at_ns=NS, kind="phase", subject="window", message="", data=began)])
    due = [each for each in due_list(PLAN, 3, start_ns, end_ns).requests if each.due_ns < 11 * NS]
    seen.evidence.see(
        msgspec.structs.replace(request(0.0, user=each.user), operation_id=each.id, due_ns=each.due_ns, sent_ns=each.due_ns, done_ns=each.due_ns + 1)
        for each in due
    )  # fmt: skip
    seen.evidence.see([EventRow(at_ns=11 * NS, kind="decision", subject=str(Decision.ROLL_BACK), message="")])
    found = next(each for each in REHEARSAL.by_rules(PLAN, seen) if each.claim == "rollout.week3.check")
    assert (found.verdict, found.samples) == (Verdict.INCONCLUSIVE, 50)
    came = "250 users on the API, each with one request in 50 s: 5/s came, 5/s of them answered well"
    assert found.reason == f"the window was cut short; {came}"


def test_a_window_that_was_cut_short_fails_by_no_operation_that_a_lost_request_may_have_done_well() -> None:
    """Rolled back with every PUT refused: one whose row is lost may have been answered well."""
    plan, end_ns = load("rollout_week1"), 61 * NS
    due = [*due_list(plan, 3, NS, end_ns).requests]
    refused = [each for each in due if each.operation is Operation.PUT_WALK]

    def verdict(there: list[Due]) -> Verdict:
        seen = RunRecord(facts=facts(), details=WeekDetails(), evidence=Gathered())
        began = {"start_ns": NS, "end_ns": round((1 + plan.window_s) * NS), "seed": 3, "bucket": ""}
        seen.evidence.see([EventRow(at_ns=NS, kind="phase", subject="window", message="", data=began)])
        for each in there:
            outcome = Outcome.SERVER_ERROR if each in refused else Outcome.OK
            row = request(0.0, user=each.user, operation=each.operation or Operation.GET_WALK, outcome=outcome)
            times = {"due_ns": each.due_ns, "sent_ns": each.due_ns, "done_ns": each.due_ns + 1}
            seen.evidence.see([msgspec.structs.replace(row, operation_id=each.id, **times)])
        seen.evidence.see([EventRow(at_ns=end_ns, kind="decision", subject=str(Decision.ROLL_BACK), message="")])
        return next(each.verdict for each in REHEARSAL.by_rules(plan, seen) if each.claim == "rollout.week1.check")

    assert verdict(due) is Verdict.FAIL
    assert verdict([each for each in due if each != refused[-1]]) is Verdict.INCONCLUSIVE
