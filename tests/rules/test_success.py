"""Each success criterion on evidence that passes, fails, carries neither, or is missing; and what voids a verdict."""

from __future__ import annotations

import msgspec
import pytest

from harness.model.evidence import Outcome, Row, Side
from harness.model.judgement import Verdict
from harness.model.message import raw_text
from harness.model.scenario import Criterion
from harness.rules.criteria import judge
from harness.rules.ledger import Ledger
from tests.rules.evidence import (
    START_NS,
    SUCCESS_ERRORS,
    SUCCESS_P95,
    WEEKS,
    criterion,
    due_of,
    error,
    healthy,
    judged,
    one,
    probe,
    probes,
    request,
    requests,
    scenario,
    window,
)

AVAILABILITY = criterion("success", "availability", ">", 0.995)
THREE = scenario(SUCCESS_ERRORS, SUCCESS_P95, AVAILABILITY)  # 600 requests, 1,200 probes

# Evidence for each sampled criterion. 600 requests carry "< 1 %" with one failure (473) but not with two (628);
# two of 600 failing is also far from showing 1 %; 1,200 probes carry "> 99.5 %" with one failure (947), not with two.
CASES: list[tuple[Criterion, list[Row], Verdict, str]] = [
    (SUCCESS_ERRORS, [*requests(THREE)], Verdict.PASS, "0 of 600 requests failed; at most 0.498 %"),
    (SUCCESS_ERRORS, [*requests(THREE, failed=1)], Verdict.PASS, "1 of 600 requests failed; at most 0.788"),
    (SUCCESS_ERRORS, [*requests(THREE, failed=2)], Verdict.INCONCLUSIVE, "at most 1.046 %"),
    (SUCCESS_ERRORS, [*requests(THREE, failed=10)], Verdict.INCONCLUSIVE, "10 of 600 requests failed; at most 2.8"),
    (SUCCESS_ERRORS, [*requests(THREE, failed=11)], Verdict.FAIL, "11 of 600 requests failed; at least 1.03"),
    (SUCCESS_ERRORS, [*requests(THREE, failed=600)], Verdict.FAIL, "600 of 600"),
    (SUCCESS_ERRORS, [], Verdict.INCONCLUSIVE, "no requests in evidence"),
    (SUCCESS_P95, [*requests(THREE)], Verdict.PASS, "p95 of 600 requests 20 ms; at most 20 ms"),
    (SUCCESS_P95, [*requests(THREE, slow=20, slow_ms=900)], Verdict.PASS, "at most 20 ms"),
    (SUCCESS_P95, [*requests(THREE, slow=21, slow_ms=900)], Verdict.INCONCLUSIVE, "at most 900 ms"),
    (SUCCESS_P95, [*requests(THREE, slow=39, slow_ms=900)], Verdict.INCONCLUSIVE, "p95 of 600 requests 900 ms"),
    (SUCCESS_P95, [*requests(THREE, slow=40, slow_ms=900)], Verdict.FAIL, "at least 900 ms"),
    (SUCCESS_P95, [], Verdict.INCONCLUSIVE, "no requests in evidence"),
    (AVAILABILITY, [*probes(THREE)], Verdict.PASS, "0 of 1,200 probes failed; at least 99.75 %"),
    (AVAILABILITY, [*probes(THREE, failed=1)], Verdict.PASS, "at least 99.6"),
    (AVAILABILITY, [*probes(THREE, failed=2)], Verdict.INCONCLUSIVE, "with 2 failed, 1,258 are needed"),
    (
        AVAILABILITY,
        [*probes(THREE, failed=3)],
        Verdict.INCONCLUSIVE,
        "3 of 1,200 probes failed; at least 99.36 % with 95 % confidence, limit 99.5 %",
    ),
    (AVAILABILITY, [*probes(THREE, failed=12)], Verdict.FAIL, "12 of 1,200 probes failed; at most 99.42"),
    (AVAILABILITY, [], Verdict.INCONCLUSIVE, "no probes in evidence"),
]


