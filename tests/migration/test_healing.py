"""What reconcile would do: each planted difference, in both directions, and nothing to a pair that agrees."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.errors import Exit
from harness.checks.dual_write import document_id
from harness.cli.reconcile import Reconcile, told
from harness.migration.convert import walk_rows
from harness.migration.heal import Healing, decided, healed, healing, overtaken
from harness.migration.statements import Fate
from harness.model.direction import Direction
from harness.model.judgement import Verdict
from harness.stack.firebase.documents import Fields, Value, plain_fields
from tests.checks.stored import NOON, WALK, documents, walk
from tests.nowhere import all_at

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
    ahead, alone = map(str, found.named)
    assert "by the app itself" in ahead and "in Firestore alone" in alone
    assert [*map(str, told(found, applied=True))][1:] == [f"  left alone: {each}" for each in (ahead, alone)]


def test_a_later_document_is_the_app_s_own_in_whatever_form_it_says_its_time() -> None:
    """A migration reads both: the older walk was written over it."""
    at = NOON + timedelta(minutes=10)
    for field, value in (("updated_at", Value("string", at.isoformat())), ("updatedAt", Value("timestamp", at))):
        held = documents(walk())
        del held[NAME]["updated_at"]
        held[NAME][field] = value
        held[NAME]["title"] = Value("string", "of the app")
        found = healing([walk()], held, (), Direction.TO_FIRESTORE)
        assert (found.write, len(found.named)) == ((), 1), field
        assert healing([walk()], held, (), Direction.TO_POSTGRESQL).replace == (NAME,), field
        held[NAME]["title"] = Value("string", "x" * 300)  # which PostgreSQL does not take
        assert healing([walk()], held, (), Direction.TO_FIRESTORE).write == (), field


def test_of_two_documents_of_one_walk_the_one_that_does_not_count_is_named() -> None:
    plan = Healing(direction=Direction.TO_POSTGRESQL, copy=(NAME, NAME.lower()))
    found = decided(plan, {NAME: Fate.NEW})
    assert found.copy == (NAME,)
    assert [*map(str, found.named)] == [f"{NAME.lower()}: another document of the same walk is later"]


def test_what_is_known_to_be_the_app_s_own_is_kept_and_counted() -> None:
    held = later() | documents(walk(OTHER))
    found = healing([walk()], held, (), Direction.TO_FIRESTORE, own=[WALK])
    assert (found.changes, found.own, len(found.named)) == (0, 1, 1)
    assert "in Firestore alone" in str(found.named[0])
    assert "1 left alone, 1 of the app's own kept" in str(found.told)


def test_what_the_app_deleted_or_wrote_again_itself_is_neither_brought_back_nor_deleted() -> None:
    gone = healing([walk()], {}, (), Direction.TO_FIRESTORE, own=[WALK])
    assert (gone.changes, gone.named, gone.own) == (0, (), 1)
    again = healing([walk()], documents(walk(), walk(OTHER)), {OTHER}, Direction.TO_FIRESTORE, own=[OTHER])
    assert (again.changes, again.named, again.own) == (0, (), 1)
    older = healing([walk()], documents(walk(updated_at=NOON)), (), Direction.TO_FIRESTORE, own=[WALK])
    assert (older.write, older.own) == ((NAME,), 0)


def test_a_document_that_was_written_since_it_was_read_is_left_alone_and_named() -> None:
    plan = healing([walk()], documents(walk(OTHER)), {OTHER}, Direction.TO_FIRESTORE)
    assert (plan.write, plan.delete) == ((NAME,), (OTHER_NAME,))
    found = overtaken(plan, [OTHER_NAME])
    assert (found.write, found.delete) == ((NAME,), ())
    assert [*map(str, found.named)] == [f"{OTHER}: written to Firestore meanwhile"]
    assert overtaken(plan, []) == plan


def test_newer_and_unknown_documents_are_copied_to_postgresql() -> None:
    found = healing([walk()], later(title="y") | documents(walk(OTHER)), (), Direction.TO_POSTGRESQL)
    assert (found.replace, found.copy, found.named) == ((NAME,), (OTHER_NAME,), ())
    rows = walk_rows(NAME, plain_fields(later(title="y")[NAME]))
    assert (rows.user, rows.walk[2], len(rows.locations)) == ("u1", "y", 3)


def test_nothing_is_lost_or_brought_back_on_the_way_to_postgresql() -> None:
    short = later(title="y")
    short[NAME]["location_data"] = Value("array", [])
    plan = healing([walk()], short | documents(walk(OTHER)), {OTHER}, Direction.TO_POSTGRESQL)
    found = decided(plan, {NAME: Fate.FEWER})
    assert found.changes == 0
    assert len(found.named) == 2 and "nothing is taken away" in str(found.named[1])
    assert decided(plan, {NAME: Fate.NEWER}) == plan
    alone = healing([walk()], {}, (), Direction.TO_POSTGRESQL)
    assert (alone.changes, len(alone.named)) == (0, 1)


@pytest.mark.parametrize("garbled", [Value("string", "x"), None, Value("array", [Value("string", "x")])], ids=str)
@pytest.mark.parametrize("field", ["total_steps", "location_data", "updated_at", "start_time"])
def test_a_document_that_is_not_in_the_app_s_format_is_named_and_ends_no_copy(
    field: str, garbled: Value | None
) -> None:
    held = documents(walk(), walk(OTHER))
    held[NAME].pop(field)
    if garbled is not None:
        held[NAME][field] = garbled
    found = healing([], held, (), Direction.TO_POSTGRESQL)
    if field != "updated_at" and garbled is None:  # they may be absent
        assert found.copy == (NAME, OTHER_NAME)
    else:
        assert found.copy == (OTHER_NAME,)
        [named] = found.named
        assert str(named).startswith(f"{WALK} of u1: the document cannot be copied: {field}")


def differing() -> list[dict[str, Fields]]:
    """A document of an earlier write, and one of this write that says something else."""
    wrong = documents(walk())
    wrong[NAME]["title"] = Value("string", "x")
    return [documents(walk(updated_at=NOON)), wrong]


def test_a_document_that_differs_and_is_not_newer_is_named_on_the_way_to_postgresql() -> None:
    for held in differing():
        found = healing([walk()], held, (), Direction.TO_POSTGRESQL)
        left = [f"{WALK} of u1: the document differs and is not newer"]
        assert (found.changes, [*map(str, found.named)]) == (0, left)


@pytest.mark.parametrize("apply", [False, True])
def test_the_command_ends_well_only_where_nothing_differs_any_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, apply: bool
) -> None:
    there = tmp_path / "endpoints.json"
    there.write_bytes(msgspec.json.encode({"endpoints": all_at()}))

    def ends(found: Healing) -> int:
        async def healed(*_: object, **__: object) -> Healing:
            return found

        monkeypatch.setattr("harness.migration.heal.heal", healed)
        return Reconcile(endpoints=there, apply=apply, direction=found.direction).run()

    assert ends(healing([walk()], documents(walk()), (), Direction.TO_POSTGRESQL)) == Exit.OK
    assert ends(healing([walk()], {}, (), Direction.TO_FIRESTORE)) == (Exit.OK if apply else Exit.HOLD)
    for held in differing():
        assert ends(healing([walk()], held, (), Direction.TO_POSTGRESQL)) == Exit.HOLD


def test_a_second_healing_shows_what_was_not_healed_and_what_was_left_alone() -> None:
    nothing = healing([walk()], documents(walk()), (), Direction.TO_POSTGRESQL)
    again = healing([walk()], {}, (), Direction.TO_FIRESTORE)
    assert healed(again, nothing).verdict is Verdict.PASS
    assert healed(again, again).verdict is Verdict.FAIL
    for held in (*differing(), {}):  # the last one: PostgreSQL alone has the walk
        left = healing([walk()], held, (), Direction.TO_POSTGRESQL)
        told = healed(left, left)
        assert (told.verdict, told.examples) == (Verdict.INCONCLUSIVE, left.named)
        assert told.reason.endswith("a second time: 0 changes, 1 left alone")
