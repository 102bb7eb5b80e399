"""What the drill's judge says of its verdicts: the figures, and why."""

from __future__ import annotations

import pytest

from harness.base.ticks import NS
from harness.base.units import Unit
from harness.load.population.schedule import stayers_due
from harness.model.evidence import Operation, RequestRow, Window
from harness.model.judgement import Judgement, Verdict
from harness.model.message import english, message
from harness.rehearsals.migration_drill.types import DrillDetails, OddDocument, Race
from tests.migration.drilled import PLAN, details, replace, requests
from tests.migration.test_drill import COMPARED, SEED, WEEK_1, attempts, by, told, week, without


def test_every_walk_is_counted_by_what_became_of_it() -> None:
    compared = replace(COMPARED, missing=1, older=2, different=3, strange=4, examples=("w is missing",))
    found = told(details(compared=compared))["migration.whole"]
    assert (found.value, found.limit, found.unit, found.samples) == (10, 0, Unit.WALKS, 30)
    assert found.claims == ("phase2.migration",) and found.examples == compared.examples
    assert english(found.asked) == "every walk of Firestore is in PostgreSQL, in this version or a later one"


def test_a_migrator_is_told_by_its_kills_and_how_it_ended() -> None:
    found = told(details(attempts=attempts((1, -9), (10, 10))))["migration.killed"]
    assert (found.value, found.limit, found.samples) == (1, 1, 1)
    assert "the last process ended with status 10 after 18 s in all" in found.reason
    broke = told(details(attempts=attempts((9_000, -9), (8_997, 3))))["migration.killed"].reason
    assert "a process of the migrator that nobody killed ended with status 3" in broke
    assert "PostgreSQL had 9,000 walks before a process of the migrator, 8,997 after it" in broke


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
    assert (found.value, found.samples, [*map(str, found.examples)]) == (1, 2, [f"a: {why}"])


def test_of_the_walks_that_were_overwritten_all_are_counted_and_some_named() -> None:
    lost = tuple(f"walk {number}" for number in range(6))
    found = told(details(race=Race(walks=40, written=1_080, lost=lost)))["migration.overwritten"]
    assert (found.value, found.samples, found.examples) == (6, 1_080, lost[:5])


def test_people_who_are_missing_are_named() -> None:
    found = told(details(users_missing=("u1", "u2"), consents_different=(message("c: x"),)))["migration.people"]
    assert "users missing: u1, u2" in found.reason and found.samples == 5
    different = told(details(consents_different=(message("c: x"),)))["migration.people"]
    assert [*map(str, different.examples)] == ["c: x"]


def test_week_1_is_told_by_its_walks_and_each_of_its_criteria() -> None:
    plan = replace(PLAN, week=WEEK_1)
    found = by(plan, details(week=week(wrong=2, examples=("walk w of u: 404",))), requests())["migration.week1"]
    assert (found.value, found.samples, found.examples) == (2, 100, ("walk w of u: 404",))
    kept = by(plan, details(week=week()), requests())["migration.week1"].reason
    assert all(f"{each.id}: 0 of 330" in kept for each in WEEK_1.criteria)
    gone = by(plan, details(week=without(week(), 0)), requests())["migration.week1"].reason
    assert f"{WEEK_1.criteria[0].id}: not in evidence" in gone


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
