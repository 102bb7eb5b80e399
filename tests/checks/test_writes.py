"""What the evidence says of walks, side by side."""

from __future__ import annotations

from harness.model.evidence import EventRow, Operation, Outcome, RequestRow, Side
from harness.rules.writes import Writes


def row(
    side: Side, operation: Operation, walk_id: str, *, acknowledged: bool = True, retried: bool = False
) -> RequestRow:
    return RequestRow(
        operation_id="x",
        user="u1",
        audience="general",
        side=side,
        operation=operation,
        due_ns=0,
        sent_ns=0,
        done_ns=0,
        status=200,
        outcome=Outcome.OK,
        acknowledged=acknowledged,
        payload_digest="",
        flag=side is Side.API,
        walk_id=walk_id,
        retried=retried,
    )


def test_a_walk_is_deleted_until_it_is_written_again() -> None:
    writes = Writes()
    writes.add(row(Side.API, Operation.PUT_WALK, "A"))
    writes.add(row(Side.API, Operation.DELETE_WALK, "a"))
    assert (writes.deleted[Side.API], writes.kept[Side.API]) == ({"a": "u1"}, {})
    writes.add(row(Side.API, Operation.PUT_WALK, "a"))
    assert (writes.deleted[Side.API], writes.kept[Side.API]) == ({}, {"a": "u1"})
    assert writes.direct == set()


def test_a_write_to_firestore_counts_as_direct_whether_confirmed_or_not() -> None:
    writes = Writes()
    writes.add(row(Side.FIRESTORE, Operation.PUT_WALK, "a", acknowledged=False))
    writes.add(row(Side.FIRESTORE, Operation.DELETE_WALK, "b"))
    assert writes.direct == {"a", "b"}
    assert (writes.kept[Side.FIRESTORE], writes.deleted[Side.FIRESTORE]) == ({}, {"b": "u1"})


def test_a_walk_deleted_by_the_api_since_is_no_longer_the_apps_own_unless_a_write_of_the_app_may_still_arrive() -> None:
    writes = Writes()
    for walk_id, acknowledged in (("a", True), ("b", False), *((each, True) for each in "cdef")):
        writes.add(row(Side.FIRESTORE, Operation.PUT_WALK, walk_id, acknowledged=acknowledged))
    for walk_id in ("A", "b", "e"):
        writes.add(row(Side.API, Operation.DELETE_WALK, walk_id))
    writes.add(row(Side.API, Operation.DELETE_WALK, "c", acknowledged=False))
    writes.add(row(Side.API, Operation.PUT_WALK, "d"))
    writes.add(row(Side.FIRESTORE, Operation.PUT_WALK, "e"))
    writes.add(row(Side.API, Operation.DELETE_WALK, "f", retried=True))  # a 404 to the second may be one to the first
    assert writes.direct == {"b", "c", "d", "e", "f"}
    assert writes.ever_direct == {"a", *writes.direct}


def test_a_walk_that_was_deleted_in_firestore_is_gone_until_either_side_is_told_of_it_again() -> None:
    writes = Writes()
    writes.add(row(Side.API, Operation.PUT_WALK, "a"))
    writes.add(row(Side.FIRESTORE, Operation.DELETE_WALK, "b", acknowledged=False))
    writes.add(row(Side.FIRESTORE, Operation.DELETE_WALK, "A"))
    writes.add(row(Side.API, Operation.GET_WALK, "a"))
    assert writes.gone == {"a"}
    writes.add(row(Side.API, Operation.PUT_WALK, "a", acknowledged=False))
    assert writes.gone == set()


def test_a_walk_whose_last_put_nobody_confirmed_may_be_sent_again_until_it_is_confirmed_or_deleted() -> None:
    writes = Writes()
    for walk_id in ("A", "b", "c"):
        writes.add(row(Side.API, Operation.PUT_WALK, walk_id))
        assert walk_id.lower() not in writes.unconfirmed
        writes.add(row(Side.API, Operation.PUT_WALK, walk_id, acknowledged=False))
    writes.add(row(Side.API, Operation.CREATE_WALK, "d", acknowledged=False))
    writes.add(row(Side.API, Operation.GET_WALK, "a"))
    assert writes.unconfirmed == {"a", "b", "c"}
    writes.add(row(Side.FIRESTORE, Operation.PUT_WALK, "a"))
    writes.add(row(Side.API, Operation.DELETE_WALK, "b", acknowledged=False))  # its user wants it gone
    assert writes.unconfirmed == {"c"}


def test_reads_unconfirmed_writes_and_other_rows_change_nothing() -> None:
    writes = Writes()
    writes.add(row(Side.API, Operation.GET_WALK, "a"))
    writes.add(row(Side.API, Operation.DELETE_WALK, "a", acknowledged=False))
    writes.add(EventRow(at_ns=0, kind="x", subject="", message=""))
    assert writes.deleted == {side: {} for side in Side} and writes.direct == set()
