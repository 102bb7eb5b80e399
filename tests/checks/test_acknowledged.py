"""Every acknowledged write is there with its content: a good run passes, and each planted loss is found, and only it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.checks.acknowledged import Acknowledged, acknowledged
from harness.checks.applied_once import applied_once
from harness.checks.dual_write import StoredWalk
from harness.checks.invariants import probed_walks
from harness.load.population import thumbnail
from harness.load.population.schedule import canaries
from harness.load.population.walk import WalkUpdate, digest
from harness.model.evidence import Operation, Outcome, ProbeRow, RequestRow
from harness.model.scenario import ProbePlan
from tests.checks.sending import ANCHOR, BUCKET, NOON, SEED, USERS, as_sent, held, planned, row, rows_of
from tests.session.examples import examples

NAMES = [account.user for account in USERS]
ROWS = rows_of(*NAMES)
SENT = as_sent(ROWS)
HELD = held(ROWS)
LONG = max(HELD.values(), key=lambda walk: len(walk.locations))
MADE = next(create.walk_id for create in SENT.creates)


def with_columns(walk: StoredWalk, **changes: Any) -> dict[str, StoredWalk]:
    return {**HELD, walk.id: msgspec.structs.replace(walk, columns={**walk.columns, **changes})}


def without(walk_id: str) -> dict[str, StoredWalk]:
    return {key: walk for key, walk in HELD.items() if key != walk_id}


def with_locations(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> dict[str, StoredWalk]:
    points = change([dict(point) for point in LONG.locations])
    return {**HELD, LONG.id: msgspec.structs.replace(LONG, locations=points)}


def unconfirmed(operation: Operation, last: bool = True) -> tuple[RequestRow, list[RequestRow]]:
    """All rows, and one of them without its acknowledgement: the last one of that kind of the first user, or the first."""
    chosen = [each for each in ROWS if each.user == NAMES[0] and each.operation is operation][-1 if last else 0]
    failed = next(row(each, ok=False) for each in planned(NAMES[0]) if each.operation_id == chosen.operation_id)
    return failed, [failed if each is chosen else each for each in ROWS]


def test_a_run_in_which_all_was_applied_once_loses_and_doubles_nothing() -> None:
    found = acknowledged(SENT, HELD)
    assert (found.writes, found.lost, found.unconfirmed) == (len(ROWS), (), 0)
    assert applied_once(SENT, list(HELD.values()), NAMES).repeated == ()
    assert SENT.unmatched == ()


@pytest.mark.parametrize(
    ("stored", "what"),
    [
        (without(LONG.id), "not there"),
        (without(MADE), "created, and it is not there"),
        (with_columns(LONG, total_distance=1.5), "total_distance is 1.5"),
        (with_columns(LONG, user_id="u9999"), "u9999's"),
        (with_columns(HELD[MADE], title="x"), "title is x"),
        (with_locations(lambda points: points[:-1]), "1 of"),
        (with_locations(lambda points: [{**points[0], "speed": 99.0}, *points[1:]]), "speed is 99.0"),
    ],
    ids=["walk", "created", "field", "owner", "title", "location", "content"],
)
def test_a_planted_loss_is_found(stored: dict[str, StoredWalk], what: str) -> None:
    (lost,) = acknowledged(SENT, stored).lost
    assert what in str(lost.what)


def test_a_deleted_walk_that_is_there_is_found() -> None:
    rows = [each for each in ROWS if each.operation is not Operation.DELETE_WALK]
    found = acknowledged(SENT, held(rows)).lost
    assert found and {str(lost.what) for lost in found} == {"deleted, and it is there"}


def _deleted() -> tuple[RequestRow, RequestRow]:
    """The PUT and the DELETE of a side walk."""
    deleted = next(each for each in ROWS if each.operation is Operation.DELETE_WALK)
    return next(each for each in ROWS if each.walk_id == deleted.walk_id and each is not deleted), deleted


@pytest.mark.parametrize(
    ("outcome", "status", "retried", "lost"),
    [
        (Outcome.UNEXPECTED_4XX, 404, False, 1),  # the walk had gone before
        (Outcome.RATE_LIMITED, 429, False, 1),
        (Outcome.REFUSED, 0, False, 1),
        (Outcome.REFUSED, 0, True, 0),  # the first sending may have been carried out
        (Outcome.UNEXPECTED_4XX, 408, False, 0),
        (Outcome.TIMEOUT, 0, False, 0),
        (Outcome.BROKEN, 0, False, 0),
        (Outcome.SERVER_ERROR, 503, False, 0),
    ],
)
def test_a_walk_that_has_gone_is_lost_unless_its_delete_may_have_been_carried_out(
    outcome: Outcome, status: int, retried: bool, lost: int
) -> None:
    _, deleted = _deleted()
    failed = msgspec.structs.replace(deleted, acknowledged=False, outcome=outcome, status=status, retried=retried)
    found = acknowledged(as_sent([failed if each is deleted else each for each in ROWS]), HELD)
    assert (len(found.lost), found.lost_writes, found.unconfirmed) == (lost, lost, 1)


@pytest.mark.parametrize("retried", [True, False])
def test_the_first_of_two_sendings_may_come_after_a_later_write(retried: bool) -> None:
    """Both were carried out, the first one last: its content, or its walk, is no lost write."""
    puts = [each for each in ROWS if each.walk_id == LONG.id]
    earlier = puts[-2]
    body = next(each.body for each in planned(earlier.user) if each.operation_id == earlier.operation_id)
    assert isinstance(body, WalkUpdate)
    fields = {
        name: getattr(body, name) for name in ("title", "status", "total_distance", "total_steps", "polyline_data")
    }
    put, _ = _deleted()
    twice = [msgspec.structs.replace(each, retried=retried) if each in {earlier, put} else each for each in ROWS]
    again = held([each for each in ROWS if each.operation is not Operation.DELETE_WALK])[put.walk_id]
    for stored in (with_columns(LONG, **fields), {**HELD, put.walk_id: again}):
        found = acknowledged(as_sent(twice), stored)
        assert (not found.lost) is retried
        assert (found.unconfirmed, found.absent) == (0, 0)


@given(st.sets(st.sampled_from(range(len(ROWS))), min_size=1, max_size=8))
@settings(max_examples=examples(60), deadline=None)
def test_writes_without_an_acknowledgement_lose_nothing_applied_or_not(failed: set[int]) -> None:
    rows = [msgspec.structs.replace(each, acknowledged=False) if n in failed else each for n, each in enumerate(ROWS)]
    told = as_sent(rows)
    for stored in (HELD, held(rows)):
        # Locations of a failed PUT go along with the next one, so they are there when that one was acknowledged.
        whole = {key: msgspec.structs.replace(walk, locations=_whole(key, walk)) for key, walk in stored.items()}
        assert acknowledged(told, whole).lost == ()
        assert applied_once(told, list(whole.values()), NAMES).repeated == ()


def _whole(walk_id: str, walk: StoredWalk) -> Any:
    return HELD[walk_id].locations if walk_id in HELD else walk.locations


def test_an_unconfirmed_write_is_counted_as_seen_or_not_seen() -> None:
    failed, rows = unconfirmed(Operation.CREATE_WALK)
    assert failed.acknowledged is False
    applied, absent = acknowledged(as_sent(rows), HELD), acknowledged(as_sent(rows), held(rows))
    assert (applied.unconfirmed, applied.applied, applied.absent) == (1, 1, 0)
    assert (absent.unconfirmed, absent.applied, absent.absent) == (1, 0, 1)


def test_an_unconfirmed_write_that_came_late_is_no_loss_and_is_told() -> None:
    puts = [each for each in ROWS if each.walk_id == LONG.id]
    earlier = msgspec.structs.replace(puts[-2], acknowledged=False)
    rows = [earlier if each is puts[-2] else each for each in ROWS]
    plan = next(each for each in planned(earlier.user) if each.operation_id == earlier.operation_id)
    assert isinstance(plan.body, WalkUpdate)
    fields = {
        name: getattr(plan.body, name) for name in ("title", "status", "total_distance", "total_steps", "polyline_data")
    }
    found: Acknowledged = acknowledged(as_sent(rows), with_columns(LONG, **fields))
    assert (found.lost, found.overtaken) == ((), 1)


@pytest.mark.parametrize("foreign", ["", "load", "u0001", "u0001-", "u0001-x-00003"])
def test_a_row_that_no_phone_wrote_is_told_and_changes_nothing_else(foreign: str) -> None:
    found = as_sent([msgspec.structs.replace(ROWS[0], operation_id=foreign), *ROWS])
    assert found == msgspec.structs.replace(SENT, unmatched=(foreign,))


def test_a_repetition_and_a_thumbnail_are_known_by_their_digest() -> None:
    plan = next(each for each in planned(NAMES[0]) if isinstance(each.body, WalkUpdate))
    assert isinstance(plan.body, WalkUpdate)
    url = thumbnail.url(BUCKET, NAMES[0], plan.walk_id)
    body = msgspec.structs.replace(plan.body, thumbnail_image_url=url)
    again = msgspec.structs.replace(
        row(plan), operation_id=f"{plan.operation_id}-again-00009", payload_digest=digest(body)
    )
    (walk,) = as_sent([again]).walks.values()
    assert walk.puts[0].body.thumbnail_image_url == url
    assert as_sent([msgspec.structs.replace(again, payload_digest="0" * 64)]).unmatched == (again.operation_id,)


def test_what_is_there_more_often_than_it_was_sent_is_found() -> None:
    stored = list(HELD.values())
    made = msgspec.structs.replace(HELD[MADE], id=MADE.replace(MADE[0], "f" if MADE[0] != "f" else "e"))
    strange = msgspec.structs.replace(made, columns={**made.columns, "title": "nobody's"})
    appended = with_locations(lambda points: [*points, {**points[-1], "sequence_number": 9_999}])
    doubled = with_locations(lambda points: [*points, points[-1]])
    for planted, what in (
        ([*stored, stored[0]], "2 rows"),
        ([*stored, made], "made once more by one CREATE"),
        ([*stored, strange], "nobody sent it"),
        (list(appended.values()), "1 locations that were not sent"),
        (list(doubled.values()), "is there 2 times"),
    ):
        repeated = applied_once(SENT, planted, NAMES).repeated
        assert any(what in str(each) for each in repeated), (what, repeated)


CANARY = canaries(ProbePlan(), SEED)[0]


def probe(method: str, outcome: Outcome) -> ProbeRow:
    return ProbeRow(
        probe_id=1, user=CANARY.account.user, method=method, due_ns=0, sent_ns=0, done_ns=1, status=200, outcome=outcome
    )


PROBED = probed_walks([probe("PUT", Outcome.OK)], ProbePlan(), SEED, ANCHOR)


def canary_walk(**changes: Any) -> StoredWalk:
    """As PostgreSQL holds it after any number of the canary's PUTs."""
    columns = {**msgspec.structs.asdict(PROBED[0].body), "user_id": CANARY.account.user, "description": ""}
    return StoredWalk(id=CANARY.walk_id, columns=columns | changes, locations=())


