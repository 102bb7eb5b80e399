"""Continuity: what is planted as lost is found, by whichever side it was to be there; the copy keeps everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.checks.walk_continuity import (
    Points,
    continuity,
    contract_points,
    document_points,
    recorded_points,
    together,
)
from harness.migration.convert import LOCATION_COLUMNS, walk_rows
from harness.rehearsals.flag_proof.real import WalkRecorder

OPTIONAL = LOCATION_COLUMNS[5:]


def phone() -> tuple[WalkRecorder, str, dict[str, Any]]:
    """A phone that recorded a walk, and its document as the old app writes it."""
    recorder = WalkRecorder("u1", 3, 1_790_000_000_000_000_000)
    walk_id = recorder.begin()
    recorder.walk_on(walk_id)
    return recorder, walk_id, dict(recorder.document(walk_id, recorder.walk_on(walk_id)))


def copied(document: dict[str, Any], *lost: str) -> Points:
    """The walk as PostgreSQL holds it after the copy; ``lost`` are columns that the copy knew by another key."""
    rows = [dict(zip(LOCATION_COLUMNS, row, strict=True)) for row in walk_rows(document["id"], document).locations]
    return contract_points([row | dict.fromkeys(lost) for row in rows])


def test_a_document_holds_what_was_recorded() -> None:
    recorder, walk_id, document = phone()
    found = continuity(recorder.recorded, {walk_id: document_points(document["location_data"])})
    assert found.whole
    assert found.locations > 2
    assert any(point.speed is None for point in recorder.recorded[walk_id].values())  # -1 in the document
    assert str(found).endswith("all there")


def test_the_copy_keeps_every_location_with_its_accuracies() -> None:
    recorder, walk_id, document = phone()
    assert continuity(recorder.recorded, {walk_id: copied(document)}).whole
    rows = walk_rows(document["id"], document)
    assert rows.user == "u1"
    assert str(rows.id) == walk_id == document["id"].lower()
    assert document["status"] in rows.walk


def test_the_trap_a_copy_for_snake_case_keys_loses_the_accuracies_and_is_caught() -> None:
    recorder, walk_id, document = phone()
    found = continuity(recorder.recorded, {walk_id: copied(document, "horizontal_accuracy", "vertical_accuracy")})
    assert not found.whole
    assert len(found.locations_changed) == found.locations
    assert "(horizontal_accuracy, vertical_accuracy)" in str(found)


def test_planted_losses_are_named() -> None:
    recorder, walk_id, document = phone()
    whole = document_points(document["location_data"])
    without = {number: point for number, point in whole.items() if number != 1}
    assert continuity(recorder.recorded, {}).walks_missing == (walk_id,)
    assert continuity(recorder.recorded, {walk_id: without}).locations_missing == (f"{walk_id[:8]}#1",)
    swapped = {**whole, 0: whole[1]}
    assert not continuity(recorder.recorded, {walk_id: swapped}).whole
    assert continuity({}, {walk_id: whole}).whole is False  # nothing recorded proves nothing


@pytest.mark.parametrize(("name", "value"), [("latitude", 1.0), ("speed", 3.0), ("altitude", None)])
def test_one_changed_value_is_named(name: str, value: float | None) -> None:
    recorder, walk_id, document = phone()
    document["location_data"][0][name] = value
    found = continuity(recorder.recorded, {walk_id: document_points(document["location_data"])})
    assert found.locations_changed == (f"{walk_id[:8]}#0 ({name})",)


def test_two_halves_are_whole_together_and_the_first_side_decides() -> None:
    recorder, walk_id, document = phone()
    whole = document_points(document["location_data"])
    cut = len(whole) // 2
    early = {walk_id: {number: point for number, point in whole.items() if number < cut}}
    late = {walk_id: {number: point for number, point in whole.items() if number >= cut}}
    assert continuity(recorder.recorded, together(early, late)).whole
    assert together({walk_id: {0: whole[1]}}, early)[walk_id][0] == whole[1]


def test_times_of_all_sides_are_one() -> None:
    at = datetime(2026, 10, 1, 9, 0, 0, 123_000, tzinfo=UTC)
    recorder, walk_id, _ = phone()
    entry = {"latitude": 1.0, "longitude": 2.0, "sequence_number": 0} | dict.fromkeys(OPTIONAL)
    text, value = (
        contract_points([{**entry, "timestamp": "2026-10-01T09:00:00.123Z"}]),
        contract_points([{**entry, "timestamp": at}]),
    )
    assert text == value
    moved = contract_points([{**entry, "timestamp": at + timedelta(milliseconds=1)}])
    assert text != moved
    assert recorded_points(recorder.locations[walk_id]) == recorder.recorded[walk_id]
