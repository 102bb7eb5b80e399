"""Criteria on p50 and p99, and on the requests of one operation: what passes, fails and holds, and what is missing."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.population.schedule import WALK, accounts, due_list
from harness.model.evidence import Operation, Outcome, RequestRow, Row
from harness.model.judgement import Verdict
from harness.model.scenario import Criterion
from harness.rules.bounds import quantile_samples_needed
from harness.rules.chance import IN_TWENTY, false_roll_backs, offered, requirements
from harness.rules.rollback import smallest_sample
from tests.rules.evidence import (
    IN_TURN,
    START_NS,
    criterion,
    due_of,
    judged,
    ledger,
    one,
    request,
    requests,
    scenario,
    sessions,
    window,
)

CREATE, PUT, LIST = Operation.CREATE_WALK, Operation.PUT_WALK, Operation.LIST_WALKS
P50 = criterion("success", "latency_p50", "<", 500.0)
P99 = criterion("success", "latency_p99", "<", 500.0)
P50_FIRES = criterion("rollback", "latency_p50", ">", 500.0)
P99_FIRES = criterion("rollback", "latency_p99", ">", 500.0)
CREATES = criterion("success", "error_ratio", "<", 0.02, operation=CREATE)
CREATES_FIRE = criterion("rollback", "error_ratio", ">", 0.05, operation=CREATE)
CREATES_FAST = criterion("success", "latency_p95", "<", 500.0, operation=CREATE)
OF = scenario(P50)  # 600 requests, 200 of each operation


def changed(operation: Operation, every: int, **change: object) -> list[RequestRow]:
    """The window's requests, of which every so many-th of one operation is changed."""
    found, seen = [], 0
    for row in requests(OF):
        hit = row.operation is operation and seen % every == 0
        seen += row.operation is operation
        found.append(msgspec.structs.replace(row, **change) if hit else row)
    return found


def failing(operation: Operation, every: int) -> list[RequestRow]:
    return changed(operation, every, outcome=Outcome.SERVER_ERROR, status=500)


@pytest.mark.parametrize(
    ("what", "slow", "verdict"),
    [
        (P50, 0, Verdict.PASS),
        (P50, 240, Verdict.PASS),
        (P50, 300, Verdict.INCONCLUSIVE),
        (P50, 360, Verdict.FAIL),
        (P99, 0, Verdict.PASS),
        (P99, 6, Verdict.INCONCLUSIVE),
        (P99, 24, Verdict.FAIL),
        (P50_FIRES, 240, Verdict.PASS),
        (P50_FIRES, 360, Verdict.FAIL),
        (P99_FIRES, 0, Verdict.PASS),
        (P99_FIRES, 12, Verdict.FAIL),
    ],
)
def test_quantiles(what: Criterion, slow: int, verdict: Verdict) -> None:
    result = one(what, [*requests(OF, slow=slow, slow_ms=900.0)], due=due_of(OF))
    assert result.verdict is verdict, result.reason
    assert what.metric.removeprefix("latency_") in result.reason


def test_the_words_and_samples_of_quantiles() -> None:
    assert [smallest_sample(each) for each in (P50_FIRES, P99_FIRES)] == [6, 300]
    assert [r.needed for r in requirements(scenario(P50, P99))] == [
        quantile_samples_needed(quantile=0.5),
        quantile_samples_needed(quantile=0.99),
    ]
    assert "p99" in one(P99, [*requests(OF)], due=due_of(OF)).reason