def test_a_canary_without_an_acknowledged_put_promises_nothing() -> None:
    assert probed_walks([probe("GET", Outcome.OK), probe("PUT", Outcome.TIMEOUT)], ProbePlan(), SEED, ANCHOR) == ()
    found = acknowledged(SENT, {**HELD, CANARY.walk_id: canary_walk()}, PROBED)
    assert (found.writes, found.lost) == (len(ROWS) + 1, ())


@pytest.mark.parametrize(
    ("stored", "what"),
    [
        (None, "the canary's walk is not there"),
        (canary_walk(user_id="u0001"), "the canary's walk is u0001's"),
        (canary_walk(title="x"), "title is x, must be Walk of canary01"),
        (canary_walk(total_steps=3), "total_steps is 3, must be 0"),
        (canary_walk(start_time=NOON), "start_time is "),
        (msgspec.structs.replace(canary_walk(), locations=LONG.locations[:2]), "has 2 locations too many"),
    ],
    ids=["walk", "owner", "title", "steps", "time", "locations"],
)
def test_a_planted_loss_of_a_canarys_walk_is_found(stored: StoredWalk | None, what: str) -> None:
    there = {**HELD} if stored is None else {**HELD, CANARY.walk_id: stored}
    (lost,) = acknowledged(SENT, there, PROBED).lost
    assert lost.walk_id == CANARY.walk_id and what in str(lost.what)
