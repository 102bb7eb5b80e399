"""From what a checker found to its verdict: each can fail, and evidence that does not fit the schedule proves nothing."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.units import Unit
from harness.checks.acknowledged import acknowledged
from harness.checks.applied_once import applied_once
from harness.checks.dual_write import StoredWalk
from harness.checks.invariants import switch_over_result
from harness.checks.sent import Sent, api_writes, untold
from harness.checks.tables import CONTRACT, Unread
from harness.checks.walk_results import acknowledged_result, once_result
from harness.model.evidence import Due, RequestRow
from harness.model.judgement import Judgement, Verdict
from harness.rules.switch_over import SwitchOver
from tests.checks.sending import USERS, as_sent, held, planned, row, rows_of

NAMES = [account.user for account in USERS]
ROWS = rows_of(*NAMES)
SENT = as_sent(ROWS)
HELD = held(ROWS)
FOREIGN = msgspec.structs.replace(SENT, unmatched=("u0001-00099", "u0002-00098"))
NOTHING = Sent(walks={}, creates=())
#: Walks that a PUT named.
PUT_IDS = sorted(SENT.walks.keys() & HELD.keys())


def of_writes(stored: dict[str, StoredWalk], sent: Sent = SENT) -> Judgement:
    return acknowledged_result(acknowledged(sent, stored), sent)


def of_once(*stored: StoredWalk, sent: Sent = SENT) -> Judgement:
    return once_result(applied_once(sent, stored, NAMES), sent)


def without(*ids: str) -> dict[str, StoredWalk]:
    return {walk_id: walk for walk_id, walk in HELD.items() if walk_id not in ids}


def test_every_acknowledged_write_there_passes() -> None:
    found = of_writes(HELD)
    assert (found.verdict, found.value, found.samples, found.gates) == (Verdict.PASS, 0.0, len(ROWS), True)
    assert (found.id, found.claims) == ("writes.acknowledged", ("api.version",)), "what came first is not seen by it"


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_acknowledged_write_fails_and_names_its_walk(lost: int) -> None:
    ids = PUT_IDS[:lost]
    found = of_writes(without(*ids))
    writes = sum(put.acknowledged for walk_id in ids for put in SENT.walks[walk_id].puts)
    assert writes > lost
    assert (found.verdict, found.value, found.samples) == (Verdict.FAIL, writes, len(ROWS))
    assert f"{writes} lost, of {lost} walks" in found.reason
    assert all(walk_id in found.reason for walk_id in ids)


def test_however_much_is_wrong_no_more_writes_are_lost_than_were_acknowledged() -> None:
    """Every column of every walk shifted, and every location gone."""
    for change in ({"columns": True}, {"locations": True}, {"columns": True, "locations": True}):
        spoilt = {walk_id: _spoilt(walk, **change) for walk_id, walk in HELD.items()}
        found = acknowledged(SENT, spoilt)
        assert len(found.lost) == len(HELD) or "columns" not in change
        assert len(found.lost) <= found.lost_writes <= found.writes
        assert acknowledged_result(found, SENT).value == found.lost_writes


def _spoilt(walk: StoredWalk, *, columns: bool = False, locations: bool = False) -> StoredWalk:
    wrong = {name: f"not {value}" if isinstance(value, str) else None for name, value in walk.columns.items()}
    kept = dict(walk.columns) | (wrong | {"user_id": walk.user} if columns else {})
    return msgspec.structs.replace(walk, columns=kept, locations=() if locations else walk.locations)


WHOLE = [row(each) for user in NAMES for each in planned(user)]
DUE = [Due(id=each.operation_id, user=each.user, due_ns=each.due_ns) for each in WHOLE]


def of_rows(rows: list[RequestRow], stored: dict[str, StoredWalk]) -> tuple[Verdict, Verdict]:
    """Lost writes, and doubled ones."""
    told = msgspec.structs.replace(as_sent(api_writes(rows)), untold=untold(rows, DUE))
    return of_writes(stored, told).verdict, of_once(*stored.values(), sent=told).verdict


def test_no_write_is_lost_or_strange_for_a_row_that_is_missing_and_nothing_passes_without_it() -> None:
    """Each row in turn: the last PUT of a walk, a DELETE, a CREATE, all that is known of a walk."""
    assert of_rows(WHOLE, HELD) == (Verdict.PASS, Verdict.PASS)
    for number in range(len(WHOLE)):
        left = [*WHOLE[:number], *WHOLE[number + 1 :]]
        assert of_rows(left, HELD) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE)
    nobody = [each for each in WHOLE if each.user != NAMES[0]]
    assert of_rows(nobody, HELD) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE)


def test_a_row_that_is_missing_hides_no_loss_of_another_user_and_nothing_that_is_there_twice() -> None:
    lost = next(walk_id for walk_id in PUT_IDS if SENT.walks[walk_id].user == NAMES[0])
    for user, verdict in ((NAMES[0], Verdict.INCONCLUSIVE), (NAMES[1], Verdict.FAIL)):
        left = [each for each in WHOLE if each.operation_id != f"{user}-00003"]
        assert of_rows(left, without(lost))[0] is verdict
        told = msgspec.structs.replace(as_sent(api_writes(left)), untold=untold(left, ()))
        found = of_once(*HELD.values(), HELD[lost], sent=told)
        assert found.verdict is Verdict.FAIL
        assert f"of 1 users not every request is in evidence that would show it: {user} first" in found.reason


def test_what_is_no_request_of_the_schedule_is_no_gap_in_it() -> None:
    """A walk sent once more, and the row of something else."""
    again, other = (
        msgspec.structs.replace(WHOLE[0], operation_id=name) for name in (f"{NAMES[0]}-00099-again-00003", "else")
    )
    assert untold([*WHOLE, again, other], DUE) == () == untold([], ())


def test_what_was_not_read_holds_the_week_and_hides_no_loss() -> None:
    layout = CONTRACT.without("walks.status", "smallint")
    partly = {walk_id: msgspec.structs.replace(walk, layout=layout) for walk_id, walk in HELD.items()}
    unread = acknowledged_result(acknowledged(SENT, partly), SENT, layout)
    assert (unread.verdict, unread.gates) == (Verdict.NOT_EXERCISED, True)
    assert "walks.status cannot be read: docs/contract has walk_status, and the database has smallint" in unread.reason
    one = {walk_id: walk for walk_id, walk in partly.items() if walk_id != PUT_IDS[0]}
    assert acknowledged_result(acknowledged(SENT, one), SENT, layout).verdict is Verdict.FAIL


def test_locations_that_were_not_read_are_neither_lost_nor_there_once() -> None:
    unread = Unread(place="walk_locations", expected="a table", found="none")
    layout = msgspec.structs.replace(CONTRACT, locations=None, unread=(unread,))
    partly = {walk_id: msgspec.structs.replace(walk, locations=(), layout=layout) for walk_id, walk in HELD.items()}
    assert acknowledged(SENT, partly).lost == ()
    once = once_result(applied_once(SENT, tuple(partly.values()), NAMES), SENT, layout)
    assert (once.verdict, once.gates) == (Verdict.NOT_EXERCISED, True)
    two = (*partly.values(), partly[PUT_IDS[0]])
    assert once_result(applied_once(SENT, two, NAMES), SENT, layout).verdict is Verdict.FAIL


def test_no_acknowledged_write_is_not_enough() -> None:
    found = of_writes({}, NOTHING)
    assert (found.verdict, found.samples) == (Verdict.INCONCLUSIVE, 0)


def test_writes_that_do_not_fit_the_schedule_prove_nothing_but_excuse_no_loss() -> None:
    found = of_writes(HELD, FOREIGN)
    assert (found.verdict, found.value) == (Verdict.INCONCLUSIVE, 0.0)
    assert "2 writes do not fit the schedule, the first is u0001-00099" in found.reason
    lost = of_writes(without(PUT_IDS[0]), FOREIGN)
    assert lost.verdict is Verdict.FAIL
    assert "2 writes do not fit the schedule" in lost.reason


def test_everything_there_once_passes() -> None:
    found = of_once(*HELD.values())
    assert (found.verdict, found.value, found.samples, found.gates) == (Verdict.PASS, 0.0, len(HELD), True)


def test_a_walk_that_is_there_twice_fails() -> None:
    twice = HELD[PUT_IDS[0]]
    found = of_once(*HELD.values(), twice)
    assert (found.verdict, found.value is not None and found.value >= 1) == (Verdict.FAIL, True)
    assert f"walk {twice.id}: 2 rows" in found.reason


def test_without_a_walk_nothing_was_there_once() -> None:
    assert of_once().verdict is Verdict.INCONCLUSIVE


def test_what_was_sent_is_not_known_so_it_may_have_been_sent_but_not_stored_twice() -> None:
    twice = of_once(*HELD.values(), HELD[PUT_IDS[0]], sent=FOREIGN)
    assert twice.verdict is Verdict.FAIL
    found = of_once(*HELD.values(), sent=FOREIGN)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "2 writes do not fit the schedule, the first is u0001-00099" in found.reason


def switched(clients: int, *late: str, last_s: float | None = 61.04) -> Judgement:
    back = clients - len(late)
    return switch_over_result(SwitchOver(clients=clients, switched=back, last_s=last_s, limit_s=300.0, late_users=late))


def test_every_client_back_in_time_passes() -> None:
    found = switched(250)
    assert (found.verdict, found.value, found.samples, found.unit) == (Verdict.PASS, 0.0, 250, Unit.USERS)
    assert (found.id, found.claim, found.gates) == ("flag.off_in_time", "rollout.rollback.step2", True)
    assert found.reason == "250 of 250 clients back on Firestore, limit 300 s; the last after 61.0 s"


@pytest.mark.parametrize("late", [("u0007",), ("u0007", "u0011", "u0012", "u0013")])
def test_a_client_that_is_late_fails_and_is_named(late: tuple[str, ...]) -> None:
    found = switched(250, *late)
    assert (found.verdict, found.value, found.samples) == (Verdict.FAIL, len(late), 250)
    assert f"{250 - len(late)} of 250 clients back" in found.reason
    assert [name for name in late if name in found.reason] == list(late[:3])


def test_nobody_back_has_no_last_one() -> None:
    found = switched(1, "u0001", last_s=None)
    assert found.verdict is Verdict.FAIL
    assert "the last after" not in found.reason


def test_without_a_client_nobody_could_be_late() -> None:
    assert switched(0, last_s=None).verdict is Verdict.INCONCLUSIVE
