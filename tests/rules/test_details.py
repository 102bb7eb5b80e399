"""Details that mutants of the judge showed to be unguarded: sentences whole, and instants that coincide."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from harness.base.errors import BadInput
from harness.base.ticks import NS
from harness.base.units import Unit
from harness.model.evidence import Outcome, ProbeRow, Row, SampleRow, SessionRow, Side, Window
from harness.model.judgement import Verdict
from harness.model.message import english
from harness.rules.chance import requirements
from harness.rules.figures import figure
from harness.rules.finding import error_words
from harness.rules.ledger import Ledger, lag_ns
from harness.rules.rollback import smallest_sample
from harness.rules.sentences import beside
from harness.rules.silence import blackout, silent_s
from harness.rules.summary import summarise
from tests.rules.evidence import (
    START_NS,
    SUCCESS_ERRORS,
    SUCCESS_P95,
    WEEKS,
    criterion,
    due_as,
    error,
    healthy,
    judged,
    ledger,
    one,
    probe,
    probes,
    request,
    requests,
    scenario,
    sessions,
    window,
)

P95_600 = criterion("rollback", "latency_p95", ">", 600.0)
ERRORS_5 = criterion("rollback", "error_ratio", ">", 0.05)
AVAILABLE_99 = criterion("rollback", "availability", "<", 0.99)
THREE = scenario(SUCCESS_ERRORS, SUCCESS_P95)


@pytest.mark.parametrize(
    ("value", "threshold", "unit", "shown"),
    [
        (0.994996, 0.995, Unit.RATIO, "99.4996 %"),
        (0.9936, 0.995, Unit.RATIO, "99.36 %"),
        (0.995, 0.995, Unit.RATIO, "99.5 %"),
        (500.00001, 500.0, Unit.MILLISECONDS, "500.00001 ms"),
        (241.31, 500.0, Unit.MILLISECONDS, "241.3 ms"),
        (43_155.6, 300.0, Unit.SECONDS, "43156 s"),
        (9_999.96, 300.0, Unit.SECONDS, "10000 s"),
        (10_000.4, 10_000.0, Unit.SECONDS, "10000.4 s"),
        (2.9999, 3.0, Unit.PER_SECOND, "2.9999/s"),
        (0.9912346, 0.9912345, Unit.RATIO, "99.12346 %"),  # where the threshold itself has as many digits
        (34.9, 35.0, Unit.DOLLARS, "$34.90"),
        (float(np.nextafter(3.0, 4.0)), 3.0, Unit.PER_SECOND, "3/s"),  # no 15 digits tell them apart
        (float(np.nextafter(8.0, 9.0)), 8.0, Unit.PER_SECOND, "8/s"),  # 16 would, and are no measurement's
    ],
)
def test_a_figure_is_told_from_its_threshold(value: float, threshold: float, unit: Unit, shown: str) -> None:
    assert beside(value, threshold, unit) == shown


def test_whole_sentences_of_success() -> None:
    said = {
        "clear": one(SUCCESS_ERRORS, requests(THREE)).reason,
        "failed": one(SUCCESS_ERRORS, requests(THREE, failed=60)).reason,
        "more": one(SUCCESS_ERRORS, requests(THREE, failed=2)).reason,
        "hopeless": one(SUCCESS_ERRORS, requests(THREE, failed=6)).reason,
        "slow": one(SUCCESS_P95, requests(THREE, slow=25, slow_ms=900)).reason,
        "small": one(SUCCESS_P95, requests(THREE)[:58]).reason,
        "own": one(criterion("success", "error_ratio", "<", 0.5, 601), requests(THREE)).reason,
        "error": one(SUCCESS_ERRORS, [*requests(THREE), error(3, "load", "no socket")]).reason,
        "rate": one(criterion("success", "request_rate", ">=", 3), []).reason,
        "users": one(criterion("success", "concurrent_users", ">=", 3), []).reason,
    }
    assert said == {
        "clear": "0 of 600 requests failed; at most 0.498 % with 95 % confidence, limit 1 %",
        "failed": "60 of 600 requests failed; at least 8.052 % with 95 % confidence, limit 1 %",
        "more": "2 of 600 requests failed; at most 1.046 % with 95 % confidence, limit 1 %; with 2 failed, 628 are needed",
        "hopeless": "6 of 600 requests failed; at most 1.964 % with 95 % confidence, limit 1 %",
        "slow": "p95 of 600 requests 20 ms; at most 900 ms with 95 % confidence, limit 500 ms",
        "small": "p95 of 58 requests 20 ms; too few for a bound",
        "own": "0 of 600 requests failed; at most 0.498 % with 95 % confidence, limit 50 %; the smallest sample is 601",
        "error": "0 of 600 requests failed; at most 0.498 % with 95 % confidence, limit 1 %; "
        "the measurement failed: load: no socket",
        "rate": "no requests in evidence",
        "users": "no live session with requests in evidence",
    }
    assert str(error_words([error(1, "load", "a"), error(2, "load", "b")])).endswith("load: a (and 1 more)")


def test_whole_results_of_a_limit_that_did_not_fire() -> None:
    errors = one(ERRORS_5, requests(THREE, failed=3))
    assert (errors.value, errors.samples) == (3 / 600, 600)
    assert errors.reason == "3 of 600 requests failed; at most 1.287 % with 95 % confidence, limit 5 %; not fired"
    assert errors.bound == pytest.approx(0.01287, abs=1e-5)
    good = one(AVAILABLE_99, probes(THREE, failed=3))
    assert (good.value, good.samples) == (1197 / 1200, 1200)
    assert good.reason == "3 of 1,200 probes failed; at least 99.36 % with 95 % confidence, limit 99 %; not fired"
    assert good.bound == pytest.approx(0.99355, abs=1e-5)
    few = one(P95_600, requests(THREE)[:58])
    assert few.reason == "p95 of 58 requests 20 ms; limit 600 ms; not fired; judged once there are 60 samples"
    assert few.bound is None
    assert one(ERRORS_5, []).reason == "no requests in evidence"


def test_errors_for_people_have_their_three_parts() -> None:
    with pytest.raises(BadInput) as nonsense:
        smallest_sample(criterion("rollback", "request_rate", "<", 3))
    with pytest.raises(BadInput) as sampleless:
        smallest_sample(criterion("rollback", "availability", "<", 1))
    with pytest.raises(BadInput) as impossible:
        requirements(scenario(criterion("success", "availability", ">", 1)))
    with pytest.raises(BadInput):
        requirements(scenario(criterion("success", "error_ratio", "<", 1)))
    assert [str(raised.value).splitlines() for raised in (nonsense, sampleless, impossible)] == [
        [
            "no rollback limit can say request_rate < ...",
            "  where: criterion rollback.request_rate",
            "  to do: a rollback limit is availability < x, error_ratio > x or latency_p95 > x (p50, p99)",
        ],
        [
            "a limit of 100 % has no smallest sample",
            "  where: criterion rollback.availability",
            "  to do: give a threshold between 0 % and 100 %",
        ],
        [
            "no sample can show availability > 100 %",
            "  where: criterion success.availability",
            "  to do: give a threshold that leaves room for some failures, e.g. 99.9%",
        ],
    ]


def test_the_rule_of_three_rounds_up() -> None:
    assert smallest_sample(criterion("rollback", "error_ratio", ">", 0.09)) == 34  # 33.33
    assert smallest_sample(criterion("rollback", "error_ratio", ">", 0.04)) == 75
    assert requirements(scenario(criterion("success", "request_rate", ">=", 3), window_s=0.7))[0].needed == 3  # 2.31


def test_the_measured_p95_is_the_value_of_its_rank() -> None:
    rows = ledger(*(request(n / 10, f"u{n}", latency_ms=n + 1) for n in range(600)))
    measured = figure(SUCCESS_P95, rows.requests)
    assert measured is not None
    assert (measured.value, measured.lower, measured.upper) == (570, 561, 580)


@pytest.mark.parametrize(("latency_ms", "verdict"), [(600.0, Verdict.PASS), (600.000001, Verdict.FAIL)])
def test_a_p95_of_exactly_its_limit_does_not_fire(latency_ms: float, verdict: Verdict) -> None:
    rows = [request(n / 10, f"u{n}", latency_ms=latency_ms) for n in range(60)]
    assert one(P95_600, rows, at_s=6).verdict is verdict


def test_requests_missing_from_the_plan_cannot_pass_either() -> None:
    """600 requests carry "< 1 %" with one failure, not with two; of their latencies 20 may be above the limit."""
    for what, most in ((SUCCESS_ERRORS, 1), (SUCCESS_P95, 20)):
        assert one(what, requests(THREE)[most:]).verdict is Verdict.PASS
        result = one(what, requests(THREE)[most + 1 :])
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason.endswith(f"; {most + 1} of the 600 planned are not in evidence, and count as failed")


def test_a_failure_that_came_fast_makes_no_answer_look_faster() -> None:
    """21 of 600 answers above the limit carry no p95; 400 refusals of 1 ms beside them do not either."""
    slow = requests(THREE, slow=21, slow_ms=900)
    refused = [request(n / 4, f"r{n}", latency_ms=1, outcome=Outcome.REFUSED) for n in range(400)]
    assert one(SUCCESS_P95, slow).verdict is Verdict.INCONCLUSIVE
    with_refused = one(SUCCESS_P95, [*slow, *refused])
    assert (with_refused.verdict, with_refused.samples) == (Verdict.INCONCLUSIVE, 600)
    fired = [request(n / 5, f"s{n}", latency_ms=601 if n < 31 else 20) for n in range(600)]
    assert one(P95_600, [*refused, *fired]).verdict is Verdict.FAIL
    alone = one(SUCCESS_P95, refused)
    assert (alone.verdict, alone.value) == (Verdict.INCONCLUSIVE, None)
    assert alone.reason == "every request failed sooner than the limit: none says how long an answer takes"
    assert {one(what, refused[:some]).reason for what in (SUCCESS_P95, P95_600) for some in (1, 400)} == {alone.reason}


def test_only_the_windows_own_requests_explain_a_late_generator() -> None:
    late: list[Row] = [request(n / 10, f"v{n}", latency_ms=900, lag_ms=890) for n in range(60)]
    elsewhere: list[Row] = [
        *(request(at_s, f"w{at_s}", latency_ms=900, lag_ms=890) for at_s in (-60, -1, 120, 150)),
        *(request(n, f"x{n}", latency_ms=900, lag_ms=890, side=Side.FIRESTORE) for n in range(50)),
    ]
    result = one(SUCCESS_P95, [*requests(THREE)[:540], *late, *elsewhere])
    assert result.reason.endswith("void: 60 were sent late by the generator, and without them it does not fail")
    # Good answers on time, but not due in the window, do not turn a fail into a doubt.
    outside: list[Row] = [request(200 + n / 10, f"y{n}") for n in range(5_000)]
    assert one(SUCCESS_P95, [*requests(THREE, slow=100, slow_ms=900), *outside]).verdict is Verdict.FAIL


def test_lag_of_many_users_exactly() -> None:
    rows = [
        request(0, "a", latency_ms=10_000),
        request(5, "a", latency_ms=6_000, lag_ms=5_000),
        request(6, "a", latency_ms=6_000, lag_ms=5_300),
        request(0, "b", latency_ms=100),
        request(5, "b", latency_ms=2_800, lag_ms=700),
        request(7, "b", latency_ms=900, lag_ms=800),  # 7.8 s: just answered
        request(8, "b", latency_ms=800, lag_ms=80),
    ]
    expected = {0: 0, 1: 0, 2: 300 * 10**6, 3: 0, 4: 700 * 10**6, 5: 0, 6: 80 * 10**6}
    assert dict(enumerate(lag_ns(ledger(*rows).requests).tolist())) == expected
    assert lag_ns(Ledger().requests).dtype == np.int64


def test_one_canary_does_not_excuse_another() -> None:
    hanging = probe(0, latency_ms=2_000, number=0)
    late = probe(0.1, latency_ms=2_000, lag_ms=1_900, number=1)
    assert lag_ns(ledger(hanging, late).probes).tolist() == [0, 1_900 * 10**6]
    assert lag_ns(ledger(hanging, msgspec.structs.replace(late, user=hanging.user)).probes).tolist() == [0, 0]


# -- exact criteria ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("comparison", "verdict"), [(">=", Verdict.PASS), (">", Verdict.FAIL)])
def test_above_and_at_least_at_the_threshold(comparison: str, verdict: Verdict) -> None:
    rate = criterion("success", "request_rate", comparison, 400 / 120)
    of = msgspec.structs.replace(WEEKS[2], criteria=(rate,))
    assert judged(of, requests(of))[rate.id].verdict is verdict
    users = criterion("success", "concurrent_users", comparison, 250)
    result = one(users, [*sessions(scenario(users)), *requests(THREE)])
    # 250 users cannot be above 250: the load does not offer what the claim asks for.
    assert result.verdict is (Verdict.PASS if comparison == ">=" else Verdict.INCONCLUSIVE)


def test_lag_does_not_help_above_a_threshold_that_it_only_reaches() -> None:
    rate = criterion("success", "request_rate", ">", 400 / 120)
    of = msgspec.structs.replace(WEEKS[2], criteria=(rate,))
    rows = requests(of)
    late = [msgspec.structs.replace(r, sent_ns=START_NS + 121 * NS, done_ns=START_NS + 122 * NS) for r in rows[-5:]]
    assert judged(of, [*rows[:-5], *late])[rate.id].verdict is Verdict.FAIL
    one_more = request(119, "extra", lag_ms=1_000, latency_ms=1_100)
    assert judged(of, [*rows[:-5], *late, one_more])[rate.id].verdict is Verdict.INCONCLUSIVE


def test_three_missing_users_are_all_named() -> None:
    users = criterion("success", "concurrent_users", ">=", 250)
    rows = [
        msgspec.structs.replace(row, outcome=Outcome.BROKEN) if row.user in {"u0001", "u0002", "u0249"} else row
        for row in requests(THREE)
    ]
    assert one(users, [*sessions(THREE), *rows]).reason.endswith("without: u0001, u0002, u0249")


def test_each_users_first_answer_is_held_against_the_windows_start() -> None:
    users = criterion("success", "concurrent_users", ">=", 2)
    rows: list[Row] = [SessionRow(at_ns=START_NS, user=user, audience="general", live=True) for user in ("a", "b")]
    rows += [request(at_s, user) for user in ("a", "b") for at_s in range(10, 330, 60)]
    assert one(users, rows, window_s=330.0).verdict is Verdict.PASS
    late_b = [
        msgspec.structs.replace(row, outcome=Outcome.BROKEN)
        if getattr(row, "due_ns", START_NS + 200 * NS) < START_NS + 130 * NS and row.user == "b"  # type: ignore[union-attr]
        else row
        for row in rows
    ]
    result = one(users, late_b, window_s=330.0, due=due_as(rows))
    assert (result.verdict, result.value) == (Verdict.FAIL, 1)
    assert result.reason.endswith("without: b")


# -- silence -------------------------------------------------------------------------------------------------------


def test_a_good_answer_of_the_same_instant_ends_the_stretch() -> None:
    failing = [probe(n / 10, good=False, latency_ms=0, number=n) for n in range(51)]
    assert blackout(ledger(*failing).probes, START_NS, 5) is not None
    assert blackout(ledger(*failing, probe(5, latency_ms=0)).probes, START_NS, 5) is None


def test_the_blackout_named_is_the_first() -> None:
    rows: list[ProbeRow] = [probe(n / 10, good=n in (0, 60), latency_ms=0, number=n) for n in range(130)]
    failed_beside_the_good_one = probe(0, good=False, latency_ms=0, number=999)
    found = blackout(ledger(*rows, failed_beside_the_good_one).probes, START_NS, 5)
    assert found is not None
    assert (found.at_ns, found.length_s, found.failed) == (START_NS + 5 * NS, 5.0, 50)


@pytest.mark.parametrize(("every_s", "dark"), [(1.0, True), (1.001, False)])
def test_a_second_between_two_probes_is_no_pause_of_their_making(every_s: float, dark: bool) -> None:
    rows = [probe(n * every_s, good=False, latency_ms=0, number=n) for n in range(9)]
    assert (blackout(ledger(*rows).probes, START_NS, 5) is not None) is dark


@pytest.mark.parametrize(("gap_s", "expected"), [(5.0, None), (5.001, 5.001)])
def test_silence_begins_beyond_its_limit(gap_s: float, expected: float | None) -> None:
    rows = [probe(0.0, latency_ms=0), probe(gap_s, latency_ms=0)]
    span = Window(start_ns=START_NS, end_ns=START_NS + round(gap_s * NS))
    assert silent_s(ledger(*rows).probes, span, 5, 2) == expected
    assert silent_s(Ledger().probes, span, 5, 2) is None


def test_a_measurement_error_of_the_same_instant_comes_first() -> None:
    rows: list[Row] = [request(n / 10, f"u{n}", outcome=Outcome.TIMEOUT, latency_ms=0) for n in range(60)]
    assert one(ERRORS_5, [*rows, error(5.9, "load")]).verdict is Verdict.INCONCLUSIVE
    assert one(ERRORS_5, [*rows, error(5.900001, "load")]).verdict is Verdict.FAIL


# -- summary -------------------------------------------------------------------------------------------------------


def test_firestores_side_has_no_pods_and_no_probes() -> None:
    rows: list[Row] = [
        probe(1, good=False),
        *(
            SampleRow(at_ns=START_NS + 1, metric=metric, subject="pod/a", value=2)
            for metric in ("cpu_cores", "memory_bytes", "replicas")
        ),
    ]
    found = summarise(ledger(*rows), window(THREE), Side.FIRESTORE)
    assert {found.cpu_cores_mean, found.memory_bytes_max, found.replicas_min, found.bad_seconds} == {None}
    api = summarise(ledger(*rows), window(THREE), Side.API)
    assert (api.cpu_cores_mean, api.memory_bytes_max, api.replicas_min, api.bad_seconds) == (2, 2, 2, 1)


def test_a_window_that_has_not_begun_and_readings_at_its_edges() -> None:
    empty = Window(start_ns=START_NS, end_ns=START_NS)
    assert summarise(ledger(request(0)), empty, Side.API).requests_per_s == 0
    at_start = [
        SampleRow(at_ns=START_NS + offset, metric="replicas", subject="d", value=value)
        for offset, value in ((-3, 9), (-2, 9), (-1, 4), (0, 3), (1, 5))
    ]
    found = summarise(ledger(*at_start), window(THREE), Side.API)
    assert (found.replicas_min, found.replicas_max) == (3, 5)
    only_start = summarise(ledger(at_start[3]), window(THREE), Side.API)
    assert (only_start.replicas_min, only_start.replicas_max) == (3, 3)


def test_a_reason_is_its_messages_in_english_and_their_places_are_all_filled() -> None:
    for of in WEEKS.values():
        for result in judged(of, healthy(of)).values():
            assert result.told
            assert english(result.told) == result.reason
            assert "{" not in result.reason