@pytest.mark.parametrize(("what", "rows", "verdict", "said"), CASES)
def test_verdict_value_bound_and_reason(what: Criterion, rows: list[Row], verdict: Verdict, said: str) -> None:
    result = one(what, rows)
    assert (result.verdict, result.samples) == (verdict, len(rows))
    assert said in result.reason
    if not rows:
        assert result.value is result.bound is None
        return
    assert result.value is not None
    assert result.bound is not None
    higher_is_better = what.comparison.value == ">"
    assert (result.bound > what.threshold) == (higher_is_better == (verdict is Verdict.PASS))
    assert (result.claim, result.kind) == (what.claim, what.kind)
    assert (result.unit, result.limit) == (what.unit, what.threshold)
    assert result.fired_at_ns is None


def test_values_are_measured_exactly() -> None:
    results = judged(THREE, [*requests(THREE, failed=3, latency_ms=123), *probes(THREE, failed=6)])
    assert results["success.error_ratio"].value == 3 / 600
    assert results["success.availability"].value == 1194 / 1200
    assert results["success.latency_p95"].value == 123


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.OK])
def test_every_outcome_but_ok_is_an_error(outcome: Outcome) -> None:
    rows = [msgspec.structs.replace(row, outcome=outcome) for row in requests(THREE)]
    assert one(SUCCESS_ERRORS, [*rows]).value == 1.0
    bad = [msgspec.structs.replace(row, outcome=outcome) for row in probes(THREE)]
    assert one(AVAILABILITY, [*bad]).value == 0.0


def test_an_expected_4xx_is_no_error() -> None:
    rows = [msgspec.structs.replace(row, status=404) for row in requests(THREE)]
    assert one(SUCCESS_ERRORS, [*rows]).verdict is Verdict.PASS


def test_users_and_probes_are_never_pooled_and_firestore_does_not_count() -> None:
    firestore = [
        msgspec.structs.replace(
            row,
            operation_id=f"{row.operation_id}-old",
            side=Side.FIRESTORE,
            outcome=Outcome.TIMEOUT,
            done_ns=row.done_ns + 10**10,
        )
        for row in requests(THREE)
    ]
    results = judged(THREE, [*requests(THREE), *firestore, *probes(THREE, failed=1200)])
    assert results["success.error_ratio"].verdict is Verdict.PASS
    assert results["success.error_ratio"].samples == 600
    assert results["success.latency_p95"].verdict is Verdict.PASS
    assert results["success.availability"].verdict is Verdict.FAIL


def test_requests_count_by_when_they_were_due() -> None:
    before = [request(-0.000001, outcome=Outcome.TIMEOUT) for _ in range(50)]
    at_end = [request(120, outcome=Outcome.TIMEOUT) for _ in range(50)]
    assert one(SUCCESS_ERRORS, [*before, *requests(THREE), *at_end]).samples == 600
    within = [request(0, outcome=Outcome.TIMEOUT), request(119.999999, outcome=Outcome.TIMEOUT, latency_ms=9_000)]
    assert one(SUCCESS_ERRORS, [*before, *requests(THREE), *within, *at_end]).samples == 602


def test_the_bound_must_clear_the_threshold_itself() -> None:
    exactly = one(criterion("success", "latency_p95", "<", 20.0), [*requests(THREE)])
    assert exactly.verdict is Verdict.FAIL  # every latency is 20 ms: not below 20 ms, and that is certain
    assert one(criterion("success", "latency_p95", "<", 20.000001), [*requests(THREE)]).verdict is Verdict.PASS
    all_good = one(criterion("success", "availability", ">", 1.0), [*probes(THREE)])
    assert all_good.verdict is Verdict.FAIL  # nothing is above 100 %


@pytest.mark.parametrize(("samples", "verdict"), [(598, Verdict.INCONCLUSIVE), (599, Verdict.PASS)])
def test_an_own_smallest_sample_comes_on_top(samples: int, verdict: Verdict) -> None:
    what = criterion("success", "error_ratio", "<", 0.01, smallest_sample=599)
    result = one(what, [*requests(THREE)[:samples]])
    assert result.verdict is verdict
    assert one(what, [request(1, outcome=Outcome.TIMEOUT)] * 300).verdict is Verdict.INCONCLUSIVE


