"""Users who stay on Firestore while others move: are they served, and do they write it?"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from harness.checks.stepwise import ERRATUM_WRITTEN, served, served_of, written, written_of
from harness.model.evidence import Operation, Outcome, RequestRow, Side
from harness.model.judgement import Verdict


def rows(
    count: int, *, side: Side = Side.FIRESTORE, failed: int = 0, operation: Operation = Operation.PUT_WALK
) -> Iterable[RequestRow]:
    for number in range(count):
        outcome = Outcome.SERVER_ERROR if number < failed else Outcome.OK
        yield RequestRow(
            operation_id=f"{side}{number}", user="u", audience="general", side=side, operation=operation, due_ns=1,
            sent_ns=1, done_ns=2, status=0, outcome=outcome, acknowledged=outcome is Outcome.OK, payload_digest="",
            flag=False,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("requests", "failed", "verdict"),
    [
        (0, 0, Verdict.INCONCLUSIVE),
        (298, 0, Verdict.INCONCLUSIVE),  # 299 without a failure prove "< 1 %"
        (299, 0, Verdict.PASS),
        (1000, 9, Verdict.INCONCLUSIVE),
        (1000, 15, Verdict.INCONCLUSIVE),
        (1000, 16, Verdict.FAIL),  # more than 1 %, with 95 % confidence
        (10, 1, Verdict.INCONCLUSIVE),
        (99, 1, Verdict.INCONCLUSIVE),
        (3, 3, Verdict.FAIL),
    ],
)
def test_fewer_than_one_in_a_hundred_may_fail_and_few_requests_prove_nothing(
    requests: int, failed: int, verdict: Verdict
) -> None:
    found = served(requests, failed, 0)
    assert (found.verdict, found.samples) == (verdict, requests)


def test_only_requests_to_firestore_are_of_those_who_stay() -> None:
    found = served_of([*rows(400), *rows(400, side=Side.API, failed=400)], [])
    assert (found.verdict, found.samples) == (Verdict.PASS, 400)
    assert served_of(rows(400, failed=40), []).verdict is Verdict.FAIL


def test_writes_of_the_app_itself_show_the_erratum_and_without_one_nothing_is_known() -> None:
    found = written_of(
        [*rows(3), *rows(5, failed=5), *rows(2, operation=Operation.LIST_WALKS), *rows(4, side=Side.API)], 6
    )
    assert (found.verdict, found.erratum, found.samples) == (Verdict.ERRATUM_SHOWN, ERRATUM_WRITTEN, 3)
    assert found.reason.startswith("3 writes went straight to Firestore, and 10 to the API")
    assert written(0, 7).verdict is written_of([]).verdict is Verdict.INCONCLUSIVE
    alone = written(60, 0)  # nobody wrote to the API: not both were running
    assert (alone.verdict, alone.erratum) == (Verdict.INCONCLUSIVE, "")
