"""What the drill's judge says of its verdicts: the figures, and why."""

from __future__ import annotations

import pytest

from harness.base.units import Unit
from harness.judge.window import NS, Window
from harness.load.population.due import stayers_due
from harness.model.evidence import Operation, RequestRow
from harness.model.judgement import Judgement
from harness.model.message import english, message
from harness.model.verdict import Verdict
from harness.rehearsals.migration_drill.judge import judged
from harness.rehearsals.migration_drill.types import Attempt, DrillDetails, OddDocument, Race, WeekSeen
from tests.migration.drilled import PLAN, details, replace, requests
from tests.migration.test_drill import COMPARED, SEED, WEEK_1, attempts, told, week, without

FIELDS = (
    "30 documents against 31 walks: {equal} equal field for field, 1 of a later write in PostgreSQL, {missing} missing, "
    "{older} older than their document, {different} different; 1 walks have no document"
)
AS_PLANTED = FIELDS.format(equal=29, missing=0, older=0, different=0)


@pytest.mark.parametrize(
    ("given", "value", "verdict", "reason"),
    [
        (details(planted=32), 0, Verdict.PASS, AS_PLANTED),  # of which two are out of the ordinary
        (
            details(planted=33),
            0,
            Verdict.INCONCLUSIVE,
            f"{AS_PLANTED}; 1 of 31 walks written before the migration were not compared",
        ),
        (
            details(compared=replace(COMPARED, equal=15, stamped=15)),
            0,
            Verdict.PASS,
            FIELDS.format(equal=15, missing=0, older=0, different=0)
            + "; 15 more are equal but for a later updated_at, and nobody wrote them",
        ),
        (
            details(compared=replace(COMPARED, missing=1, older=2, different=3, strange=4, examples=("w is missing",))),
            10,
            Verdict.FAIL,
            FIELDS.format(equal=29, missing=1, older=2, different=3)
            + "; 4 that have no document were made by nobody, or deleted through the API",
        ),
    ],
)  # fmt: skip
def test_every_walk_is_counted_by_what_became_of_it(
    given: DrillDetails, value: int, verdict: Verdict, reason: str
) -> None:
    found = told(given)["migration.whole"]
    assert (found.verdict, found.reason) == (verdict, reason)
    assert (found.value, found.limit, found.unit, found.samples) == (value, 0, Unit.WALKS, 30)
    assert found.claims == ("phase2.migration",)
    assert english(found.asked) == "every walk of Firestore is in PostgreSQL, in this version or a later one"
    assert given.compared is not None and found.examples == given.compared.examples


@pytest.mark.parametrize(
    ("ended", "verdict", "reason"),
    [
        (attempts((1, -9), (10, 10)), Verdict.PASS,
         "killed 1 of 1 times, resumed each time, ended with status 10 after 18 s in all"),
        (attempts((9_000, -9)), Verdict.INCONCLUSIVE, "the migrator did not come to its end"),
        ([], Verdict.INCONCLUSIVE, "the migrator did not come to its end"),
        (attempts((9_000, -9), (8_997, 3)), Verdict.FAIL,
         "killed 1 of 1 times, ended with status 3 after 18 s in all; "
         "a process of the migrator that nobody killed ended with status 3; "
         "PostgreSQL had 9,000 walks before a process of the migrator, 8,997 after it"),
    ],
)  # fmt: skip
def test_a_migrator_is_told_by_its_kills_and_how_it_ended(ended: list[Attempt], verdict: Verdict, reason: str) -> None:
    found = told(details(attempts=ended))["migration.killed"]
    assert (found.verdict, found.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (OddDocument(name="a", refused=True, there=True, named=True), "moved, and named among the rejects"),
        (OddDocument(name="a", refused=True, there=True, named=False), "moved"),
        (OddDocument(name="a", refused=False, there=False, named=True), "refused and named"),
        (OddDocument(name="a", refused=False, there=False, named=False), "vanished without a line"),
        (OddDocument(name="a", refused=False, there=True, named=False, wrong="2 locations"), "2 locations"),
        (OddDocument(name="a", refused=False, there=True, named=False, wrong=message("no row")), "no row"),
    ],
)
def test_a_document_out_of_the_ordinary_is_counted_and_says_what_became_of_it(odd: OddDocument, why: str) -> None:
    good, _ = details().odd
    found = told(details(odd=[odd, good]))["migration.odd"]
    assert found.reason == "1 of 2 documents out of the ordinary were moved whole, or refused and named"
    assert (found.value, found.samples, [*map(str, found.examples)]) == (1, 2, [f"a: {why}"])


RACED = "1,080 writes through the API to {walks} walks while they were moved, {lost} overwritten by older values"


