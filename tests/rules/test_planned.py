"""Calls beside the schedule: what is missing, what comes twice, what nobody planned, what contradicts itself."""

from __future__ import annotations

import msgspec
import pytest

from harness.model.evidence import Outcome, ProbeRow, RequestRow, Row
from harness.model.judgement import Verdict
from harness.rules.ledger import Ledger
from harness.rules.planned import MISSING, optimistic
from tests.rules.evidence import (
    START_NS,
    SUCCESS_ERRORS,
    criterion,
    due_of,
    ledger,
    one,
    probe,
    probes,
    request,
    requests,
    scenario,
)

AVAILABILITY = criterion("success", "availability", ">", 0.995)
AVAILABLE_99 = criterion("rollback", "availability", "<", 0.99)
RATE = criterion("success", "request_rate", ">=", 3.0)
OF = scenario(SUCCESS_ERRORS, AVAILABILITY)  # 600 requests, 1,200 probes
DUE = due_of(OF)


def test_a_call_counts_once_however_often_its_row_comes() -> None:
    rows: list[Row] = [*requests(OF), *probes(OF)]
    once, thrice = ledger(*rows), ledger(*rows, *rows, *reversed(rows))
    assert (len(thrice.requests), len(thrice.probes)) == (len(once.requests), len(once.probes)) == (600, 1_200)
    assert not thrice.measurement_errors


@pytest.mark.parametrize("doubled", [0, 1])
def test_doubled_good_rows_make_no_sample(doubled: int) -> None:
    """1,200 probes with 3 failed carry no "> 99.5 %"; 2,400 with 3 would (1,550 are needed)."""
    rows = probes(OF, failed=3)
    result = one(AVAILABILITY, [*rows, *rows * doubled], due=DUE)
    assert (result.verdict, result.samples) == (Verdict.INCONCLUSIVE, 1_200)


@pytest.mark.parametrize("change", [{"outcome": Outcome.TIMEOUT}, {"done_ns": START_NS + 7}, {"user": "canary-9"}])
@pytest.mark.parametrize("turned", [False, True])
def test_a_row_that_comes_twice_and_says_two_things_is_an_error_of_the_measurement(
    change: dict[str, object], turned: bool
) -> None:
    rows: list[Row] = [*probes(OF)]
    other = msgspec.structs.replace(probes(OF)[5], **change)
    result = one(AVAILABILITY, [other, *rows] if turned else [*rows, other], due=DUE)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "the measurement failed: probes: probe 5 is in evidence twice, and not the same" in result.reason
    assert one(SUCCESS_ERRORS, [*requests(OF), *rows, other], due=DUE).verdict is Verdict.PASS  # not of the users
    user = msgspec.structs.replace(requests(OF)[5], status=201)
    assert "load: u0005-" in one(SUCCESS_ERRORS, [*requests(OF), user], due=DUE).reason


def test_calls_that_nobody_planned_prove_nothing() -> None:
    """Strangers cannot stand in for what is missing: by another id, at another time, of another user."""
    kept = requests(OF)[2:]
    lacking = [
        [request(n, f"w{n}") for n in range(50)],
        [msgspec.structs.replace(row, due_ns=row.due_ns + 1) for row in requests(OF)[:2]],
        [msgspec.structs.replace(row, user="u0100") for row in requests(OF)[:2]],
    ]
    for strangers in lacking:
        result = one(SUCCESS_ERRORS, [*kept, *strangers], due=DUE)
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason.endswith("2 of the 600 planned are not in evidence, and count as failed")
        assert one(RATE, [*kept, *strangers], due=DUE).samples == 598


def test_a_stranger_that_failed_counts_as_failed() -> None:
    bad = [request(n, f"w{n}", outcome=Outcome.TIMEOUT) for n in range(2)]
    assert one(SUCCESS_ERRORS, [*requests(OF), *bad[:1]], due=DUE).verdict is Verdict.PASS
    result = one(SUCCESS_ERRORS, [*requests(OF), *bad], due=DUE)
    assert (result.verdict, result.samples) == (Verdict.INCONCLUSIVE, 602)


def test_strangers_alone_are_no_sample() -> None:
    result = one(SUCCESS_ERRORS, [request(n / 5, f"w{n}") for n in range(500)], due=due_of(scenario(users=1)))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.samples == 500


@pytest.mark.parametrize("failed", [4, 20])
def test_a_limit_that_would_have_fired_on_what_is_missing_has_not_passed(failed: int) -> None:
    """All that failed is gone: early enough to have fired (4 of the first 300), or for good (20 of 1,200)."""
    bad = [number < failed if failed == 4 else number % 60 == 0 for number in range(1_200)]
    rows = [probe((n + 0.5) / 10, good=not bad[n], number=n) for n in range(1_200)]
    assert one(AVAILABLE_99, rows, due=DUE).verdict is Verdict.FAIL
    without = one(AVAILABLE_99, [row for row in rows if row.good], due=DUE)
    assert without.verdict is Verdict.INCONCLUSIVE
    assert without.reason.endswith(f"{failed} of the 1,200 planned are not in evidence, and count as failed")


def test_a_blackout_of_which_one_probe_is_left_has_not_passed() -> None:
    """5.2 s without a good answer, 51 of its 52 failures lost: few of 12,000, and the generator was not silent."""
    of = scenario(AVAILABLE_99, window_s=1_200)
    dark = range(11_000, 11_052)
    rows = [bad_of(row) if row.probe_id in dark else row for row in probes(of)]
    assert one(AVAILABLE_99, rows, due=due_of(of), window_s=1_200).verdict is Verdict.FAIL
    kept = [row for row in rows if row.good or row.probe_id == 11_025]
    without = one(AVAILABLE_99, kept, due=due_of(of), window_s=1_200)
    assert without.verdict is Verdict.INCONCLUSIVE
    assert without.reason.endswith("51 of the 12,000 planned are not in evidence, and count as failed")
    spread = [row for row in probes(of) if row.probe_id % 240]  # 50 missing, and never long without a good one
    assert one(AVAILABLE_99, spread, due=due_of(of), window_s=1_200).verdict is Verdict.PASS


def bad_of(row: ProbeRow) -> ProbeRow:
    return msgspec.structs.replace(row, outcome=Outcome.TIMEOUT)


def test_only_what_was_due_by_now_is_missing() -> None:
    result = one(SUCCESS_ERRORS, requests(OF)[:300], at_s=60, due=DUE)
    assert result.reason.endswith("60 s of the window were not measured")
    assert "not in evidence" not in result.reason


def test_a_ledger_knows_its_calls_by_their_ids() -> None:
    book = Ledger()
    assert isinstance(requests(OF)[0], RequestRow)
    book.extend([requests(OF)[0], probe(1, number=7)])
    assert list(book.calls) == [requests(OF)[0].operation_id, "probe 7"]


def test_what_is_missing_is_spared_and_what_failed_is_not() -> None:
    failed = request(1, "b", outcome=Outcome.TIMEOUT, status=0)
    missing = request(2, "c", outcome=Outcome.TIMEOUT, status=MISSING)
    assert optimistic(ledger(request(0, "a"), failed, missing).requests)["ok"].tolist() == [True, False, True]