def test_a_request_that_failed_at_once_undoes_no_fail_for_want_of_a_sample() -> None:
    what = criterion("success", "latency_p95", "<", 500.0, smallest_sample=100)
    slow = [request(n / 10, f"u{n}", latency_ms=700) for n in range(99)]
    assert one(what, [*slow, request(10)]).verdict is Verdict.FAIL
    assert one(what, [*slow, request(10, outcome=Outcome.SERVER_ERROR)]).verdict is Verdict.FAIL
    assert one(what, slow).verdict is Verdict.INCONCLUSIVE
    # Nor does it complete the sample of a pass.
    good = [request(n / 10, f"u{n}") for n in range(99)]
    assert one(what, [*good, request(10)], window_s=10.1).verdict is Verdict.PASS
    failed = one(what, [*good, request(10, outcome=Outcome.SERVER_ERROR)], window_s=10.1)
    assert failed.verdict is Verdict.INCONCLUSIVE
    assert "the smallest sample is 100" in failed.reason


@pytest.mark.parametrize(("missing", "verdict"), [(0, Verdict.PASS), (1, Verdict.PASS), (2, Verdict.INCONCLUSIVE)])
@pytest.mark.parametrize("listed", [False, True])
def test_what_is_missing_from_the_plan_counts_as_failed(missing: int, verdict: Verdict, listed: bool) -> None:
    """1,200 probes carry "> 99.5 %" with one failure, not with two; one that is missing is one."""
    due = due_of(THREE) if listed else None
    result = one(AVAILABILITY, [*probes(THREE)[missing:]], due=due)
    assert (result.verdict, result.samples) == (verdict, 1_200 - missing)
    if verdict is Verdict.INCONCLUSIVE:
        assert result.reason.endswith("; 2 of the 1,200 planned are not in evidence, and count as failed")
        assert result.value == 1.0  # of what was seen


@pytest.mark.parametrize("listed", [False, True])
def test_a_fail_is_void_where_what_is_missing_could_undo_it(listed: bool) -> None:
    """5 of 200 probes are more than 0.5 %, 5 of 1,200 are not for sure; 30 of 200 are, whatever the others were."""
    due = due_of(THREE) if listed else None
    few = [msgspec.structs.replace(row, outcome=Outcome.TIMEOUT, status=0) for row in probes(THREE)[:30]]
    whole = one(AVAILABILITY, [*few[:5], *probes(THREE)[5:]], due=due)
    left = one(AVAILABILITY, [*few[:5], *probes(THREE)[5:200]], due=due)
    assert (whole.verdict, left.verdict, left.value) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, 0.975)
    assert left.reason.endswith(
        "; void: 1,000 of the 1,200 planned are not in evidence, and were they good it would not fail"
    )
    assert one(AVAILABILITY, [*few, *probes(THREE)[30:200]], due=due).verdict is Verdict.FAIL


def test_a_probe_generator_that_falls_silent_is_a_measurement_error() -> None:
    rows = [row for row in probes(THREE) if not START_NS + 40 * 10**9 < row.due_ns < START_NS + 45.2 * 10**9]
    assert len(rows) > 1080
    result = one(AVAILABILITY, [*rows])
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason.endswith("; the measurement failed: no probe was made for 5.3 s")


def test_missing_evidence_does_not_take_back_a_fail() -> None:
    assert one(AVAILABILITY, [*probes(THREE, failed=600)[:600]]).verdict is Verdict.FAIL


@pytest.mark.parametrize("week", WEEKS)
def test_before_the_end_of_the_window_nothing_is_decided(week: int) -> None:
    of = WEEKS[week]
    early = judged(of, healthy(of), at_s=of.window_s - 30)
    late = judged(of, healthy(of), at_s=of.window_s)
    for what in of.criteria:
        assert late[what.id].verdict is Verdict.PASS, late[what.id].reason
        if what.kind.value == "success":
            assert early[what.id].verdict is Verdict.INCONCLUSIVE
            assert early[what.id].value is not None
            assert "30 s of the window were not measured" in early[what.id].reason


def test_before_the_window_there_is_no_data() -> None:
    for result in judged(THREE, [], at_s=-1).values():
        assert result.verdict is Verdict.INCONCLUSIVE


# -- lag of the generator ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lag_ms", "verdict"), [(50.0, Verdict.FAIL), (50.1, Verdict.INCONCLUSIVE)])
def test_lag_voids_a_fail_that_it_alone_may_have_made(lag_ms: float, verdict: Verdict) -> None:
    rows = requests(THREE)[:540] + [
        request(110 + number / 10, f"v{number}", latency_ms=900, lag_ms=lag_ms) for number in range(60)
    ]
    result = one(SUCCESS_P95, [*rows])
    assert result.verdict is verdict
    assert ("60 were sent late by the generator" in result.reason) == (verdict is Verdict.INCONCLUSIVE)


