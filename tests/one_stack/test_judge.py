"""The legs of a plan, whose requests are due in each, and what is made of what was seen."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.base.errors import BadInput
from harness.base.ticks import NS
from harness.base.units import Unit
from harness.checks.agreement import CLAIM_DUAL_WRITE, DUAL_WRITE
from harness.cli.main import parse
from harness.load.population.schedule import accounts, on_api, stayers_due
from harness.model.evidence import Operation, Outcome, RequestRow, Side, Window
from harness.model.judgement import Judgement, Verdict
from harness.model.message import message
from harness.model.mirror import MirrorStep
from harness.model.scenario import MOST_DURATION_S
from harness.rehearsals.one_stack.command import OneStackCommand
from harness.rehearsals.one_stack.rehearsal import REHEARSAL, _old, _since
from harness.rehearsals.one_stack.types import (
    STOP,
    LegSeen,
    Migrated,
    OldWalksShown,
    OneStackDetails,
    OneStackPlan,
    due_of,
    legs_of,
    moving,
)
from harness.rules.judged import event, result
from harness.run import result as conclude
from harness.run.result import judged as concluded
from harness.run.scenarios.load import load
from tests.checks.test_mirror_steps import step
from tests.one_stack.small import plan
from tests.rehearsal.made import by_id, seen

REAL = ("real_postgresql",)
MOVED, COPIED, OLD_WALKS = "moved.in_time", "moved.copied", "moved.old_walks"
MIGRATED = Migrated(read=4, written=3, taken_back=0, there=40, left=0, seconds=2.0)


def went(**changes: object) -> LegSeen:
    seen = LegSeen(
        part="week1", published_ns=10 * NS, moving=5, migrated=(MIGRATED, MIGRATED), moved_ns=14 * NS,
        asked=OldWalksShown(users=5, walks=7, missing=0, short=0), start_ns=18 * NS, end_ns=48 * NS,
    )  # fmt: skip
    return msgspec.structs.replace(seen, **changes)


def judged(details: OneStackDetails, *given: Any, **facts: Any) -> dict[tuple[str, str], Judgement]:
    return {each.key: each for each in REHEARSAL.by_rules(plan(), seen(details, *given, **facts))}


def of_leg(id_: str, leg: LegSeen, rows: list[Any] | None = None) -> Judgement:
    """What is said of a leg that was measured."""
    return judged(OneStackDetails(origin_ns=0, legs=[leg]), rows or [], capabilities=REAL)["week1", id_]


def test_a_roll_back_enters_the_week_before_again() -> None:
    assert [leg.part for leg in legs_of(plan())] == ["week1", "week2", "week3", "week4"]
    again = ["week1", "week2", "week3", "week2_again", "week3_again", "week4"]
    assert [leg.part for leg in legs_of(plan(roll_back_after=3))] == again
    assert [leg.part for leg in legs_of(plan(roll_back_after=1))] == ["week1", "week1_again", "week2", "week3", "week4"]


def test_the_document_s_weeks_are_one_population_and_others_are_refused() -> None:
    weeks = tuple(load(f"rollout_week{week}") for week in range(1, 5))
    named = [[(each.user, each.instance_id) for each in accounts(week.population, 7)] for week in weeks]
    assert named == [named[0]] * 4
    OneStackPlan(weeks=weeks)
    with pytest.raises(ValueError, match="other users"):
        OneStackPlan(weeks=(*plan().weeks, weeks[0]))


def test_weeks_that_take_longer_than_one_load_may_are_refused_before_anything_is_begun() -> None:
    def planned(*words: str) -> OneStackPlan:
        asked = parse(["rollout_one_stack", "--roll-back", *words])
        assert isinstance(asked, OneStackCommand)
        return asked.planned()

    at_most = planned("--window", "19min", "--before", "6min")
    assert at_most.before_s + at_most.windows_s == 7_200 == MOST_DURATION_S
    with pytest.raises(BadInput, match="the weeks together last longer than one load may, 7200 s"):
        planned("--window", "19min", "--before", "361s")


def test_who_moves_and_what_is_due_to_the_api_follows_the_week() -> None:
    legs = [*legs_of(plan())]
    before = on_api(legs[1].scenario.population, 1)
    assert len(moving(plan(), legs[2], before, 1)) == 10
    assert not moving(plan(), legs[1], on_api(legs[2].scenario.population, 1), 1)
    window = Window(start_ns=103 * NS, end_ns=143 * NS)
    for leg in legs:
        due = due_of(plan(), leg, 1, window, origin_ns=3 * NS)
        assert {each.user for each in due.requests} == on_api(leg.scenario.population, 1)
        assert len(due.requests) == leg.scenario.population.flag_on * 8  # one in 5 s each
        assert all(window.start_ns <= each.due_ns < window.end_ns for each in (*due.requests, *due.probes))


@pytest.mark.parametrize(
    ("leg", "verdict", "gates"),
    [
        (went(), Verdict.PASS, True),
        (went(asked=OldWalksShown(users=5, walks=7, missing=1, short=0)), Verdict.FAIL, True),
        (went(asked=OldWalksShown(users=5, walks=7, missing=0, short=1)), Verdict.FAIL, True),
        # An answer that says nothing of a walk is no walk that is not there.
        (went(asked=OldWalksShown(users=5, walks=7, missing=0, short=0, unread=1)), Verdict.INCONCLUSIVE, True),
        (went(asked=OldWalksShown(users=5, walks=7, missing=1, short=0, unread=1)), Verdict.FAIL, True),
        (
            went(migrated=(), asked=OldWalksShown(users=5, walks=7, missing=1, short=0, unknown=1, unread=6)),
            Verdict.INCONCLUSIVE,
            True,
        ),
        # Where nobody migrates it is the document's own fault.
        (
            went(migrated=(), asked=OldWalksShown(users=5, walks=7, missing=3, short=0, unknown=3)),
            Verdict.ERRATUM_SHOWN,
            True,
        ),
        # Who was put back went on at Firestore with walks that the API has as they were.
        (
            went(migrated=(), asked=OldWalksShown(users=5, walks=7, missing=2, short=1, unknown=2, behind=1)),
            Verdict.ERRATUM_SHOWN,
            True,
        ),
        # Walks that nobody copied, and that are there in part, are no one-way mirror.
        (
            went(migrated=(), asked=OldWalksShown(users=5, walks=9, missing=0, short=9, unknown=0, behind=0)),
            Verdict.FAIL,
            True,
        ),
        (
            went(migrated=(), asked=OldWalksShown(users=5, walks=9, missing=1, short=2, unknown=1, behind=1)),
            Verdict.FAIL,
            True,
        ),
        # That an API has no answer, or another one, is not its copy's.
        (went(migrated=(), asked=OldWalksShown(users=5, walks=7, missing=3, short=0, unknown=2)), Verdict.FAIL, True),
        (went(migrated=(), asked=OldWalksShown(users=5, walks=7, missing=3, short=0, unknown=0)), Verdict.FAIL, True),
        # Of a run of before nobody knows which it was.
        (
            went(migrated=(), asked=OldWalksShown(users=5, walks=7, missing=2, short=1, unknown=2)),
            Verdict.INCONCLUSIVE,
            True,
        ),
        (went(migrated=(), asked=OldWalksShown(users=5, walks=7, missing=3, short=0)), Verdict.INCONCLUSIVE, True),
        (went(migrated=()), Verdict.PASS, True),
        (went(asked=OldWalksShown(users=0, walks=0, missing=0, short=0)), Verdict.INCONCLUSIVE, True),
        (went(asked=None), Verdict.INCONCLUSIVE, True),
        (went(moving=0, asked=OldWalksShown(users=0, walks=0, missing=0, short=0)), Verdict.NOT_EXERCISED, False),
    ],
)
def test_old_walks(leg: LegSeen, verdict: Verdict, gates: bool) -> None:
    found = of_leg(OLD_WALKS, leg)
    assert (found.verdict, found.gates) == (verdict, gates)


@pytest.mark.parametrize("migrations", [0, 1])
def test_as_many_walks_that_are_not_there_as_lack_locations_are_lost_all_the_same(migrations: int) -> None:
    asked = OldWalksShown(users=5, walks=7, missing=2, short=2, unknown=2, behind=2, examples=("w: 404",))
    found = of_leg(OLD_WALKS, went(migrated=(MIGRATED,) * migrations, asked=asked))
    assert (found.value, found.limit, found.unit, found.samples) == (4, 0, Unit.WALKS, 7)
    assert "2 are not there, 2 lack locations" in found.reason
    assert ("nobody copied them" in found.reason) is not bool(migrations)
    assert found.examples == (asked.examples if migrations else ())


def test_somebody_who_never_fetched_the_template_fails_the_step() -> None:
    found = of_leg(MOVED, went())
    assert (found.verdict, found.value, found.samples) == (Verdict.PASS, 4.0, 5)
    assert of_leg(MOVED, went(moved_ns=None)).verdict is Verdict.FAIL


def row(at_s: float, walk: str, user: str = "u0001", **changes: object) -> RequestRow:
    at_ns = round(at_s * NS)
    made = RequestRow(
        operation_id=f"{user}-{round(at_s):05d}", user=user, audience="developers", side=Side.FIRESTORE,
        operation=Operation.PUT_WALK, due_ns=at_ns, sent_ns=at_ns, done_ns=at_ns, status=0, outcome=Outcome.OK,
        acknowledged=True, payload_digest="", flag=False, walk_id=walk,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def migrated(**changes: int) -> LegSeen:
    return went(migrated=(MIGRATED, msgspec.structs.replace(MIGRATED, **changes)))


def deleted(at_s: float, walk: str) -> RequestRow:
    return row(at_s, walk, side=Side.API, operation=Operation.DELETE_WALK)


#: Deletions of the API that the last migration may have met halfway: two walks.
MEANWHILE = [deleted(14, "one"), deleted(14.5, "one"), deleted(17.9, "two")]


@pytest.mark.parametrize(
    ("leg", "verdict"),
    [
        (migrated(), Verdict.PASS),
        (migrated(left=1), Verdict.FAIL),
        # What the first one leaves, the last one looks at again.
        (went(migrated=(msgspec.structs.replace(MIGRATED, left=1), MIGRATED)), Verdict.PASS),
        (migrated(there=0), Verdict.INCONCLUSIVE),  # nothing done is not green
        (went(migrated=()), Verdict.INCONCLUSIVE),
    ],
)
def test_a_migration_that_leaves_a_walk_behind_fails_the_leg(leg: LegSeen, verdict: Verdict) -> None:
    others = [deleted(13.9, "before"), deleted(18, "in the leg"), row(15, "of-the-app"), row(15, "put", side=Side.API)]
    found = of_leg(COPIED, leg, others)
    assert (found.verdict, found.gates) == (verdict, True)


def test_what_a_migration_met_halfway_through_a_deletion_is_not_held_against_it() -> None:
    assert of_leg(COPIED, migrated(), MEANWHILE).verdict is Verdict.PASS
    assert of_leg(COPIED, migrated(left=2), MEANWHILE).verdict is Verdict.INCONCLUSIVE
    found = of_leg(COPIED, migrated(left=3), MEANWHILE)
    assert (found.verdict, found.value, found.limit, found.unit, found.samples) == (Verdict.FAIL, 3, 0, Unit.WALKS, 43)


def test_a_leg_with_postgresql_is_asked_for_its_migration() -> None:
    details = OneStackDetails(origin_ns=0, legs=[migrated(left=1)])
    found = judged(details, capabilities=REAL)["week1", COPIED]
    assert found.verdict is Verdict.FAIL and found.holds
    assert ("week1", COPIED) not in judged(details, capabilities=())


def test_an_old_walk_is_one_that_firestore_confirmed_and_nobody_has_touched_since() -> None:
    rows = [
        row(1, "OLD"),
        row(2, "old"),
        row(3, "written-since"),
        row(20, "written-since", side=Side.API),
        row(4, "deleted"),
        row(5, "deleted", operation=Operation.DELETE_WALK),
        row(6, "not-confirmed", acknowledged=False),
        row(7, "read", operation=Operation.GET_WALK),
        row(8, "of-the-api", side=Side.API),
        row(9, "of-another", user="u0002"),
        *(row(10 + number / 10, f"many{number}") for number in range(5)),
    ]
    assert _old(rows, {"u0001"}, 15 * NS) == {"u0001": ["old", "many0", "many1"]}
    assert _old(rows, {"u0003"}, 15 * NS) == {}


def test_a_walk_is_behind_that_the_api_wrote_once_and_firestore_alone_since() -> None:
    api = {"side": Side.API}
    rows = [
        row(5, "back"),
        row(1, "BACK", **api),
        row(1, "api", **api),
        row(1, "mirrored"),
        row(2, "mirrored", **api),
        row(3, "mirrored", operation=Operation.GET_WALK),
        row(1, "firestore"),
        row(0, "firestore", operation=Operation.GET_WALK, **api),
        row(1, "again", **api),
        row(2, "again"),
        row(3, "again", **api),
    ]
    assert _since(rows) == {"back"}


@pytest.mark.parametrize("lost", [0, 9])
def test_what_a_leg_whose_limit_fired_never_sent_is_not_missing(lost: int) -> None:
    """The flag went off after 10 s of 30, and the load ended then: four of 90 requests of those who stay failed,
    which is more than 1 %, whatever would have been due later."""
    week, window = next(legs_of(plan())), Window(start_ns=18 * NS, end_ns=28 * NS)
    due = stayers_due(plan().population, week.scenario.population, 1, 3 * NS, window)
    assert len(due) == 90
    rows = [
        row(each.due_ns / NS, "w", each.user, operation_id=each.id, outcome=Outcome.OK if good else Outcome.TIMEOUT)
        for good, each in zip((0, 0, 0, 0, *range(1, 87)), due, strict=True)
    ]
    details = OneStackDetails(origin_ns=3 * NS, legs=[went()], rolled_back="week1", fired=True, off_ns=window.end_ns)
    found = judged(details, rows[: 90 - lost], capabilities=())["", "migration.stepwise"]
    assert found.verdict is Verdict.FAIL and found.samples == 90 - lost
    assert ("not in evidence" in found.reason) is bool(lost)


@pytest.mark.parametrize(("rows", "verdict"), [(0, Verdict.INCONCLUSIVE), (25, Verdict.PASS), (24, Verdict.FAIL)])
def test_a_run_that_ended_before_all_were_back_says_nothing_of_who_was(rows: int, verdict: Verdict) -> None:
    users = sorted(on_api([*legs_of(plan())][2].scenario.population, 1))
    back = [row(20, "w", user) for user in users]
    details = OneStackDetails(origin_ns=1, rolled_back="week3", off_ns=10 * NS, back_rows=rows)
    switched = judged(details, back, capabilities=())["week3", "flag.off_in_time"]
    assert (switched.verdict, switched.gates) == (verdict, True)
    assert ("the run ended" in switched.reason) is (switched.value is None) is (rows == 0)


def told(*steps: MirrorStep, **facts: Any) -> dict[tuple[str, str], Judgement]:
    details = OneStackDetails(steps=list(steps))
    return {each.key: each for each in concluded(REHEARSAL, plan(), seen(details, capabilities=REAL, **facts))}


def test_the_stop_of_the_mirror_is_judged_by_its_steps_and_one_that_is_missing_holds() -> None:
    found = told(step(100, 60, 60), step(50, 31, 60, lost=29), step(0, 0, 60, lost=89))
    of_stop = {id_: each.verdict for (part, id_), each in found.items() if part == STOP}
    assert of_stop == {
        "mirror.share_100": Verdict.PASS, "mirror.rollback_after_100": Verdict.PASS,
        "mirror.share_50": Verdict.PASS, "mirror.rollback_after_50": Verdict.ERRATUM_SHOWN,
        "mirror.share_0": Verdict.PASS, "mirror.rollback_after_0": Verdict.ERRATUM_SHOWN,
        "reconcile": Verdict.INCONCLUSIVE,  # which was due, and left no word
    }  # fmt: skip
    lost = told(step(100, 59, 60, lost=1), step(50, 31, 60), step(0, 0, 60))
    assert lost[STOP, "mirror.rollback_after_100"].verdict is Verdict.FAIL  # before the stop no walk may be lost
    cut = told(step(100, 60, 60))
    for share in (50, 0):
        assert (cut[STOP, f"mirror.share_{share}"].verdict, cut[STOP, f"mirror.share_{share}"].holds) == (
            Verdict.INCONCLUSIVE, True,
        )  # fmt: skip
    assert told()["", "account.ended"].verdict is Verdict.INCONCLUSIVE


def test_a_target_that_cannot_stop_its_mirror_is_told_and_not_held() -> None:
    found = told(target_bundled=False)[STOP, "dual_write.stop"]
    assert (found.verdict, found.gates) == (Verdict.NOT_EXERCISED, False)


@pytest.mark.parametrize(("shares", "holds"), [((), True), ((100, 50), True), ((100, 50, 0), False)])
def test_a_mirror_that_mirrors_nothing_holds_unless_the_plan_stopped_it(shares: tuple[int, ...], holds: bool) -> None:
    nothing = result(
        DUAL_WRITE, CLAIM_DUAL_WRITE, Verdict.NOT_EXERCISED, 9, 0, (message("the target mirrors nothing"),)
    )
    details = OneStackDetails(steps=[step(share, 60, 60) for share in shares], origin_ns=0)
    found = conclude.judged(REHEARSAL, plan(), seen(details, [event(9 * NS, nothing)]))
    check = by_id(found)[DUAL_WRITE]
    assert (check.verdict, check.holds) == (Verdict.NOT_EXERCISED, holds)
