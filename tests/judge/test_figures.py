"""Which calls a criterion counts, and what its figure on a few of them says: small samples, to the word."""

from __future__ import annotations

from harness.judge.figures import clears, counting
from harness.model.evidence import Outcome
from harness.model.scenario import Comparison
from harness.model.verdict import Verdict
from tests.judge.evidence import SUCCESS_ERRORS, SUCCESS_P95, criterion, due_as, ledger, one, probe, request

TEN = [request(number, f"u{number}") for number in range(10)]


def test_a_failure_sooner_than_the_limit_on_latency_is_no_sample_of_it() -> None:
    rows = ledger(
        request(0, "a"),
        request(1, "b", outcome=Outcome.REFUSED, latency_ms=500.0),
        request(2, "c", outcome=Outcome.TIMEOUT, latency_ms=500.1),
    ).requests
    assert counting(SUCCESS_P95, rows).tolist() == [True, False, True]
    assert counting(SUCCESS_ERRORS, rows).all()


def test_only_at_least_is_kept_at_the_threshold() -> None:
    found = {each: [clears(each, value, 2.0) for value in (1.9, 2.0, 2.1)] for each in Comparison}
    assert found == {
        Comparison.ABOVE: [False, False, True],
        Comparison.BELOW: [True, False, False],
        Comparison.AT_LEAST: [False, True, True],
    }


def test_ten_requests_bound_no_p95() -> None:
    result = one(SUCCESS_P95, TEN)
    assert (result.verdict, result.bound) == (Verdict.INCONCLUSIVE, None)
    assert result.reason == "p95 of 10 requests 20 ms; too few for a bound"


def test_ten_requests_and_a_smallest_sample_of_more() -> None:
    what = criterion("success", "error_ratio", "<", 0.5, smallest_sample=1_200)
    assert one(what, TEN).reason.endswith("; the smallest sample is 1,200")
    assert one(criterion("success", "error_ratio", "<", 0.5, smallest_sample=10), TEN).samples == 10


def test_slow_answers_that_were_all_sent_late_make_no_fail() -> None:
    late = [request(number / 10, f"u{number}", latency_ms=900, lag_ms=890) for number in range(60)]
    assert one(SUCCESS_P95, late).reason.endswith(
        "; void: 60 were sent late by the generator, and without them it does not fail"
    )


def test_good_ones_must_be_as_many_as_the_smallest_sample() -> None:
    failed = request(11, "v", outcome=Outcome.TIMEOUT)
    what = criterion("success", "error_ratio", "<", 0.5, smallest_sample=11)
    eleven = [*TEN, request(11, "v")]
    assert one(what, eleven, due=due_as(eleven)).verdict is Verdict.PASS
    short = one(what, [*TEN, failed], due=due_as(eleven))
    assert (short.verdict, short.samples) == (Verdict.INCONCLUSIVE, 11)
    assert short.reason.endswith("; the smallest sample is 11")


def test_a_silent_probe_generator_says_nothing_of_requests() -> None:
    what = criterion("success", "error_ratio", "<", 0.5)
    assert one(what, [*TEN, probe(0), probe(100)], due=due_as(TEN)).verdict is Verdict.PASS


def test_a_limit_without_its_sample_says_what_is_lacking() -> None:
    assert one(criterion("rollback", "latency_p95", ">", 600.0), []).reason == "no requests in evidence"
    few = one(
        criterion("rollback", "error_ratio", ">", 0.5, smallest_sample=11), [*TEN, request(11, outcome=Outcome.TIMEOUT)]
    )
    assert few.reason.endswith("; a pass needs 11 that keep the limit")
