"""What reconcile would do: each planted difference, in both directions, and nothing to a pair that agrees."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from harness.checks.dual_write import document_id
from harness.checks.healing import Direction, healing
from harness.firebase.copy_walks import rows_of
from harness.firebase.document_writes import plain_fields
from harness.firebase.documents import Fields, Value
from harness.reconcile.command import told
from tests.checks.test_dual_write import NOON, WALK, documents, walk

OTHER = WALK.replace("0b", "0c")
BOTH = (Direction.TO_FIRESTORE, Direction.TO_POSTGRESQL)
NAME, OTHER_NAME = document_id(WALK), document_id(OTHER)


def later(**changes: Any) -> dict[str, Fields]:
    """The walk's document, written by the app ten minutes after the walk."""
    return documents(walk(updated_at=NOON + timedelta(minutes=10), **changes))


def test_stores_that_agree_need_nothing_in_either_direction() -> None:
    for direction in BOTH:
        found = healing([walk()], documents(walk()), (), direction)
        assert (found.changes, found.named) == (0, ())


def test_missing_stale_and_wrong_documents_are_written_and_deleted_walks_are_taken_out() -> None:
    stale = documents(walk(updated_at=NOON))
    wrong = documents(walk())
    wrong[NAME]["title"] = Value("string", "x")
    for held in ({}, stale, wrong):
        assert healing([walk()], held, (), Direction.TO_FIRESTORE).write == (NAME,)
    extra = documents(walk(), walk(OTHER))
    assert healing([walk()], extra, {OTHER}, Direction.TO_FIRESTORE).delete == (OTHER_NAME,)


def test_what_the_app_wrote_to_firestore_itself_is_named_and_left_alone() -> None:
    found = healing([walk()], later() | documents(walk(OTHER)), (), Direction.TO_FIRESTORE)
    assert found.changes == 0
    assert len(found.named) == 2 and "by the app itself" in found.named[0] and "in Firestore alone" in found.named[1]
    assert "left alone" in told(found, applied=True)


def test_newer_and_unknown_documents_are_copied_to_postgresql() -> None:
    found = healing([walk()], later(title="y") | documents(walk(OTHER)), (), Direction.TO_POSTGRESQL)
    assert (found.replace, found.copy, found.named) == ((NAME,), (OTHER_NAME,), ())
    rows = rows_of(plain_fields(later(title="y")[NAME]))
    assert (rows.user, rows.walk[1], len(rows.locations)) == ("u1", "y", 3)


def test_nothing_is_lost_or_brought_back_on_the_way_to_postgresql() -> None:
    short = later(title="y")
    short[NAME]["location_data"] = Value("array", [])
    found = healing([walk()], short | documents(walk(OTHER)), {OTHER}, Direction.TO_POSTGRESQL)
    assert found.changes == 0
    assert len(found.named) == 2
    alone = healing([walk()], {}, (), Direction.TO_POSTGRESQL)
    assert (alone.changes, len(alone.named)) == (0, 1)
