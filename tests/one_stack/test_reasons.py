"""What the judge of the weeks over one population says of each leg: the figures, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from harness.base.ticks import NS
from harness.checks.invariants import CHECKS, OFF
from harness.load.population.schedule import accounts, on_api, requests_due
from harness.migration.heal import RECONCILE, unreconciled
from harness.model.evidence import FlagRow, RequestRow, Row, SessionRow, Side
from harness.model.judgement import Judgement, Verdict
from harness.model.message import english, message
from harness.rehearsals.one_stack.rehearsal import REHEARSAL
from harness.rehearsals.one_stack.types import STOP, LegSeen, OneStackDetails, legs_of
from harness.rules.flag_log import SHARE, STEADY
from harness.rules.judged import event
from harness.run.result import judged
from tests.one_stack.small import plan
from tests.one_stack.test_judge import COPIED, MIGRATED, MOVED, OLD_WALKS, REAL, deleted, migrated, of_leg, row, went
from tests.rehearsal.made import seen

WEEK_1 = next(legs_of(plan()))


def of(details: OneStackDetails, rows: Iterable[Row] = (), **facts: Any) -> dict[tuple[str, str], Judgement]:
    return {each.key: each for each in judged(REHEARSAL, plan(), seen(details, rows, **facts))}


def test_the_migration_that_counts_is_the_last_of_however_many() -> None:
    left = msgspec.structs.replace(MIGRATED, left=1)
    assert of_leg(COPIED, went(migrated=(left, left, MIGRATED))).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("moved_ns", "at_s", "verdict"),
    [
        (14 * NS, 14, Verdict.INCONCLUSIVE),  # just as the migration began
        (14 * NS, 13.9, Verdict.FAIL),
        (None, 10, Verdict.INCONCLUSIVE),  # nobody had fetched the template: since it was published
        (None, 9.9, Verdict.FAIL),
    ],
)
def test_a_deletion_counts_from_when_the_last_migration_could_begin(
    moved_ns: int | None, at_s: float, verdict: Verdict
) -> None:
    leg = msgspec.structs.replace(migrated(left=1), moved_ns=moved_ns)
    assert of_leg(COPIED, leg, [deleted(at_s, "one")]).verdict is verdict


@pytest.mark.parametrize(("leg", "origin_ns"), [(went(start_ns=None), 0), (went(), None), (went(part="week2"), 0)])
def test_of_a_leg_that_was_not_measured_nothing_is_in_evidence(leg: LegSeen, origin_ns: int | None) -> None:
    found = of(OneStackDetails(origin_ns=origin_ns, legs=[leg]))
    ids = {MOVED, COPIED, OLD_WALKS, SHARE, STEADY, *(each.id for each in plan().weeks[0].criteria)}
    of_leg = {id_: each for (part, id_), each in found.items() if part == "week1"}
    assert set(of_leg) == ids and all(each.holds for each in of_leg.values())


def rows_of_week_1() -> list[Row]:
    """All that its users do in a good leg: they begin, fetch the flag, and then send what is due."""
    api = on_api(WEEK_1.scenario.population, 1)
    users = sorted(each.user for each in accounts(plan().population, 1))
    due = [each for each in requests_due(plan().population, 1, 3 * NS, 48 * NS) if each.due_ns >= 18 * NS]
    flags = [FlagRow(at_ns=NS, user=user, value=user in api, template_version=1, fetched=True) for user in users]
    requests = [
        msgspec.structs.replace(
            row(1, "w", each.user, operation_id=each.id, flag=each.user in api, status=200),
            side=Side.API if each.user in api else Side.FIRESTORE, due_ns=each.due_ns, sent_ns=each.due_ns,
            done_ns=each.due_ns + 1, operation=each.operation,
        )
        for each in sorted(due, key=lambda each: each.user in api)
    ]  # fmt: skip
    sessions = [SessionRow(at_ns=0, user=user, audience="developers", live=True) for user in users]
    return [*sessions, *flags, *requests]


def week_1(rows: list[Row]) -> dict[str, Judgement]:
    """What is said of the leg, whose week is the verdict on a claim by each of its criteria and by its share."""
    details = OneStackDetails(origin_ns=3 * NS, legs=[went(judged_ns=50 * NS, judged_rows=len(rows))])
    first, *others = plan().weeks
    criteria = tuple(
        msgspec.structs.replace(each, claim="rollout.week1.success.error_ratio") for each in first.criteria
    )
    claiming = msgspec.structs.replace(first, criteria=criteria, claims=("rollout.schedule.week1",))
    found = judged(REHEARSAL, plan(weeks=(claiming, *others)), seen(details, rows, capabilities=()))
    return {each.id: each for each in found if each.part == "week1"}


def test_a_leg_is_held_to_the_weeks_criteria_and_answers_for_no_claim() -> None:
    found = week_1(rows_of_week_1())
    assert [*found] == ["success.error_ratio", "rollback.error_ratio", SHARE, STEADY, MOVED, OLD_WALKS]
    assert {(each.claim, each.also) for each in found.values()} == {("", ())}
    error_ratio = found["success.error_ratio"]
    assert (error_ratio.verdict, error_ratio.samples) == (Verdict.PASS, 30)
    assert english(error_ratio.notes) == "the week's own run judges the claim"
    assert "planned" not in error_ratio.reason  # all are in evidence, and of the run's own schedule
    assert found[STEADY].verdict is Verdict.PASS
    assert "flag on for 5 of 50 users" in found[SHARE].reason


def test_a_request_of_a_leg_that_is_not_in_evidence_leaves_it_undecided_who_moved() -> None:
    """Of one to Firestore, of which no criterion asks."""
    rows = rows_of_week_1()
    lost = next(each for each in rows if isinstance(each, RequestRow))
    assert lost.side is Side.FIRESTORE
    found = week_1([each for each in rows if each is not lost])
    assert found["success.error_ratio"].verdict is Verdict.PASS
    assert found[STEADY].verdict is Verdict.INCONCLUSIVE and "1 of 300 requests that were due" in found[STEADY].reason


@pytest.mark.parametrize("instead", [0, 3])
def test_what_a_leg_s_schedule_holds_and_evidence_does_not_counts_as_failed(instead: int) -> None:
    """Whatever else was sent instead, at other times, proves nothing."""
    *rows, one, two, three = rows_of_week_1()
    others = [
        msgspec.structs.replace(each, due_ns=20 * NS) for each in (one, two, three) if isinstance(each, RequestRow)
    ]
    found = week_1([*rows, *others[:instead]])["success.error_ratio"]
    assert "3 of the 30 planned are not in evidence" in found.reason


def rolled_back(**changes: Any) -> dict[tuple[str, str], Judgement]:
    details = OneStackDetails(origin_ns=1, rolled_back="week3", off_ns=10 * NS, back_rows=25)
    users = sorted(on_api([*legs_of(plan())][2].scenario.population, 1))
    return of(msgspec.structs.replace(details, **changes), [row(20, "w", user) for user in users], capabilities=REAL)


def test_a_roll_back_that_never_came_to_its_switch_says_nothing_of_it() -> None:
    assert ("week3", OFF) in rolled_back()
    assert ("week3", OFF) not in rolled_back(off_ns=None)
    assert {part for part, id_ in rolled_back(rolled_back="") if id_ == OFF} == {""}
    assert rolled_back(back_rows=0)["week3", OFF].reason == (
        "the run ended before everybody was back, or no longer waited for"
    )


def test_a_reconcile_that_the_plan_asks_for_and_that_left_no_word_holds() -> None:
    plan_ = plan(roll_back_after=2)
    found = {each.key: each for each in judged(REHEARSAL, plan_, seen(OneStackDetails(), capabilities=REAL))}
    parts = [part for part, id_ in found if id_ == RECONCILE]
    assert parts == ["week2", STOP]
    assert all(found[part, RECONCILE].holds for part in parts)


def test_a_reconcile_that_left_its_word_is_told_by_that() -> None:
    word = msgspec.structs.replace(unreconciled(message("Firestore failed")), part="week3")
    details = OneStackDetails(origin_ns=1, rolled_back="week3", off_ns=10 * NS, back_rows=25)
    found = of(details, [event(1, word)], capabilities=REAL)
    assert found["week3", RECONCILE].reason == "Firestore failed"


def test_every_check_has_a_word_whatever_a_run_left() -> None:
    for origin_ns in (0, None):
        assert {*CHECKS, OFF} <= {id_ for part, id_ in of(OneStackDetails(origin_ns=origin_ns)) if not part}