@given(
    st.sampled_from([(P50_FIRES, 0.5), (P99_FIRES, 0.99)]),
    st.lists(st.sampled_from([20.0, 900.0]), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_a_limit_on_a_quantile_fires_at_the_first_answer_whose_quantile_is_above_it(
    asked: tuple[Criterion, float], latencies: list[float], least: int
) -> None:
    """Against the definition: the smallest value that at least the quantile of the sample reach."""
    what, quantile = msgspec.structs.replace(asked[0], smallest_sample=least), Fraction(str(asked[1]))
    rows: list[Row] = [request(2.0 * n, f"u{n:04}", latency_ms=ms) for n, ms in enumerate(latencies)]
    result = one(what, rows, window_s=300.0)
    fired = None
    for n in range(least, len(latencies) + 1):
        ascending = sorted(latencies[:n])
        value = next(v for k, v in enumerate(ascending, 1) if Fraction(k, n) >= quantile)
        if value > what.threshold:
            fired = n
            break
    if fired is None:
        assert result.fired_at_ns is None
    else:
        assert (result.verdict, result.samples) == (Verdict.FAIL, fired)


def test_bad_creates_fail_the_criterion_on_creates_and_no_other() -> None:
    rows = failing(CREATE, 10)  # 20 of 200
    puts = msgspec.structs.replace(CREATES, id="puts", operation=PUT)
    results = judged(scenario(CREATES, puts, CREATES_FIRE), rows, due=due_of(OF))
    assert results[CREATES.id].verdict is Verdict.FAIL, results[CREATES.id].reason
    assert results[CREATES.id].samples == 200
    assert results["puts"].verdict is Verdict.PASS, results["puts"].reason
    fired = results[CREATES_FIRE.id]
    assert fired.verdict is Verdict.FAIL and fired.fired_at_ns is not None
    assert str(results[CREATES.id].asked[0]) == "error ratio of create_walk < 2 %"


def test_failures_of_others_do_not_fail_it() -> None:
    assert one(CREATES, failing(PUT, 2), due=due_of(OF)).verdict is Verdict.PASS
    assert one(CREATES_FIRE, failing(PUT, 2), due=due_of(OF)).verdict is Verdict.PASS


def test_slow_creates_fail_their_quantile() -> None:
    slow = changed(CREATE, 5, done_ns=START_NS + 10**12)
    assert one(CREATES_FAST, slow, due=due_of(OF)).verdict is Verdict.FAIL
    assert one(CREATES_FAST, [*requests(OF)], due=due_of(OF)).verdict is Verdict.PASS
    assert one(CREATES_FAST, changed(PUT, 2, done_ns=START_NS + 10**12), due=due_of(OF)).verdict is Verdict.PASS


@pytest.mark.parametrize("what", [CREATES, CREATES_FIRE, CREATES_FAST])
def test_without_a_request_of_the_operation_it_is_inconclusive(what: Criterion) -> None:
    rows = [row for row in requests(OF) if row.operation is not CREATE]
    result = one(what, rows, due=due_of(OF))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "no requests for create_walk in evidence" in result.reason
    assert one(what, [], due=due_of(OF)).verdict is Verdict.INCONCLUSIVE


def test_creates_that_are_missing_hold_and_others_that_are_do_not() -> None:
    whole = requests(OF)
    gone = [row for n, row in enumerate(whole) if not (row.operation is CREATE and n % 30 == 2)]
    held = one(CREATES, gone, due=due_of(OF))
    assert held.verdict is Verdict.INCONCLUSIVE
    assert "are not in evidence, and count as failed" in held.reason
    without_puts = [row for row in whole if row.operation is not PUT]
    assert one(CREATES, without_puts, due=due_of(OF)).verdict is Verdict.PASS


def test_without_a_due_list_whatever_is_missing_may_be_a_create() -> None:
    """1.25 requests a second are due by the pace; which of them are creates nobody knows."""
    whole = requests(OF)
    assert one(CREATES, whole).verdict is Verdict.PASS
    assert one(CREATES, [row for row in whole if row.operation is not PUT]).verdict is Verdict.INCONCLUSIVE


def test_failed_creates_that_say_they_were_puts_make_no_pass() -> None:
    """The schedule knows what each request was to do."""
    rows = [
        msgspec.structs.replace(row, operation=PUT) if row.outcome is not Outcome.OK else row
        for row in failing(CREATE, 10)
    ]
    assert one(CREATES, rows, due=due_of(OF)).verdict is Verdict.INCONCLUSIVE
    assert one(CREATES_FIRE, rows, due=due_of(OF)).verdict is Verdict.INCONCLUSIVE


def test_late_requests_of_the_operation_void_its_fail() -> None:
    late = changed(CREATE, 5, sent_ns=START_NS + 10**12, done_ns=START_NS + 10**12)
    result = one(CREATES_FAST, late, due=due_of(OF))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "sent late by the generator" in result.reason


def test_the_ledger_keeps_the_operation_in_order() -> None:
    rows = ledger(*requests(OF)).requests
    assert np.array_equal(rows["operation"][:3], [list(Operation).index(each) for each in IN_TURN])


def test_the_preflight_knows_how_often_phones_do_it() -> None:
    """Against the schedule itself, to the few by which the users' places in the cycle differ."""
    assert {op: sum(o is op for o, _ in WALK) for op in Operation} == IN_TWENTY
    of = msgspec.structs.replace(scenario(P50, users=100, pace_s=10.0, window_s=70.0), criteria=())
    due = due_list(of, 3, START_NS, window(of).end_ns).requests
    assert len({each.user for each in due}) == len(accounts(of.population, 3)) == 100
    for operation in Operation:
        seen = sum(each.operation is operation for each in due)
        what = criterion("success", "error_ratio", "<", 0.02, operation=operation)
        assert offered(what, of) == pytest.approx(seen, abs=0.15 * 100), operation
    assert offered(CREATES, OF) == 30
    found = requirements(scenario(CREATES))[0]
    assert not found.enough
    assert "error ratio of create_walk < 2 %" in str(found.sentence) and "requests for create_walk" in str(
        found.sentence
    )


def test_chance_sets_a_limit_beside_the_success_of_the_same_operation() -> None:
    other = criterion("rollback", "error_ratio", ">", 0.05, operation=PUT)
    assert [each.id for each in false_roll_backs(scenario(CREATES, CREATES_FIRE, other))] == [CREATES_FIRE.id]


def test_the_whole_window_must_pass() -> None:
    rows = [*sessions(OF), *requests(OF)]
    assert one(CREATES, rows, 60.0, due=due_of(OF)).verdict is Verdict.INCONCLUSIVE
