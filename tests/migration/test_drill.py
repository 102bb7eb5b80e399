"""The drill's judge and its comparison: good evidence passes, and each thing that is planted wrong is found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from harness.base.ticks import NS
from harness.checks.dual_write import StoredWalk, document_id
from harness.checks.walk_tables import StoredWalks
from harness.load.population.schedule import stayers_due
from harness.migration.convert import LOCATION_COLUMNS, WALK_COLUMNS, Unconvertible, walk_rows
from harness.model.evidence import Operation, RequestRow, Side, Window
from harness.model.judgement import Judgement, Verdict
from harness.model.message import message
from harness.rehearsals.migration_drill import compare, plants
from harness.rehearsals.migration_drill.compare import (
    WrittenPast,
    became,
    named_in,
    strangers,
    vanished,
    verdicts,
    written,
)
from harness.rehearsals.migration_drill.rehearsal import REHEARSAL
from harness.rehearsals.migration_drill.types import (
    CLAIMS,
    ComparedStores,
    DrillDetails,
    DrillPlan,
    MigratorAttempt,
    OddDocument,
    Race,
    WeekSeen,
)
from harness.run.result import judged
from harness.run.scenarios.load import load
from harness.stack.firebase.documents import Fields, Value
from tests.base.test_theirs import NO_JSON
from tests.checks.stored import NOON, WALK, documents, walk
from tests.migration.drilled import PLAN, details, replace, requests
from tests.rehearsal.made import seen

SEED = 1
UNIX_NS = 1_790_000_000_000_000_000


COMPARED = ComparedStores(documents=30, walks=31, equal=29, later=1, missing=0, older=0, different=0, alone=1)


def told(given: DrillDetails, rows: list[RequestRow] | None = None) -> dict[str, Judgement]:
    return by(PLAN, given, requests() if rows is None else rows)


def by(plan: DrillPlan, given: DrillDetails, rows: list[RequestRow]) -> dict[str, Judgement]:
    """What the rehearsal says, by id."""
    return {each.id: each for each in REHEARSAL.by_rules(plan, seen(given, rows, seed=SEED))}


def test_a_good_drill_passes_and_shows_the_erratum_and_no_more() -> None:
    found = told(details(origin_ns=NS, sent_ns=NS))
    assert {name: each.verdict for name, each in found.items() if each.verdict is not Verdict.PASS} == {
        "migration.firestore_read_only": Verdict.ERRATUM_SHOWN
    }
    assert {claim for each in found.values() for claim in each.claims} == set(CLAIMS)


@pytest.mark.parametrize(
    ("failed", "lost", "verdict"),
    [
        (0, 0, Verdict.PASS),
        (0, 1, Verdict.INCONCLUSIVE),
        (12, 0, Verdict.FAIL),
        (12, 12, Verdict.INCONCLUSIVE),
        (12, 2, Verdict.FAIL),  # ten of four hundred
    ],
)
def test_requests_of_those_who_stay_that_are_lost_prove_nothing(failed: int, lost: int, verdict: Verdict) -> None:
    window = Window(start_ns=5 * NS, end_ns=105 * NS)
    due = stayers_due(PLAN.population, PLAN.population, SEED, 5 * NS, window)
    assert len(due) == 400
    given = details(origin_ns=window.start_ns, sent_ns=window.end_ns)
    rows = [replace(row, operation_id=each.id) for row, each in zip(requests(400, failed), due, strict=True)]
    assert told(given, rows[lost:])["migration.stepwise"].verdict is verdict
    assert "migration.stepwise" not in told(details(), rows[lost:])  # when its load began is not in evidence


@pytest.mark.parametrize("wrong", ["missing", "older", "different", "strange"])
def test_a_walk_that_is_not_as_its_document_fails(wrong: str) -> None:
    compared = replace(COMPARED, **{wrong: 1})
    assert told(details(compared=compared))["migration.whole"].verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("given", "name", "verdict"),
    [
        (details(attempts=[]), "migration.killed", Verdict.INCONCLUSIVE),
        (details(attempts=[MigratorAttempt(seconds=1, walks=1, killed=False, status=0)]), "migration.killed", Verdict.INCONCLUSIVE),
        (details(attempts=[MigratorAttempt(seconds=1, walks=1, killed=False, status=1)]), "migration.killed", Verdict.FAIL),
        (details(race=Race(walks=2, written=40, lost=("w",))), "migration.overwritten", Verdict.FAIL),
        (details(race=Race(walks=0, written=0)), "migration.overwritten", Verdict.INCONCLUSIVE),
        (details(race=Race(walks=1, written=1)), "migration.overwritten", Verdict.INCONCLUSIVE),
        (details(race=Race(walks=39, written=80)), "migration.overwritten", Verdict.INCONCLUSIVE),
        (details(attempts=[]), "migration.overwritten", Verdict.INCONCLUSIVE),
        (details(users_missing=None), "migration.people", Verdict.INCONCLUSIVE),
        (details(consents_missing=None), "migration.people", Verdict.INCONCLUSIVE),
        (details(users_missing=("u1",), consents_missing=None), "migration.people", Verdict.FAIL),
        (details(consents=0), "migration.people", Verdict.INCONCLUSIVE),
        (details(consents_different=None), "migration.people", Verdict.INCONCLUSIVE),  # a run of before: by id alone
        (details(consents_different=(message("c: user_id is 'u2', must be 'u1'"),)), "migration.people", Verdict.FAIL),
        (details(planted=32), "migration.whole", Verdict.PASS),  # two of them are out of the ordinary
        (details(planted=33), "migration.whole", Verdict.INCONCLUSIVE),
        # Users' new walks do not stand in for those that are gone.
        (details(planted=32, compared=replace(COMPARED, unseen=1)), "migration.whole", Verdict.INCONCLUSIVE),
        (details(planted=33, compared=replace(COMPARED, unseen=0)), "migration.whole", Verdict.PASS),
        (details(users_missing=("u1",)), "migration.people", Verdict.FAIL),
        (details(consents_missing=("c",)), "migration.people", Verdict.FAIL),
        (details(compared=replace(COMPARED, documents=0, equal=0)), "migration.whole", Verdict.INCONCLUSIVE),
        (details(compared=replace(COMPARED, equal=0, later=30)), "migration.whole", Verdict.INCONCLUSIVE),
        (details(compared=replace(COMPARED, equal=0, stamped=30)), "migration.whole", Verdict.PASS),
    ],
)  # fmt: skip
def test_what_is_planted_wrong_is_found(given: DrillDetails, name: str, verdict: Verdict) -> None:
    assert told(given)[name].verdict is verdict


def attempts(*ended: tuple[int, int]) -> list[MigratorAttempt]:
    """By the walks that were there, and the status; -9 was killed."""
    return [MigratorAttempt(seconds=9, walks=walks, killed=status == -9, status=status) for walks, status in ended]


@pytest.mark.parametrize(
    ("ended", "deleted", "verdict"),
    [
        (attempts((9_000, -9), (9_000, 0)), 0, Verdict.PASS),
        (attempts((9_000, -9), (8_998, 0)), 2, Verdict.PASS),  # by their users
        (attempts((9_000, -9), (8_997, 0)), 2, Verdict.FAIL),
        (attempts((9_000, -9), (20, -9), (10, -9), (10_000, 0)), 0, Verdict.FAIL),  # from the first document each time
        (attempts((9_000, -9), (20, -9)), 0, Verdict.FAIL),
        (attempts((9_000, -9), (9_000, 1), (10_000, 0)), 0, Verdict.FAIL),  # broke by itself, and was started again
        (attempts((0, -9), (10_000, 0)), 0, Verdict.INCONCLUSIVE),  # nothing was there to go on from
    ],
)
def test_a_migrator_that_broke_by_itself_or_began_again_did_not_go_on_where_it_was(
    ended: list[MigratorAttempt], deleted: int, verdict: Verdict
) -> None:
    rows = [replace(row, operation=Operation.DELETE_WALK) for row in requests(deleted)]
    found = told(details(attempts=ended), rows)["migration.killed"]
    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("least", "deleted", "verdict"),
    [(None, 0, Verdict.PASS), (5_000, 0, Verdict.PASS), (4_998, 2, Verdict.PASS), (4_997, 2, Verdict.FAIL),
     (0, 0, Verdict.FAIL)],
)  # fmt: skip
def test_a_migrator_that_empties_the_table_first_did_not_go_on_though_more_are_there_behind_it(
    least: int | None, deleted: int, verdict: Verdict
) -> None:
    """It is killed only once more walks are there than at the kill before."""
    ended = attempts((5_000, -9), (7_000, -9), (10_000, 0))
    ended[1] = replace(ended[1], least=least)
    rows = [replace(row, operation=Operation.DELETE_WALK) for row in requests(deleted)]
    found = told(details(attempts=ended), rows)["migration.killed"]
    assert found.verdict is verdict
    if verdict is Verdict.FAIL:
        assert f"PostgreSQL had 5,000 walks before a process of the migrator, {least:,} during it" in found.reason


@pytest.mark.parametrize(
    ("status", "verdict"), [(0, Verdict.NOT_EXERCISED), (10, Verdict.NOT_EXERCISED), (1, Verdict.FAIL)]
)
def test_a_drill_that_was_to_kill_nothing_shows_nothing_of_kills(status: int, verdict: Verdict) -> None:
    given = details(attempts=[MigratorAttempt(seconds=1, walks=30, killed=False, status=status)])
    found = by(replace(PLAN, kills=0), given, requests())["migration.killed"]
    assert (found.verdict, found.gates) == (verdict, True)


@pytest.mark.parametrize(
    "odd",
    [
        OddDocument(name="vanished", refused=False, there=False, named=False),
        OddDocument(name="refused though it can be moved", refused=False, there=False, named=True),
        OddDocument(name="refused without a line", refused=True, there=False, named=False),
        OddDocument(name="moved though it must not", refused=True, there=True, named=False),
        OddDocument(name="half", refused=False, there=True, named=False, wrong="2 locations, must be 3"),
    ],
    ids=lambda odd: odd.name,
)
def test_a_document_out_of_the_ordinary_that_went_wrong_fails_and_is_named(odd: OddDocument) -> None:
    found = told(details(odd=[odd]))["migration.odd"]
    assert found.verdict is Verdict.FAIL and odd.name in str(found.examples[0])


WEEK_1 = load("rollout_week1")


def without(seen: WeekSeen, number: int) -> WeekSeen:
    """One criterion of it is gone."""
    return replace(seen, criteria=(*seen.criteria[:number], *seen.criteria[number + 1 :]))


def week(verdict: Verdict = Verdict.PASS, **changes: Any) -> WeekSeen:
    """Whose first criterion came to that, and the others passed."""
    told = (message("0 of 330"),)
    criteria = [Judgement(id=each.id, verdict=Verdict.PASS, told=told) for each in WEEK_1.criteria]
    criteria[0] = replace(criteria[0], verdict=verdict)
    return replace(WeekSeen(criteria=tuple(criteria), asked=100), **changes)


@pytest.mark.parametrize(
    ("week_seen", "verdict"),
    [
        (week(), Verdict.PASS),
        (week(Verdict.FAIL), Verdict.FAIL),
        (week(Verdict.INCONCLUSIVE), Verdict.INCONCLUSIVE),
        (week(unread=1), Verdict.INCONCLUSIVE),
        (week(unread=1, wrong=1), Verdict.FAIL),
        (week(wrong=1, examples=("walk w of u: 404",)), Verdict.FAIL),
        (week(Verdict.INCONCLUSIVE, wrong=1), Verdict.FAIL),
        (week(asked=0), Verdict.INCONCLUSIVE),
        (week(criteria=()), Verdict.INCONCLUSIVE),
        *((without(week(), each), Verdict.INCONCLUSIVE) for each in range(len(WEEK_1.criteria))),
        (without(week(Verdict.FAIL), 0), Verdict.INCONCLUSIVE),
        (without(week(Verdict.FAIL), 1), Verdict.FAIL),
        (None, Verdict.INCONCLUSIVE),
    ],
)
def test_week_1_on_what_was_moved_is_judged_with_the_walks_that_its_users_find(
    week_seen: WeekSeen | None, verdict: Verdict
) -> None:
    plan = replace(PLAN, week=WEEK_1)
    drilled = seen(details(week=week_seen), requests(), seed=SEED)
    found = {each.id: each for each in judged(REHEARSAL, plan, drilled)}["migration.week1"]
    assert found.verdict is verdict
    assert "migration.week1" not in told(details(week=week_seen))  # nothing is said where none was to be run


def test_a_week_1_of_no_criteria_shows_nothing() -> None:
    plan = replace(PLAN, week=replace(WEEK_1, criteria=()))
    drilled = seen(details(week=week(criteria=())), requests(), seed=SEED)
    found = {each.id: each for each in judged(REHEARSAL, plan, drilled)}["migration.week1"]
    assert found.verdict is Verdict.INCONCLUSIVE


def test_no_request_to_firestore_shows_nothing() -> None:
    found = told(details(origin_ns=5 * NS, sent_ns=6 * NS), [])
    assert found["migration.firestore_read_only"].verdict is found["migration.stepwise"].verdict is Verdict.INCONCLUSIVE


def test_each_way_in_which_a_walk_can_differ_is_told_apart() -> None:
    stored, held = {WALK: walk()}, documents(walk())
    assert list(verdicts(held, stored, ())) == [("equal", None)]
    assert [kind for kind, _ in verdicts(held, {}, ())] == ["missing"]
    newer = documents(walk(updated_at=NOON + timedelta(hours=1)))
    assert [kind for kind, _ in verdicts(newer, stored, {WALK})] == ["older"]
    held[document_id(WALK)]["title"] = Value("string", "x")
    [(kind, example)] = verdicts(held, stored, ())
    assert kind == "different" and "title" in str(example)


def test_a_walk_that_postgresql_says_is_later_is_so_only_where_the_api_wrote_it() -> None:
    """A migrator that corrupts what it moves, and lets the database stamp it, has not moved it."""
    stored, before = {WALK: walk()}, documents(walk(updated_at=NOON - timedelta(hours=1)))
    assert [kind for kind, _ in verdicts(before, stored, ())] == ["stamped"]
    for field in ("title", "location_data"):
        corrupted = {name: dict(fields) for name, fields in before.items()}
        corrupted[document_id(WALK)][field] = Value("array", []) if field == "location_data" else Value("string", "x")
        assert [kind for kind, _ in verdicts(corrupted, stored, ())] == ["different"]
        assert [kind for kind, _ in verdicts(corrupted, stored, {WALK})] == ["later"]


def test_a_walk_without_a_document_is_the_api_s_or_was_deleted_in_firestore_or_is_strange() -> None:
    [row] = requests(1)
    rows = [
        replace(row, walk_id="MADE", side=Side.API),
        replace(row, walk_id="perhaps", side=Side.API, acknowledged=False),
        replace(row, walk_id="back", side=Side.API),
        replace(row, walk_id="back", side=Side.API, operation=Operation.DELETE_WALK),
        replace(row, walk_id="gone", operation=Operation.DELETE_WALK),
        replace(row, walk_id="read", side=Side.API, operation=Operation.GET_WALK),
    ]
    sent = written(rows, ["RACED"])
    assert sent == WrittenPast(
        api=frozenset({"made", "perhaps", "back", "raced"}), deleted=frozenset({"back"}), firestore=frozenset({"gone"})
    )
    alone = {"made", "perhaps", "raced", "gone", "back", "read", "invented"}
    assert strangers(alone, sent) == ["back", "invented", "read"]
    unnamed = replace(row, walk_id="", side=Side.API, operation=Operation.CREATE_WALK, acknowledged=False)
    assert strangers(alone, written([*rows, unnamed], ["raced"])) == ["back", "read"]  # one may be that
    refused = [replace(unnamed, status=status) for status in (400, 429)]
    assert strangers(alone, written([*rows, *refused], ["raced"])) == ["back", "invented", "read"]  # which made none
    for lost in (replace(unnamed, status=0), replace(unnamed, status=429, retried=True)):
        assert strangers(alone, written([*rows, *refused, lost], ["raced"])) == ["back", "read"]


def test_a_planted_walk_that_is_in_neither_store_is_missing_unless_somebody_deleted_it() -> None:
    sent = WrittenPast(deleted=frozenset({"by the API"}), firestore=frozenset({"by the app"}))
    planted = ["there", "gone", "by the API", "by the app"]
    assert vanished(planted, {"there", "another"}, sent) == ["gone"]


async def test_what_was_planted_is_looked_for_beside_every_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """A migrator that takes what it moves out of Firestore, and brings it nowhere, leaves nothing to be compared."""
    gone, held = WALK.replace("0b", "0c"), {WALK}

    class Stores:
        """Firestore, with one of two walks."""

        async def each(self) -> AsyncIterator[tuple[str, Fields]]:
            for name, fields in documents(walk()).items():
                yield name, fields

    async def read_stored(*_: object, only: object) -> StoredWalks:
        return StoredWalks(walks=[walk()])

    async def read_ids(*_: object) -> frozenset[str]:
        return frozenset(held)

    monkeypatch.setattr(compare, "read_stored", read_stored)
    monkeypatch.setattr(compare, "read_ids", read_ids)
    places = cast(Any, None), cast(Any, Stores())
    found = await compare.compared(*places, (), sent=WrittenPast(), planted={WALK, gone})
    assert (found.documents, found.equal, found.missing, found.unseen) == (1, 1, 1, 1)
    assert list(map(str, found.examples)) == [f"{gone} is in neither store"]
    found = await compare.compared(*places, (), sent=WrittenPast(), planted={WALK})
    assert (found.missing, found.unseen) == (0, 0)
    held.add(gone)  # brought there, and taken out of Firestore: none to be compared with
    found = await compare.compared(*places, (), sent=WrittenPast(api=frozenset({gone})), planted={WALK, gone})
    assert (found.missing, found.strange, found.unseen) == (0, 0, 1)
    deleted = WrittenPast(firestore=frozenset({gone}))
    assert (await compare.compared(*places, (), sent=deleted, planted={WALK, gone})).unseen == 0


def moved(plant: plants.PlantedDocument) -> StoredWalk:
    """The plant as our own converter brings it over."""
    rows = walk_rows(plant.name, plant.fields, created=NOON, updated=NOON)
    id_, *columns = rows.walk
    locations = [dict(zip(LOCATION_COLUMNS, each, strict=True)) for each in rows.locations]
    return StoredWalk(id=str(id_), columns=dict(zip(WALK_COLUMNS[1:], columns, strict=True)), locations=locations)


@pytest.mark.parametrize(
    "plant", [each for each in plants.odd("u1", 1, UNIX_NS) if not each.refused], ids=lambda each: each.what
)
def test_a_document_out_of_the_ordinary_is_moved_whole_or_what_differs_is_named(plant: plants.PlantedDocument) -> None:
    whole = moved(plant)
    assert became(plant, whole, named=False).good, became(plant, whole, named=False).wrong
    stamped = whole.columns["updated_at"] + timedelta(hours=1)
    assert became(plant, with_columns(whole, updated_at=stamped), named=False).good, "by the database"
    for changed in ({"title": "x"}, {"total_distance": 1.5}, {"end_time": None}, {"polyline_data": None}):
        assert not became(plant, with_columns(whole, **changed), named=False).good, changed
    if whole.locations:
        *before, last = whole.locations
        for key in ("latitude", "altitude", "speed"):
            assert not became(plant, replace(whole, locations=[*before, {**last, key: 0.125}]), named=False).good, key
    bare = StoredWalk(id=whole.id, columns=plant.columns, locations=whole.locations)
    assert not became(plant, bare, named=False).good


def with_columns(stored: StoredWalk, **changes: object) -> StoredWalk:
    return replace(stored, columns={**stored.columns, **changes})


def test_our_own_converter_does_with_each_plant_what_it_must() -> None:
    strange = plants.odd("u1", 1, UNIX_NS)
    assert len({plant.path for plant in strange}) == len(strange)
    for plant in strange:
        try:
            rows = walk_rows(plant.name, plant.fields, created=NOON, updated=NOON)
        except Unconvertible:
            assert plant.refused, plant.what
        else:
            assert not plant.refused, plant.what
            assert len(rows.locations) == plant.locations


def test_a_plant_that_was_moved_otherwise_is_named() -> None:
    [plant] = [each for each in plants.odd("u1", 1, UNIX_NS) if each.what.startswith("a status in another")]
    stored = walk(plant.name.lower(), points=3, status="completed")
    assert "status is" in str(became(plant, stored, named=False).wrong)
    assert not became(plant, None, named=False).good


def test_the_walks_are_the_same_for_a_seed_and_of_the_mean_that_is_asked_for() -> None:
    made = dict(plants.walks(200, 20, ["a", "b"], 1, UNIX_NS))
    assert made == dict(plants.walks(200, 20, ["a", "b"], 1, UNIX_NS)) and len(made) == 200
    mean = sum(len(fields["location_data"]) for fields in made.values()) / 200
    assert 17 < mean < 23


def test_lines_that_are_none_of_the_contract_s_name_nothing(tmp_path: Path) -> None:
    file = tmp_path / "rejects.jsonl"
    assert named_in(file) == set()
    odd = b"\n".join(NO_JSON.values())
    file.write_bytes(b'{"document": "walks/x", "reason": "odd"}\nnonsense\n{"other": 1}\n' + odd)
    assert named_in(file) == {"walks/x"}