def test_walks_that_nobody_raced_and_a_migrator_that_did_not_run_are_told() -> None:
    found = told(details(attempts=[], race=Race(walks=39, written=1_080)))["migration.overwritten"]
    assert (found.verdict, found.value, found.samples) == (Verdict.INCONCLUSIVE, 0, 1_080)
    assert found.reason == (
        f"{RACED.format(walks=39, lost=0)}; 39 of 40 walks that were to be written meanwhile were; "
        "no migrator ran meanwhile"
    )


def test_of_the_walks_that_were_overwritten_all_are_counted_and_some_named() -> None:
    lost = tuple(f"walk {number}" for number in range(6))
    found = told(details(race=Race(walks=40, written=1_080, lost=lost)))["migration.overwritten"]
    assert (found.verdict, found.value, found.examples) == (Verdict.FAIL, 6, lost[:5])
    assert found.reason == RACED.format(walks=40, lost=6)


@pytest.mark.parametrize(
    ("given", "verdict", "reason"),
    [
        (details(consents=1), Verdict.PASS,
         "1 consents in Firestore; users missing: 0; consents missing: 0; "
         "0 consents hold other values than their documents"),
        (details(users_missing=("u1", "u2"), consents_missing=("c", "d"), consents_different=(message("c: x"),)),
         Verdict.FAIL,
         "5 consents in Firestore; users missing: u1, u2; consents missing: c, d; "
         "1 consents hold other values than their documents"),
        (details(users_missing=None, consents_missing=None, consents_different=None), Verdict.INCONCLUSIVE,
         "5 consents in Firestore; users missing: –; consents missing: –; "
         "what the consents hold was not compared with their documents"),
    ],
)  # fmt: skip
def test_people_who_are_missing_are_named_and_who_was_not_looked_for_is_a_dash(
    given: DrillDetails, verdict: Verdict, reason: str
) -> None:
    found = told(given)["migration.people"]
    assert (found.verdict, found.reason, found.samples) == (verdict, reason, given.consents)


def of_week(seen: WeekSeen | None) -> Judgement:
    given = judged(replace(PLAN, week=WEEK_1), details(week=seen), requests(), SEED)
    return {each.id: each for each in given}["migration.week1"]


def test_week_1_is_told_by_its_walks_and_each_of_its_criteria() -> None:
    found = of_week(week(wrong=2, examples=("walk w of u: 404",)))
    kept = [f"{each.id}: 0 of 330" for each in WEEK_1.criteria]
    asked = "100 moved walks asked for at the API by their owners, {} not as moved"
    assert found.reason == "; ".join((asked.format(2), *kept))
    assert (found.samples, found.examples, found.claims) == (
        100,
        ("walk w of u: 404",),
        ("checklist.migration.script",),
    )
    promised = "week 1 keeps its criteria on what was moved, and its users find their old walks"
    assert english(found.asked) == promised
    unread = "of 2 no answer said what became of them"
    assert of_week(week(unread=2)).reason == "; ".join((asked.format(0), unread, *kept))
    gone = f"{WEEK_1.criteria[0].id}: not in evidence: the run left nothing to judge it by"
    assert of_week(without(week(), 0)).reason == "; ".join((asked.format(0), gone, *kept[1:]))
    unseen = of_week(None)
    assert (unseen.reason, unseen.samples, english(unseen.asked)) == ("week 1 was not come to", 0, promised)


def stayed(rows: list[RequestRow], given: DrillDetails) -> Judgement:
    return told(given, rows)["migration.stepwise"]


def test_who_stays_is_looked_for_by_the_runs_own_schedule() -> None:
    """Of a window that is no whole number of everybody's requests: another seed's have others due in it."""
    window = Window(start_ns=5 * NS, end_ns=7 * NS)
    due = stayers_due(PLAN.population, PLAN.population, SEED, window.start_ns, window)
    rows = [replace(row, operation_id=each.id) for row, each in zip(requests(len(due)), due, strict=True)]
    found = stayed(rows, details(origin_ns=window.start_ns, sent_ns=window.end_ns))
    assert found.reason == f"0 of {len(due)} requests of users who stay on Firestore failed"
    assert "not in evidence" in stayed(rows[1:], details(origin_ns=window.start_ns, sent_ns=window.end_ns)).reason


def test_of_a_load_of_which_no_end_is_in_evidence_nothing_is_said() -> None:
    given = details(origin_ns=5 * NS, sent_ns=None)
    assert "migration.stepwise" not in told(given, requests(400))


@pytest.mark.parametrize(("to_the_api", "verdict"), [(0, Verdict.INCONCLUSIVE), (1, Verdict.ERRATUM_SHOWN)])
def test_writes_of_the_race_count_for_the_api_and_without_one_there_are_none(to_the_api: int, verdict: Verdict) -> None:
    race = Race(walks=1, written=to_the_api) if to_the_api else None
    rows = [replace(row, operation=Operation.PUT_WALK) for row in requests(3)]
    found = told(details(race=race), rows)["migration.firestore_read_only"]
    assert found.verdict is verdict
    assert found.reason == f"3 writes went straight to Firestore, and {to_the_api} to the API, which mirrors them there"
