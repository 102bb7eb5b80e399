"""A restored instance against what phones sent: a good restore holds, and each planted loss or stranger is found."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.checks.dual_write import StoredWalk
from harness.load.population.schedule import Canary, canaries
from harness.load.population.walk import WalkUpdate
from harness.load.probe import content
from harness.model.evidence import WRITES, Operation, Outcome, ProbeRow, RequestRow
from harness.model.judgement import Verdict
from harness.model.scenario import ProbePlan
from harness.rehearsals.dr_restore import on_stack
from harness.rehearsals.dr_restore.on_stack import Phones, RestorableWrites, content_checks
from harness.rehearsals.dr_restore.types import CaseCheck, verdict_of
from tests.checks.sending import ANCHOR, BUCKET, PLAN, SEED, USERS, held, planned, row, rows_of

CONTENT, COUNT, LOCATIONS = map(str, (on_stack.CONTENT, on_stack.COUNT, on_stack.LOCATIONS))
ROWS = sorted(rows_of(*(account.user for account in USERS)), key=lambda row: row.done_ns)
READS = [row(each) for account in USERS for each in planned(account.user) if each.operation not in WRITES]
PHONES = Phones(population=PLAN, probes=ProbePlan(rate_per_s=10), seed=SEED, anchor_unix_ns=ANCHOR, bucket=BUCKET)
#: The last recovered commit lies behind two thirds of the writes, the disaster behind all.
LAST_NS, GONE_NS = ROWS[len(ROWS) * 2 // 3].done_ns, ROWS[-1].done_ns
BEFORE = [row for row in ROWS if row.done_ns < LAST_NS]
#: The first canary's PUT was answered before the last recovered commit, the second's behind it.
KEPT, LATE, *_ = canaries(PHONES.probes, SEED)


def probe(canary: Canary, at_ns: int, *, good: bool = True) -> ProbeRow:
    return ProbeRow(
        probe_id=1,
        user=canary.account.user,
        method="PUT",
        due_ns=at_ns - 1,
        sent_ns=at_ns - 1,
        done_ns=at_ns,
        status=200 if good else 503,
        outcome=Outcome.OK if good else Outcome.SERVER_ERROR,
    )


def put_by(canary: Canary) -> StoredWalk:
    """The canary's walk as its PUT leaves it."""
    body = msgspec.json.decode(content(canary, ANCHOR), type=WalkUpdate)
    columns = {**msgspec.structs.asdict(body), "user_id": canary.account.user, "description": ""}
    return StoredWalk(id=canary.walk_id, columns=columns, locations=[])


PROBES = [probe(KEPT, LAST_NS - 1), probe(LATE, LAST_NS)]
WALKS = held(BEFORE)
STORED = {**WALKS, KEPT.walk_id: put_by(KEPT)}
LONG = max(STORED.values(), key=lambda walk: len(walk.locations))
STRANGER = "00000000-0000-4000-8000-000000000000"


def checked(stored: dict[str, StoredWalk], rows: list[RequestRow] | None = None) -> list[CaseCheck]:
    return content_checks(
        PHONES, RestorableWrites.of([*(ROWS if rows is None else rows), *READS], PROBES, LAST_NS, GONE_NS), stored
    )


def failing(stored: dict[str, StoredWalk], rows: list[RequestRow] | None = None) -> dict[str, str]:
    return {str(check.name): str(check.told) for check in checked(stored, rows) if not check.ok}


def changed(**columns: Any) -> dict[str, StoredWalk]:
    return {**STORED, LONG.id: msgspec.structs.replace(LONG, columns={**LONG.columns, **columns})}


def located(points: list[dict[str, Any]]) -> dict[str, StoredWalk]:
    return {**STORED, LONG.id: msgspec.structs.replace(LONG, locations=points)}


POINTS = [dict(point) for point in LONG.locations]


def test_a_restore_up_to_the_last_commit_holds_and_so_does_one_that_has_more() -> None:
    assert failing(STORED) == {}
    more = held([row for row in ROWS if row.done_ns <= LAST_NS])
    assert failing({**more, KEPT.walk_id: put_by(KEPT), LATE.walk_id: put_by(LATE)}) == {}


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({key: walk for key, walk in STORED.items() if key != LONG.id}, "it is not there"),
        (changed(total_distance=1.5), "total_distance is 1.5"),
        (changed(user_id="u9999"), "u9999's"),
        (located(POINTS[:-1]), "1 of"),
        (located([{**POINTS[0], "speed": 99.0}, *POINTS[1:]]), "speed is 99.0"),
    ],
    ids=["walk", "column", "owner", "location", "content of a location"],
)
def test_a_planted_difference_is_found(stored: dict[str, StoredWalk], told: str) -> None:
    found = failing(stored)
    assert list(found) == [CONTENT]
    assert told in found[CONTENT]


def test_a_canarys_walk_that_is_lost_or_changed_is_found() -> None:
    found = failing(WALKS)
    assert list(found) == [CONTENT]
    assert KEPT.walk_id in found[CONTENT]
    walk = put_by(KEPT)
    other = msgspec.structs.replace(walk, columns={**walk.columns, "title": "another"})
    assert list(failing({**STORED, KEPT.walk_id: other})) == [CONTENT]


def test_a_walk_that_nobody_sent_is_found() -> None:
    stranger = msgspec.structs.replace(LONG, id=STRANGER, locations=[])
    found = failing({**STORED, STRANGER: stranger})
    assert list(found) == [COUNT]
    assert STRANGER in found[COUNT]


