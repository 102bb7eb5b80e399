"""The checks of PostgreSQL against tables of other types: rounded is held, unread is not exercised, wrong is found."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.checks.contract.reach import NotExercised
from harness.checks.contract.run import CheckRun, Deviation
from harness.checks.tables import CONTRACT, LOCATIONS, OF_LOCATIONS, OF_WALKS, WALKS, ColumnLayout, Unread
from harness.checks.values import Column, ColumnKind
from harness.model.message import raw_text
from harness.rehearsals.conformance.checks import ALL
from tests.conformance.in_process import InProcess, Target, checked
from tests.conformance.outcomes import Outcome, outcome

OF_POSTGRES = [check for check in ALL if check.id.startswith("postgres.")]
ROUNDED = Column(kind=ColumnKind.NUMBER, declared="integer", grain=Decimal(1))
SINGLE = Column(kind=ColumnKind.NUMBER, declared="real", single=True)


def found(layout: ColumnLayout, tmp_path: Path, row: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, CheckRun]:
    """What the checks say when the tables are read by ``layout``, and hold ``row`` of what the API wrote."""

    def plant(target: Target) -> None:
        walk_row, location_rows = target.database.walk_row, target.database.location_rows
        target.layout = layout
        target.database.walk_row = lambda walk_id: row(there) if (there := walk_row(walk_id)) else there  # type: ignore[method-assign]
        target.database.location_rows = lambda walk_id: [row(each) for each in location_rows(walk_id)]  # type: ignore[method-assign]

    return checked(OF_POSTGRES, [plant], tmp_path)


def of(found: dict[str, CheckRun], id_: str) -> Deviation:
    """What a check found wrong."""
    deviation = found[id_].deviation
    assert deviation is not None
    return deviation


def kept(row: dict[str, Any]) -> dict[str, Any]:
    """Distances in whole metres, cut; a latitude as a float of 32 bits has it."""
    rounded = {"total_distance": 4321, "latitude": 35.681236267089844}
    return row | {name: value for name, value in rounded.items() if name in row}


def test_what_a_column_rounds_is_held_and_what_it_would_not_keep_is_found(tmp_path: Path) -> None:
    walks, locations = {**OF_WALKS, "total_distance": ROUNDED}, {**OF_LOCATIONS, "latitude": SINGLE}
    layout = ColumnLayout(walks=walks, locations=locations)
    assert {outcome(each) for each in found(layout, tmp_path, kept).values()} == {Outcome.PASSED}
    exact = found(CONTRACT, tmp_path, kept)
    assert {id_ for id_, each in exact.items() if outcome(each) is Outcome.DEVIATION} == {
        "postgres.walk",
        "postgres.locations",
    }
    assert "'total_distance': 4321.5" in str(of(exact, "postgres.walk").expected)
    assert "'total_distance': 4321," in str(of(exact, "postgres.walk").got)
    assert str(of(exact, "postgres.locations").expected).startswith("location 0 in walk_locations")


def without(name: str) -> ColumnLayout:
    return CONTRACT.without(name, "bytea")


@pytest.mark.parametrize(
    ("layout", "id_", "says"),
    [
        (without("walks.status"), "postgres.walk", "walks.status cannot be read: docs/contract has walk_status"),
        (without("walk_locations.latitude"), "postgres.locations", "the database has bytea"),
        (
            ColumnLayout(
                walks=OF_WALKS, locations=None, unread=(Unread(place=LOCATIONS, expected="a table", found="a view"),)
            ),
            "postgres.locations",
            "walk_locations cannot be read: docs/contract has a table, and the database has a view",
        ),
    ],
)
def test_what_cannot_be_read_is_not_exercised_with_the_reason(
    layout: ColumnLayout, id_: str, says: str, tmp_path: Path
) -> None:
    results = found(layout, tmp_path, dict)
    assert (outcome(results[id_]), says in str(results[id_].lacking)) == (Outcome.NOT_EXERCISED, True), results[id_]
    assert {outcome(each) for name, each in results.items() if name != id_} == {Outcome.PASSED}


def test_a_real_finding_is_not_hidden_behind_a_column_that_cannot_be_read(tmp_path: Path) -> None:
    results = found(without("walks.status"), tmp_path, lambda row: row | ({"title": "?"} if "title" in row else {}))
    wrong = of(results, "postgres.walk")
    assert "'title': '?'" in str(wrong.got) and "status" not in str(wrong.expected)


def test_users_that_cannot_be_read_are_not_exercised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unread(_self: InProcess, _uid: str) -> int:
        raise NotExercised(raw_text("users cannot be read"))

    monkeypatch.setattr(InProcess, "user_rows", unread)
    assert found(CONTRACT, tmp_path, dict)["postgres.user"].lacking == raw_text("users cannot be read")


def test_a_walk_that_is_nowhere_is_found(tmp_path: Path) -> None:
    def nothing(target: Target) -> None:
        target.database.walk_row = lambda walk_id: {}  # type: ignore[method-assign]

    wrong = checked(OF_POSTGRES, [nothing], tmp_path)
    walk = of(wrong, "postgres.walk")
    assert (str(walk.expected), str(walk.got)) == (f"rows in {WALKS} 1", "0")
    assert outcome(wrong["postgres.locations"]) is Outcome.DEVIATION
