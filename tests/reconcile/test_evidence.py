"""``reconcile --evidence RUN``: which walks were deleted is known of a whole run alone."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from harness.base.clock import Anchor
from harness.base.errors import BadInput
from harness.evidence.gathered import EVIDENCE, whole_writes
from harness.evidence.store import EvidenceStore
from harness.model.evidence import Operation, Outcome, RequestRow, Side


def row(number: int, operation: Operation) -> RequestRow:
    return RequestRow(
        operation_id=f"u-{number}", user="u", audience="beta", side=Side.API, operation=operation, due_ns=number,
        sent_ns=number, done_ns=number, status=200, outcome=Outcome.OK, acknowledged=True, payload_digest="", flag=True,
        walk_id=f"w-{number}",
    )  # fmt: skip


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_run_that_lost_rows_heals_nothing(tmp_path: Path, lost: int) -> None:
    """A walk whose DELETE is not in evidence any more was brought back."""
    with EvidenceStore(tmp_path / EVIDENCE, "run", Anchor(monotonic_ns=0, unix_ns=0)) as store:
        store.append([row(1, Operation.PUT_WALK), row(2, Operation.DELETE_WALK), row(3, Operation.PUT_WALK)])
    assert set(whole_writes(tmp_path).deleted[Side.API]) == {"w-2"}
    with contextlib.closing(sqlite3.connect(tmp_path / EVIDENCE)) as file, file:
        file.execute("DELETE FROM requests WHERE seq = ?", (lost,))
    with pytest.raises(BadInput, match="the run wrote 3 rows of evidence, and 2 are there") as told:
        whole_writes(tmp_path)
    assert told.value.where == str(tmp_path / EVIDENCE) and told.value.remedy
