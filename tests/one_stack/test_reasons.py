"""What the judge of the weeks over one population says of each leg: the figures, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from harness.base.units import Unit
from harness.checks.invariants import CHECKS, OFF
from harness.judge.flag_log import SHARE, STEADY
from harness.judge.judged import event
from harness.judge.window import NS
from harness.load.population.accounts import accounts, on_api
from harness.load.population.due import requests_due
from harness.migration.healing import RECONCILE, unreconciled
from harness.model.evidence import FlagRow, RequestRow, Row, SessionRow, Side
from harness.model.judgement import Judgement
from harness.model.message import english, message
from harness.model.verdict import Verdict
from harness.rehearsal.conclude import judged
from harness.rehearsals.one_stack.judge import (
    COPIED,
    MOVED,
    OLD_WALKS,
    copied,
    moved_in_time,
    old_walks,
)
from harness.rehearsals.one_stack.rehearsal import REHEARSAL
from harness.rehearsals.one_stack.types import STOP, Asked, LegSeen, OneStackDetails, legs_of
from tests.one_stack.small import plan
from tests.one_stack.test_judge import MEANWHILE, MIGRATED, REAL, deleted, migrated, row, went
from tests.rehearsal.made import seen

WEEK_1 = next(legs_of(plan()))


def shown(found: Judgement) -> tuple[object, ...]:
    """The figures, in the order of a report."""
    return found.value, found.limit, found.unit, found.samples


def of(details: OneStackDetails, rows: Iterable[Row] = (), **facts: Any) -> dict[tuple[str, str], Judgement]:
    return {each.key: each for each in judged(REHEARSAL, plan(), seen(details, rows, **facts))}


@pytest.mark.parametrize(
    ("leg", "verdict", "reason", "figures"),
    [
        (went(), Verdict.PASS, "5 users moved; the last of 5 on the API had fetched it after 4.0 s",
         (4.0, None, Unit.SECONDS, 5)),
        (went(moving=2, moved_ns=14_260_000_000), Verdict.PASS,
         "2 users moved; the last of 5 on the API had fetched it after 4.3 s", (4.26, None, Unit.SECONDS, 5)),
        (went(moved_ns=None), Verdict.FAIL, "somebody had not fetched it when all should have",
         (None, None, Unit.NONE, 0)),
    ],
)  # fmt: skip
def test_who_moved_is_told_with_the_time_that_the_last_one_took(
    leg: LegSeen, verdict: Verdict, reason: str, figures: tuple[object, ...]
) -> None:
    found = moved_in_time(WEEK_1, leg)
    assert (found.id, found.verdict, found.reason) == (MOVED, verdict, reason)
    assert english(found.asked) == "everybody has fetched the template of the week"
    assert shown(found) == figures


WALKS = "5 users asked for 7 walks that they have not written since: {} are not there, {} lack locations"
NOBODY = "the environment has nothing to migrate to: nobody copied them"


@pytest.mark.parametrize(
    ("leg", "verdict", "reason", "lost"),
    [
        (went(), Verdict.PASS, WALKS.format(0, 0), 0),
        (went(asked=Asked(users=5, walks=7, missing=3, short=1, examples=("w: 404",))), Verdict.FAIL,
         WALKS.format(3, 1), 4),
        (went(migrated=(), asked=Asked(users=5, walks=7, missing=3, short=0, unknown=3)), Verdict.ERRATUM_SHOWN,
         f"{WALKS.format(3, 0)}; {NOBODY}", 3),
        # As many that are not there as lack locations are lost all the same.
        (went(migrated=(), asked=Asked(users=5, walks=7, missing=2, short=2, unknown=2, behind=2)),
         Verdict.ERRATUM_SHOWN, f"{WALKS.format(2, 2)}; {NOBODY}", 4),
        (went(migrated=(), asked=Asked(users=5, walks=7, missing=3, short=0)), Verdict.INCONCLUSIVE,
         f"{WALKS.format(3, 0)}; {NOBODY}; the run did not keep what the API answered", 3),
    ],
)  # fmt: skip
def test_old_walks_are_told_by_what_their_owners_found(leg: LegSeen, verdict: Verdict, reason: str, lost: int) -> None:
    found = old_walks(leg)
    assert (found.id, found.verdict, found.reason) == (OLD_WALKS, verdict, reason)
    assert english(found.asked) == "users who have moved find their old walks at the API"
    assert shown(found) == (lost, 0, Unit.WALKS, 7)
    assert leg.asked is not None and found.examples == leg.asked.examples


@pytest.mark.parametrize(
    ("leg", "reason"),
    [(went(asked=None), "none of the users who moved had an old walk"), (went(asked=None, moving=0), "nobody moved")],
)
def test_where_no_old_walk_was_asked_for_it_is_said_why(leg: LegSeen, reason: str) -> None:
    found = old_walks(leg)
    assert (found.id, found.reason, found.samples) == (OLD_WALKS, reason, 0)
    assert english(found.asked) == "users who have moved find their old walks at the API"


LEFT = "the migration before has {} walks in PostgreSQL as Firestore has them, or later, and left {}"


@pytest.mark.parametrize(
    ("leg", "rows", "verdict", "reason", "figures"),
    [
        (migrated(there=1_040), [], Verdict.PASS, LEFT.format("1,040", 0), (0, 0, Unit.WALKS, 1_040)),
        (migrated(left=2), [], Verdict.FAIL, LEFT.format(40, 2), (2, 0, Unit.WALKS, 42)),
        (migrated(left=40), [], Verdict.FAIL, LEFT.format(40, 40), (40, 0, Unit.WALKS, 80)),
        (migrated(left=1), MEANWHILE, Verdict.INCONCLUSIVE,
         f"{LEFT.format(40, 1)}; 2 walks were deleted at the API meanwhile", (1, 0, Unit.WALKS, 41)),
        (went(migrated=()), [], Verdict.INCONCLUSIVE, "no migrated walk was seen", (None, None, Unit.NONE, 0)),
    ],
)  # fmt: skip
def test_a_migration_is_told_by_what_it_brought_and_what_it_left(
    leg: LegSeen, rows: list[Any], verdict: Verdict, reason: str, figures: tuple[object, ...]
) -> None:
    found = copied(leg, rows)
    assert (found.id, found.verdict, found.reason) == (COPIED, verdict, reason)
    assert english(found.asked) == "the migration before the leg leaves no walk behind"
    assert shown(found) == figures


def test_the_migration_that_counts_is_the_last_of_however_many() -> None:
    left = msgspec.structs.replace(MIGRATED, left=1)
    assert copied(went(migrated=(left, left, MIGRATED)), []).verdict is Verdict.PASS


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
    assert copied(leg, [deleted(at_s, "one")]).verdict is verdict


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
    assert [*found] == [MOVED, OLD_WALKS, "success.error_ratio", "rollback.error_ratio", SHARE, STEADY]
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
