"""What a judge is given of evidence that is there more than once."""

from __future__ import annotations

import msgspec

from harness.checks.acknowledged import acknowledged
from harness.checks.applied_once import applied_once
from harness.checks.sent import api_writes
from harness.checks.stepwise import served_of, written_of
from harness.evidence.store import Gathered
from harness.model.evidence import Operation, Outcome, ProbeRow, RequestRow, Side
from harness.model.judgement import Verdict
from tests.checks.sending import USERS, as_sent, held, rows_of

NAMES = [account.user for account in USERS]
ROWS = rows_of(*NAMES)


def gathered(*rows: RequestRow | ProbeRow) -> Gathered:
    found = Gathered()
    found.see(rows)
    return found


def test_rows_of_writes_that_came_twice_double_no_write() -> None:
    """A CREATE of which two rows tell was told to have made its walk twice."""
    found = gathered(*ROWS, *ROWS)
    assert found.requests == ROWS and found.ledger.measurement_errors == [] and found.rows == [*ROWS, *ROWS]
    told, stored = as_sent(api_writes(found.requests)), held(ROWS)
    assert acknowledged(told, stored).writes == len(ROWS)
    assert applied_once(told, list(stored.values()), NAMES).repeated == ()


def test_a_walk_s_put_that_comes_again_behind_its_delete_does_not_bring_it_back() -> None:
    deleted = next(each for each in ROWS if each.operation is Operation.DELETE_WALK)
    put = next(each for each in ROWS if each.walk_id == deleted.walk_id and each is not deleted)
    writes = gathered(put, deleted, put).writes
    assert deleted.walk_id in writes.deleted[Side.API] and deleted.walk_id not in writes.kept[Side.API]


def test_requests_that_came_again_and_again_prove_no_more() -> None:
    """Sixty good requests prove nothing of one in a hundred, however often their rows come."""
    rows = [msgspec.structs.replace(each, side=Side.FIRESTORE) for each in ROWS]
    found = served_of(gathered(*rows * 10).requests, [])
    assert (found.verdict, found.samples) == (Verdict.INCONCLUSIVE, len(rows))
    assert written_of(gathered(*rows * 10).requests).samples == len(rows)


def test_of_two_that_differ_the_first_counts_and_that_is_an_error_of_the_measurement() -> None:
    probe = ProbeRow(probe_id=1, user="c", method="PUT", due_ns=0, sent_ns=0, done_ns=1, status=200, outcome=Outcome.OK)
    bad = msgspec.structs.replace(probe, outcome=Outcome.TIMEOUT)
    found = gathered(probe, bad, ROWS[0], msgspec.structs.replace(ROWS[0], acknowledged=False))
    assert (found.probes, found.requests) == ([probe], [ROWS[0]])
    assert len(found.ledger.measurement_errors) == 2
