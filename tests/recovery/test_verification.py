"""A restored instance against what phones sent: a good restore holds, and each planted loss or stranger is found."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.checks.dual_write import StoredWalk
from harness.model.evidence import Operation, RequestRow
from harness.model.scenario import ProbePlan
from harness.recovery.verification import CONTENT, COUNT, Phones, as_of, content_checks
from tests.checks.sending import ANCHOR, BUCKET, PLAN, SEED, USERS, held, rows_of

ROWS = sorted(rows_of(*(account.user for account in USERS)), key=lambda row: row.done_ns)
PHONES = Phones(population=PLAN, probes=ProbePlan(rate_per_s=10), seed=SEED, anchor_unix_ns=ANCHOR, bucket=BUCKET)
#: The last recovered commit lies behind two thirds of the writes, the disaster behind all.
LAST_NS, GONE_NS = ROWS[len(ROWS) * 2 // 3].done_ns, ROWS[-1].done_ns
BEFORE = [row for row in ROWS if row.done_ns < LAST_NS]
STORED = held(BEFORE)
LONG = max(STORED.values(), key=lambda walk: len(walk.locations))


def failing(stored: dict[str, StoredWalk], rows: list[RequestRow] | None = None) -> dict[str, str]:
    known = as_of(ROWS if rows is None else rows, LAST_NS, GONE_NS)
    return {check.name: check.told for check in content_checks(PHONES, known, stored) if not check.ok}


def changed(**columns: Any) -> dict[str, StoredWalk]:
    return {**STORED, LONG.id: msgspec.structs.replace(LONG, columns={**LONG.columns, **columns})}


def located(points: list[dict[str, Any]]) -> dict[str, StoredWalk]:
    return {**STORED, LONG.id: msgspec.structs.replace(LONG, locations=points)}


POINTS = [dict(point) for point in LONG.locations]


def test_a_restore_up_to_the_last_commit_holds_and_so_does_one_that_has_more() -> None:
    assert failing(STORED) == {}
    assert failing(held([row for row in ROWS if row.done_ns <= LAST_NS])) == {}


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


def test_a_walk_that_nobody_sent_is_found() -> None:
    answered = [row for row in ROWS if row.operation is not Operation.CREATE_WALK or row.done_ns < LAST_NS]
    stranger = msgspec.structs.replace(LONG, id="00000000-0000-4000-8000-000000000000")
    found = failing({**STORED, stranger.id: stranger}, answered)
    assert list(found) == [COUNT]
    assert stranger.id in found[COUNT]


def test_without_one_acknowledged_write_nothing_was_verified() -> None:
    assert list(failing({}, [])) == [CONTENT]


def test_what_was_sent_after_the_data_was_gone_is_left_out() -> None:
    assert {row.sent_ns <= GONE_NS for row in as_of(ROWS, LAST_NS, GONE_NS)} == {True}
    assert as_of(ROWS, LAST_NS, 0) == []
    late = [row for row in as_of(ROWS, LAST_NS, GONE_NS) if row.done_ns >= LAST_NS]
    assert late and not any(row.acknowledged for row in late)