def test_lag_voids_a_fail_of_errors_and_of_probes_too() -> None:
    late = [request(n / 10, f"v{n}", outcome=Outcome.TIMEOUT, latency_ms=10_000, lag_ms=9_000) for n in range(60)]
    assert one(SUCCESS_ERRORS, [*requests(THREE), *late]).verdict is Verdict.INCONCLUSIVE
    missed = [probe(n / 10, good=False, latency_ms=2_100, lag_ms=2_000, number=9_000 + n) for n in range(60)]
    assert one(AVAILABILITY, [*probes(THREE), *missed]).verdict is Verdict.INCONCLUSIVE


def test_a_fail_that_timely_requests_show_too_stands() -> None:
    slow = [request(n / 5, f"u{n}", latency_ms=900) for n in range(500)]
    late = [request(n, f"v{n}", latency_ms=5_000, lag_ms=4_900) for n in range(100)]
    assert one(SUCCESS_P95, [*slow, *late]).verdict is Verdict.FAIL


def test_lag_never_makes_a_pass() -> None:
    """Slow answers of late requests keep a p95 from passing, although they would not count for a fail."""
    late = [request(n / 10, f"v{n}", latency_ms=900, lag_ms=890) for n in range(39)]
    assert one(SUCCESS_P95, [*requests(THREE)[:561], *late]).verdict is Verdict.INCONCLUSIVE
    assert one(SUCCESS_P95, [request(n / 5, f"u{n}", lag_ms=19) for n in range(600)]).verdict is Verdict.PASS
    everything_late = [request(n / 5, f"u{n}", latency_ms=900, lag_ms=890) for n in range(600)]
    assert one(SUCCESS_P95, [*everything_late]).verdict is Verdict.INCONCLUSIVE


def test_waiting_for_ones_own_earlier_answer_is_no_lag() -> None:
    """The target keeps each user for 3 s; the next request, due after 1 s, is sent when the answer is there."""
    rows = [
        request(2 * pair + step, f"u{user}", latency_ms=3_000 + 2_000 * step, lag_ms=2_000 * step)
        for user in range(10)
        for pair in range(0, 60, 2)
        for step in (0, 1)
    ]
    assert one(SUCCESS_P95, [*rows]).verdict is Verdict.FAIL


# -- errors of the measurement -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "voided"),
    [
        ("probes", {"success.availability"}),
        ("load", {"success.error_ratio", "success.latency_p95"}),
        ("samples", set()),
        ("clock", {"success.availability", "success.error_ratio", "success.latency_p95"}),
    ],
)
@pytest.mark.parametrize("bad", [False, True])
def test_a_measurement_error_is_named_and_neither_pass_nor_fail(subject: str, voided: set[str], bad: bool) -> None:
    rows: list[Row] = [
        *requests(THREE, failed=300 * bad, latency_ms=900 if bad else 20),
        *probes(THREE, failed=600 * bad),
        error(60, subject, "lost its token"),
        error(61, subject, "again"),
    ]
    for name, result in judged(THREE, rows).items():
        if name in voided:
            assert result.verdict is Verdict.INCONCLUSIVE
            assert f"the measurement failed: {subject}: lost its token (and 1 more)" in result.reason
        else:
            assert result.verdict is (Verdict.FAIL if bad else Verdict.PASS)


@pytest.mark.parametrize(("at_s", "counts"), [(-0.001, False), (0, True), (129.9, True), (130, False)])
def test_measurement_errors_count_while_the_windows_answers_are_awaited(at_s: float, counts: bool) -> None:
    result = one(SUCCESS_ERRORS, [*requests(THREE), error(at_s, "load")])
    assert result.verdict is (Verdict.INCONCLUSIVE if counts else Verdict.PASS)


def test_not_exercised_is_said_with_its_reason() -> None:
    why = {AVAILABILITY.id: raw_text("the rung cannot")}
    span = window(THREE)
    results = judge(THREE, Ledger(), span, span.end_ns, not_exercised=why)
    assert [r.verdict for r in results] == [Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED]
    assert (results[2].reason, results[2].value, results[2].samples) == ("the rung cannot", None, 0)