@pytest.mark.parametrize(
    ("points", "told"),
    [
        (
            [*POINTS, {**POINTS[-1], "sequence_number": 100_000}],
            "1 locations that nobody sent, the first is number 100",
        ),
        ([*POINTS, POINTS[0]], f"location {POINTS[0]['sequence_number']} is there 2 times"),
    ],
    ids=["stranger", "doubled"],
)
def test_a_location_too_many_is_found(points: list[dict[str, Any]], told: str) -> None:
    found = failing(located(points))
    assert list(found) == [LOCATIONS]
    assert told in found[LOCATIONS]


def later_puts() -> list[RequestRow]:
    return [row for row in ROWS if row.walk_id == LONG.id and row.done_ns >= LAST_NS]


def test_a_location_of_a_put_that_came_later_is_no_stranger_only_when_that_was_sent() -> None:
    later = held(ROWS)[LONG.id]
    assert len(later.locations) > len(POINTS)
    too_many = located([dict(point) for point in later.locations])
    assert LOCATIONS not in failing(too_many)
    unsent = [row for row in ROWS if row.walk_id != LONG.id or row.done_ns < LAST_NS]
    assert any(row.user == LONG.user for row in unsent if row.due_ns > later_puts()[-1].due_ns)
    assert list(failing(too_many, [row for row in unsent if row.user != LONG.user])) == [CONTENT, COUNT, LOCATIONS]
    assert unknown(too_many, unsent) == [CONTENT, LOCATIONS], "the row of the PUT that was not sent may be missing"


def unknown(stored: dict[str, StoredWalk], rows: list[RequestRow]) -> list[str]:
    """The checks that do not hold, none of which is known to be broken."""
    found = checked(stored, rows)
    assert verdict_of(found) is Verdict.INCONCLUSIVE
    assert f"of 1 users not every request is in evidence that would show it: {LONG.user} first" in str(found[0].told)
    return [str(check.name) for check in found if not check.ok]


def test_of_whom_a_request_is_missing_in_evidence_nothing_is_known_and_no_loss_told() -> None:
    """The missing one may have made the walk, written it over or deleted it."""
    last = max((row for row in BEFORE if row.walk_id == LONG.id), key=lambda row: row.done_ns)
    made = next(row for row in BEFORE if row.user == LONG.user and row.operation is Operation.CREATE_WALK)
    for missing, stored, names in (
        (last, STORED, [CONTENT]),
        (made, STORED, [CONTENT, COUNT]),
        (last, {name: walk for name, walk in STORED.items() if name != LONG.id}, [CONTENT]),
        (made, {name: walk for name, walk in STORED.items() if name != made.walk_id}, [CONTENT]),
    ):
        assert unknown(stored, [row for row in ROWS if row is not missing]) == names, (missing.operation, names)


def test_a_loss_of_whom_all_is_in_evidence_is_one_all_the_same() -> None:
    missing = next(row for row in BEFORE if row.user != LONG.user)
    lost = {name: walk for name, walk in STORED.items() if name != LONG.id}
    assert verdict_of(checked(lost, [row for row in ROWS if row is not missing])) is Verdict.FAIL
    assert verdict_of(checked(STORED)) is Verdict.PASS


#: A CREATE behind the last recovered commit, and the walk it made, under an id that its phone was never told.
CREATE = next(row for row in ROWS if row.operation is Operation.CREATE_WALK and row.done_ns < LAST_NS)
MADE = msgspec.structs.replace(WALKS[CREATE.walk_id], id=STRANGER)


def answered(status: int) -> list[RequestRow]:
    """All writes, the CREATE not acknowledged and answered with ``status``."""
    other = msgspec.structs.replace(CREATE, status=status, outcome=Outcome.BROKEN, acknowledged=False)
    return [other if row is CREATE else row for row in ROWS]


@pytest.mark.parametrize(("status", "excused"), [(0, True), (503, True), (400, False), (429, False)])
def test_only_a_create_whose_outcome_is_unknown_excuses_a_walk(status: int, excused: bool) -> None:
    others = {key: walk for key, walk in STORED.items() if key != CREATE.walk_id}
    assert (COUNT not in failing({**others, STRANGER: MADE}, answered(status))) is excused


@pytest.mark.parametrize("change", [{"user_id": "u9999"}, {"title": "another"}], ids=["user", "title"])
def test_it_excuses_a_walk_of_its_user_and_title_alone(change: dict[str, str]) -> None:
    others = {key: walk for key, walk in STORED.items() if key != CREATE.walk_id}
    other = msgspec.structs.replace(MADE, columns={**MADE.columns, **change})
    assert COUNT in failing({**others, STRANGER: other}, answered(0))


def test_it_excuses_one_walk() -> None:
    others = {key: walk for key, walk in STORED.items() if key != CREATE.walk_id}
    second = msgspec.structs.replace(MADE, id=STRANGER.replace("8000", "9000"))
    found = failing({**others, STRANGER: MADE, second.id: second}, answered(0))
    assert list(found) == [COUNT]


def test_without_one_acknowledged_write_nothing_was_verified() -> None:
    nothing = content_checks(PHONES, RestorableWrites(writes=[], probes=[]), {})
    assert [str(check.name) for check in nothing if not check.ok] == [CONTENT]


def test_what_was_sent_after_the_data_was_gone_is_left_out() -> None:
    whole = RestorableWrites.of(ROWS, PROBES, LAST_NS, GONE_NS)
    assert {row.sent_ns <= GONE_NS for row in whole.writes} == {True}
    assert RestorableWrites.of(ROWS, PROBES, LAST_NS, 0).writes == []
    late = [row for row in whole.writes if row.done_ns >= LAST_NS]
    assert late and not any(row.acknowledged for row in late)
    assert whole.probes == PROBES[:1]
