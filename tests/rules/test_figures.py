"""Which calls a criterion counts, and what its figure on a few of them says: small samples, to the word."""

from __future__ import annotations

from collections.abc import Sequence

from harness.base.ticks import NS
from harness.model.evidence import Due, DueList, Outcome, ProbeRow, RequestRow, Row, Window, probe_call
from harness.model.judgement import Judgement, Verdict
from harness.model.scenario import Comparison, Criterion
from harness.rules.figures import clears, counting
from harness.rules.silence import longest_dark_s
from tests.rules.evidence import START_NS, SUCCESS_ERRORS, SUCCESS_P95, criterion, due_as, ledger, one, probe, request

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


def test_another_quantile_has_its_own_rank() -> None:
    apart = [request(number, f"u{number}", latency_ms=10 * (number + 1)) for number in range(10)]
    found = {name: one(criterion("success", f"latency_{name}", "<", 500.0), apart).value for name in ("p50", "p99")}
    assert found == {"p50": 50.0, "p99": 100.0}


def test_ten_requests_and_a_smallest_sample_of_more() -> None:
    what = criterion("success", "error_ratio", "<", 0.5, smallest_sample=1_200)
    assert one(what, TEN).reason.endswith("; the smallest sample is 1,200")
    assert one(criterion("success", "error_ratio", "<", 0.5, smallest_sample=10), TEN).samples == 10


def test_slow_answers_that_were_all_sent_late_make_no_fail() -> None:
    late = [request(number / 10, f"u{number}", latency_ms=900, lag_ms=890) for number in range(60)]
    assert one(SUCCESS_P95, late).reason.endswith(
        "; void: 60 were sent late by the generator, and without them it does not fail"
    )


def test_what_is_due_with_the_window_s_end_is_not_due_in_it() -> None:
    what = criterion("success", "error_ratio", "<", 0.3)  # no failure of 10 carries it, one of 11 does not
    assert one(what, TEN, due=due_as([*TEN, request(120)])).verdict is Verdict.PASS
    assert one(what, TEN, due=due_as([*TEN, request(119.9)])).verdict is Verdict.INCONCLUSIVE


def test_without_a_due_list_only_whole_calls_are_due() -> None:
    """5/s in 0.75 s: three, not four. Three good ones carry 70 %, with one that is missing they do not."""
    rows = [request(number / 10, f"u{number}") for number in range(3)]
    assert one(criterion("success", "error_ratio", "<", 0.7), rows, window_s=0.75).verdict is Verdict.PASS
    assert one(criterion("success", "error_ratio", "<", 0.7), rows, window_s=0.8).verdict is Verdict.INCONCLUSIVE


def test_bad_probes_that_were_all_sent_late_make_no_fail_either() -> None:
    late = [probe(n / 10, good=False, latency_ms=2_100, lag_ms=2_000, number=n) for n in range(60)]
    result = one(criterion("success", "availability", ">", 0.5), late)
    assert result.reason.endswith("; void: 60 were sent late by the generator, and without them it does not fail")


def test_the_longest_dark_time_is_within_the_window() -> None:
    rows = ledger(*(probe(at_s, latency_ms=0) for at_s in (-5, 4, 12))).probes
    assert longest_dark_s(rows, Window(start_ns=START_NS, end_ns=START_NS + 10 * NS)) == 6.0


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


# -- what is due and not in evidence, beside a rollback limit ---------------------------------------------------------


def limited(what: Criterion, rows: Sequence[Row], due: Sequence[RequestRow | ProbeRow], **plan: float) -> Judgement:
    listed = DueList(
        requests=due_as(due).requests,
        probes=tuple(Due(id=probe_call(row.probe_id), user=row.user, due_ns=row.due_ns)
                     for row in due if isinstance(row, ProbeRow)),
    )  # fmt: skip
    return one(what, rows, due=listed, **plan)


def test_requests_that_are_missing_may_have_broken_a_limit_early() -> None:
    what = criterion("rollback", "error_ratio", ">", 0.5, smallest_sample=5)
    missing = [request(number / 10, f"v{number}") for number in range(3)]
    early = limited(what, TEN, [*missing, *TEN])
    assert (early.verdict, early.reason.rpartition("; ")[2]) == (
        Verdict.INCONCLUSIVE, "3 of the 13 planned are not in evidence, and count as failed",
    )  # fmt: skip
    late = [request(20 + number, f"v{number}") for number in range(3)]
    assert limited(what, TEN, [*TEN, *late]).verdict is Verdict.PASS


def test_good_answers_that_nobody_planned_do_not_complete_a_sample() -> None:
    def limit_from(needed: int) -> Criterion:
        return criterion("rollback", "error_ratio", ">", 0.5, smallest_sample=needed)

    short = limited(limit_from(6), TEN, TEN[:4])
    assert (short.verdict, short.reason.rpartition("; ")[2]) == (
        Verdict.INCONCLUSIVE, "6 are not of the plan, and prove nothing",
    )  # fmt: skip
    assert limited(limit_from(5), TEN, TEN[:5]).verdict is Verdict.PASS


def test_a_probe_that_is_missing_may_have_been_all_there_was_in_a_blackout() -> None:
    what = criterion("rollback", "availability", "<", 0.5, smallest_sample=2)
    first, lacking, after = probe(0.4), probe(3), probe(9)

    def at(second_s: float, *more: ProbeRow) -> Verdict:
        rows = [first, probe(second_s)]
        return limited(what, rows, [*rows, *more], window_s=6.0).verdict

    assert at(5.4, lacking) is Verdict.INCONCLUSIVE  # 5 s from one good answer to the next
    assert at(5.39, lacking) is at(5.4, after) is Verdict.PASS
    foreign = [first, probe(5.4), probe(5.41)]
    assert limited(what, foreign, foreign[:2], window_s=6.0).verdict is Verdict.PASS


def test_a_silent_probe_generator_says_nothing_of_a_limit_on_requests() -> None:
    what = criterion("rollback", "error_ratio", ">", 0.5, smallest_sample=5)
    assert limited(what, [*TEN, probe(0), probe(100)], TEN).verdict is Verdict.PASS


def test_a_limit_from_the_first_answer_on() -> None:
    bad = request(0, outcome=Outcome.TIMEOUT)
    assert one(criterion("rollback", "error_ratio", ">", 0.5, smallest_sample=1), [bad]).verdict is Verdict.FAIL
    what = criterion("rollback", "availability", "<", 0.9, smallest_sample=1)
    fired = one(what, [probe(0), probe(1, good=False)])
    assert (fired.verdict, fired.samples) == (Verdict.FAIL, 2)


def test_of_a_limit_and_a_blackout_at_one_instant_the_limit_is_told() -> None:
    what = criterion("rollback", "availability", "<", 0.99, smallest_sample=2)
    fired = one(what, [probe(0), probe(0.5, good=False, latency_ms=5_100)])
    assert fired.reason == "50 % of the first 2 probes were good, limit 99 %"


def test_a_limit_on_latency_that_only_late_requests_broke_has_not_fired() -> None:
    late = [request(number / 10, f"u{number}", latency_ms=900, lag_ms=890) for number in range(60)]
    assert one(criterion("rollback", "latency_p95", ">", 600.0), late).reason.endswith(
        "; void: 60 were sent late by the generator, and without them it does not fire"
    )
