"""Each rollback limit: fired, not fired, below its sample, no data; at the boundary; blackouts; lag; what stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.errors import BadInput
from harness.base.ticks import NS
from harness.model.evidence import Outcome, ProbeRow, RequestRow, Row
from harness.model.judgement import Verdict
from harness.model.message import english
from harness.model.scenario import Criterion, ProbePlan
from harness.rules.bounds import ratio_lower, ratio_upper
from harness.rules.rollback import smallest_sample
from harness.rules.silence import blackout
from tests.rules.evidence import START_NS, criterion, error, ledger, one, probe, request

ERRORS_5 = criterion("rollback", "error_ratio", ">", 0.05)
ERRORS_3 = criterion("rollback", "error_ratio", ">", 0.03)
P95_600 = criterion("rollback", "latency_p95", ">", 600.0)
AVAILABLE_99 = criterion("rollback", "availability", "<", 0.99)
AVAILABLE_995 = criterion("rollback", "availability", "<", 0.995)
LIMITS = [(ERRORS_5, 60), (ERRORS_3, 100), (AVAILABLE_99, 300), (AVAILABLE_995, 600), (P95_600, 60)]


def sample(what: Criterion, bad: int, total: int, *, bad_first: bool = False) -> list[Row]:
    """``total`` answers, ten a second, the last (or the first) ``bad`` of them bad."""
    rows: list[Row] = []
    for number in range(total):
        good = number >= bad if bad_first else number < total - bad
        if what.metric.value == "availability":
            rows.append(probe(number / 10, good=good, number=number))
        elif what.metric.value == "latency_p95":
            rows.append(request(number / 10, f"u{number}", latency_ms=20 if good else 601))
        else:
            outcome = Outcome.OK if good else Outcome.SERVER_ERROR
            rows.append(request(number / 10, f"u{number}", outcome=outcome))
    return rows


def done_ns(row: Row) -> int:
    assert isinstance(row, RequestRow | ProbeRow)
    return row.done_ns


def allowed(what: Criterion, total: int) -> int:
    """The most bad answers of ``total`` that do not break the limit."""
    ratio = {0.05: 5, 0.03: 3, 0.99: 1, 0.995: 0.5, 600.0: 5}[what.threshold]
    return int(total * ratio // 100)


@pytest.mark.parametrize(("what", "needed"), LIMITS)
def test_smallest_samples_of_the_documents_limits(what: Criterion, needed: int) -> None:
    assert smallest_sample(what) == needed
    bad = allowed(what, needed)
    at_limit = one(what, sample(what, bad, needed + bad), at_s=needed / 10)
    assert (at_limit.verdict, at_limit.fired_at_ns) == (Verdict.PASS, None)
    assert "not fired" in at_limit.reason
    # A pass needs its sample of good ones: one more failure must not be what completes it.
    one_short = one(what, sample(what, bad + 1, needed + bad), at_s=needed / 10)
    assert one_short.verdict is not Verdict.PASS
    if one_short.verdict is Verdict.INCONCLUSIVE:
        assert f"a pass needs {needed} that keep the limit" in one_short.reason
    below_sample = one(what, sample(what, allowed(what, needed), needed - 1))
    assert below_sample.verdict is Verdict.INCONCLUSIVE
    assert f"judged once there are {needed} samples" in below_sample.reason


@pytest.mark.parametrize(("what", "needed"), LIMITS)
def test_fires_just_above_the_limit_and_not_before_its_sample(what: Criterion, needed: int) -> None:
    bad = allowed(what, needed) + 1
    rows = sample(what, bad, needed)
    result = one(what, rows, at_s=needed / 10 + 1)
    assert result.verdict is Verdict.FAIL
    assert result.fired_at_ns == done_ns(rows[-1])
    assert result.samples == needed
    assert result.value is not None
    assert " of the first " in result.reason
    # The same failures one answer earlier, one short of the sample: not yet read.
    assert one(what, sample(what, bad, needed - 1)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("what", "needed"), LIMITS)
def test_exactly_at_the_limit_does_not_fire(what: Criterion, needed: int) -> None:
    at_sample = one(what, sample(what, allowed(what, needed), needed), at_s=needed / 10)
    assert at_sample.verdict is Verdict.INCONCLUSIVE
    for total in (2 * needed, 1000, 1200):
        within = one(what, sample(what, allowed(what, total), total), at_s=total / 10)
        beyond = one(what, sample(what, allowed(what, total) + 1, total), at_s=total / 10)
        assert (within.verdict, beyond.verdict) == (Verdict.PASS, Verdict.FAIL)


@pytest.mark.parametrize(("what", "needed"), LIMITS)
def test_no_data_is_inconclusive(what: Criterion, needed: int) -> None:
    result = one(what, [])
    assert (result.verdict, result.value, result.bound, result.samples) == (Verdict.INCONCLUSIVE, None, None, 0)


@pytest.mark.parametrize(("what", "needed"), LIMITS)
def test_once_fired_stays_fired(what: Criterion, needed: int) -> None:
    """A bad beginning breaks the limit; a thousand good answers later the measured value is far within it."""
    bad = sample(what, allowed(what, needed) + 1, needed, bad_first=True)
    at_once = one(what, bad)
    assert at_once.verdict is Verdict.FAIL
    recovered = one(what, sample(what, allowed(what, needed) + 1, needed + 1_000, bad_first=True))
    assert recovered == at_once


@pytest.mark.parametrize(("what", "needed"), LIMITS)
def test_live_as_at_the_end(what: Criterion, needed: int) -> None:
    rows = sample(what, 2 * allowed(what, 700) + 3, 700)
    final = one(what, rows)
    assert final.fired_at_ns is not None
    fired_s = (final.fired_at_ns - START_NS) / NS
    live = None
    for second in range(1, 72):
        seen = [row for row in rows if done_ns(row) <= START_NS + second * NS]
        live = one(what, seen, at_s=second)
        assert (live.verdict is Verdict.FAIL) == (second >= fired_s)
    assert live is not None
    assert live.fired_at_ns == final.fired_at_ns


def test_twelve_percent_errors_fire_at_the_sample() -> None:
    """--fault errors=12%: 3 of each 25."""
    bad = {8, 16, 24}
    rows: list[Row] = [probe(n / 10, good=n % 25 not in bad, number=n) for n in range(1200)]
    result = one(AVAILABLE_99, rows, at_s=40)
    assert result.verdict is Verdict.FAIL
    assert result.samples == 300
    assert result.fired_at_ns == START_NS + round(29.91 * NS)
    assert result.reason == "88 % of the first 300 probes were good, limit 99 %"
    assert result.bound == ratio_upper(264, 300)  # at most this good, for sure
    users: list[Row] = [
        request(n / 5, f"u{n}", outcome=Outcome.SERVER_ERROR if n % 25 in bad else Outcome.OK) for n in range(600)
    ]
    assert one(ERRORS_5, users).bound == ratio_lower(7, 60)
    assert one(ERRORS_5, users).reason == "11.67 % of the first 60 requests failed, limit 5 %"


def test_answers_of_one_instant_count_together() -> None:
    rows = sample(ERRORS_5, 0, 60) + [
        request(6 + n / 1000, f"v{n}", latency_ms=1000 - n, outcome=Outcome.OK if n % 13 else Outcome.TIMEOUT)
        for n in range(100)
    ]
    assert one(ERRORS_5, rows, at_s=8).verdict is Verdict.PASS
    assert one(ERRORS_5, rows[::-1], at_s=8).verdict is Verdict.PASS
    for_sure = [request(1, f"u{n}", outcome=Outcome.TIMEOUT if n < 6 else Outcome.OK) for n in range(60)]
    assert one(ERRORS_5, [*for_sure[::-1]]) == one(ERRORS_5, [*for_sure])


@pytest.mark.parametrize(
    ("metric", "comparison"),
    [
        ("error_ratio", "<"),
        ("availability", ">"),
        ("latency_p95", ">="),
        ("request_rate", "<"),
        ("concurrent_users", "<"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(metric: str, comparison: str) -> None:
    with pytest.raises(BadInput, match=f"no rollback limit can say {metric}"):
        one(criterion("rollback", metric, comparison, 0.5), [])


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_limit_without_a_sample_is_refused(threshold: float) -> None:
    with pytest.raises(BadInput, match="no smallest sample"):
        one(criterion("rollback", "availability", "<", threshold), [])


def test_an_own_smallest_sample_replaces_the_rule() -> None:
    own = criterion("rollback", "error_ratio", ">", 0.05, smallest_sample=10)
    assert one(own, sample(own, 1, 10)).verdict is Verdict.FAIL
    assert one(own, sample(own, 1, 9)).verdict is Verdict.INCONCLUSIVE


# -- blackout ------------------------------------------------------------------------------------------------------


def dark(from_s: float, to_s: float, until_s: float = 20, *, every_s: float = 0.1, latency_ms: float = 10) -> list[Row]:
    """Probes until ``until_s``; those due in [from_s, to_s) fail."""
    count = round(until_s / every_s)
    return [
        probe(n * every_s, good=not from_s <= n * every_s + 1e-9 < to_s, latency_ms=latency_ms, number=n)
        for n in range(count)
    ]


@pytest.mark.parametrize(("dark_s", "verdict"), [(4.9, Verdict.INCONCLUSIVE), (5.1, Verdict.FAIL)])
def test_five_seconds_without_a_good_probe_fire_at_once(dark_s: float, verdict: Verdict) -> None:
    result = one(AVAILABLE_99, dark(10, 10 + dark_s))
    assert result.verdict is verdict
    if verdict is Verdict.FAIL:
        assert result.fired_at_ns == START_NS + round(14.91 * NS)  # 5 s after the last good answer, at 9.91 s
        assert result.reason == "5.0 s without one good probe, 50 failed in that time"
        assert english(result.shown) == "5.0 s without one good probe"


def test_a_blackout_from_the_first_probe_on() -> None:
    result = one(AVAILABLE_99, dark(0, 100, 5.2))
    assert result.fired_at_ns == START_NS + round(5.01 * NS)


def test_a_blackout_stays_fired_after_the_recovery() -> None:
    result = one(AVAILABLE_99, dark(10, 15.5, 120))
    assert result.fired_at_ns == START_NS + round(14.91 * NS)


def test_hanging_probes_are_a_blackout_too() -> None:
    """The eight canaries wait out their timeouts of 2 s: four answers a second, all timeouts."""
    rows = dark(0, 0, 10) + [probe(10 + n / 4, good=False, latency_ms=2_000) for n in range(40)]
    result = one(AVAILABLE_99, rows)
    assert result.verdict is Verdict.FAIL
    assert result.fired_at_ns == START_NS + 15 * NS


def test_a_generator_that_stood_still_is_no_blackout() -> None:
    """The one probe that was under way is told as timed out once it goes on, long past its timeout of 2 s."""
    for latency_ms, verdict in ((5_200, Verdict.INCONCLUSIVE), (2_100, Verdict.INCONCLUSIVE)):
        held = [*dark(0, 0, 10), probe(10, good=False, latency_ms=latency_ms, number=100)]
        rows = [*held, *(probe(15.2 + n / 10, good=True, number=152 + n) for n in range(100))]
        found = one(AVAILABLE_99, rows)
        assert (found.verdict, found.fired_at_ns) == (verdict, None), found.reason
    # Nor is it after two seconds and a half of an outage, which are all that was seen.
    short = [*dark(7.6, 10, 10.1), probe(10.1, good=False, latency_ms=4_900, number=101)]
    rows = [*short, *(probe(15.05 + n / 10, good=True, number=151 + n) for n in range(100))]
    assert one(AVAILABLE_99, rows).fired_at_ns is None
    late = [probe(12 + n / 10, good=False, latency_ms=5_200, number=120 + n) for n in range(60)]
    assert one(AVAILABLE_99, [*dark(0, 0, 12), *late]).fired_at_ns is not None  # it asked all the time


@pytest.mark.parametrize("rate_per_s", [0.5, 0.99, 1.0, 10.0])
def test_a_blackout_is_seen_however_rarely_it_is_asked(rate_per_s: float) -> None:
    every_s = 1 / rate_per_s
    rows = dark(10, 30, 40, every_s=every_s)
    found = blackout(ledger(*rows).probes, START_NS, 5.0, ProbePlan(rate_per_s=rate_per_s))
    assert found is not None and 5.0 <= found.length_s < 5.0 + 2 * every_s


def test_one_failed_probe_is_no_blackout_however_rarely_it_is_asked() -> None:
    rarely = ProbePlan(rate_per_s=0.1)
    rows = dark(100, 109, 300, every_s=10)
    assert blackout(ledger(*rows).probes, START_NS, 5.0, rarely) is None
    rows = dark(100, 119, 300, every_s=10)
    assert blackout(ledger(*rows).probes, START_NS, 5.0, rarely) is not None


def test_one_good_probe_ends_the_stretch() -> None:
    rows = dark(10, 18)
    rows[140] = probe(14, good=True, number=140)
    assert one(AVAILABLE_99, rows).verdict is Verdict.INCONCLUSIVE


def test_a_dead_probe_generator_does_not_fire() -> None:
    silent = dark(20, 20, 10)
    for at_s in (12, 20, 60, 120):
        result = one(AVAILABLE_99, silent, at_s=at_s)
        assert (result.verdict, result.fired_at_ns) == (Verdict.INCONCLUSIVE, None)
    # It dies in the middle of a failing stretch, and comes back with failures: the silence proves nothing.
    gap = [*dark(8, 10, 10), *(probe(17 + n / 10, good=n > 20) for n in range(100))]
    assert one(AVAILABLE_99, gap).verdict is Verdict.INCONCLUSIVE
    # Resumed, and still dark for five seconds more: now it is known.
    long = [*dark(8, 10, 10), *(probe(17 + n / 10, good=False) for n in range(100))]
    assert one(AVAILABLE_99, long).fired_at_ns == START_NS + round(22.01 * NS)


def test_a_silent_generator_takes_back_the_pass_of_an_availability_limit() -> None:
    assert one(AVAILABLE_99, dark(0, 0, 35), at_s=35).verdict is Verdict.PASS
    awaited = one(AVAILABLE_99, dark(0, 0, 35), at_s=41.9)  # answers may still be awaited
    assert awaited.verdict is Verdict.INCONCLUSIVE
    assert "69 of the 419 planned are not in evidence" in awaited.reason
    silent = one(AVAILABLE_99, dark(0, 0, 35), at_s=42.1)
    assert silent.verdict is Verdict.INCONCLUSIVE
    assert "no probe was made for 5.2 s" in silent.reason


def test_the_earlier_of_limit_and_blackout_names_the_instant() -> None:
    slow_decay = [probe(n / 10, good=n % 10 != 0, number=n) for n in range(310)]
    result = one(AVAILABLE_99, [*slow_decay, *(probe(31 + n / 10, good=False) for n in range(60))])
    assert result.samples == 300
    assert result.reason.startswith("90 % of the first 300")
    both = one(criterion("rollback", "availability", "<", 0.99, 51), dark(0, 100, 5.2))  # by one and the same answer
    assert both.fired_at_ns == START_NS + round(5.01 * NS)
    assert both.reason == "0 % of the first 51 probes were good, limit 99 %"


# -- lag and measurement errors ------------------------------------------------------------------------------------


def test_lag_voids_a_latency_rollback_that_it_alone_made() -> None:
    late: list[Row] = [request(n / 5, f"u{n}", latency_ms=900, lag_ms=890) for n in range(100)]
    result = one(P95_600, late)
    assert (result.verdict, result.fired_at_ns) == (Verdict.INCONCLUSIVE, None)
    assert "100 were sent late by the generator" in result.reason
    timely: list[Row] = [request(20 + n / 5, f"v{n}", latency_ms=900) for n in range(60)]
    assert one(P95_600, late + timely).verdict is Verdict.FAIL
    assert one(P95_600, late + timely[:59]).verdict is Verdict.INCONCLUSIVE


def test_lag_does_not_void_errors_or_unavailability() -> None:
    errors: list[Row] = [
        request(n / 5, f"u{n}", outcome=Outcome.TIMEOUT, latency_ms=900, lag_ms=890) for n in range(60)
    ]
    assert one(ERRORS_5, errors).verdict is Verdict.FAIL
    gone: list[Row] = [probe(n / 10, good=False, latency_ms=200, lag_ms=190, number=n) for n in range(100)]
    assert one(AVAILABLE_99, gone).verdict is Verdict.FAIL


def test_a_measurement_error_is_not_a_fire_but_does_not_undo_an_earlier_one() -> None:
    rows = sample(ERRORS_5, 60, 60)
    assert one(ERRORS_5, [*rows, error(7, "load")]).verdict is Verdict.FAIL
    before = one(ERRORS_5, [*rows, error(3, "load", "a socket of its own was missing")])
    assert (before.verdict, before.fired_at_ns) == (Verdict.INCONCLUSIVE, None)
    assert "a socket of its own was missing" in before.reason
    assert one(ERRORS_5, [*sample(ERRORS_5, 0, 60), error(3, "load")]).verdict is Verdict.INCONCLUSIVE


# -- properties ----------------------------------------------------------------------------------------------------


@given(st.lists(st.booleans(), min_size=1, max_size=250), st.sampled_from([ERRORS_5, ERRORS_3, P95_600]))
@settings(max_examples=60, deadline=None)
def test_fires_exactly_when_a_prefix_breaks_the_limit(goods: list[bool], what: Criterion) -> None:
    """Against the plain loop over every prefix."""
    rows: list[Row] = [
        request(n / 10, f"u{n}", latency_ms=20 if good else 601, outcome=Outcome.OK if good else Outcome.TIMEOUT)
        for n, good in enumerate(goods)
    ]
    expected = None
    for n in range(smallest_sample(what), len(goods) + 1):
        bad = n - sum(goods[:n])
        ranked = sorted(20.0 if good else 601.0 for good in goods[:n])
        broken = ranked[-(-95 * n // 100) - 1] > 600 if what is P95_600 else bad / n > what.threshold
        if broken:
            expected = n
            break
    result = one(what, rows)
    assert (result.verdict is Verdict.FAIL) == (expected is not None)
    if expected is not None:
        assert result.samples == expected
    else:
        assert (result.verdict is Verdict.PASS) == (len(goods) >= smallest_sample(what))


@pytest.mark.parametrize("failed", [0, 1, None])
@pytest.mark.parametrize(("metric", "needed"), [("latency_p50", 6), ("latency_p95", 60), ("latency_p99", 300)])
def test_requests_that_failed_at_once_complete_the_sample_of_a_latency_limit(
    metric: str, needed: int, failed: int | None
) -> None:
    """They count towards no latency; but where a sample with four slow answers fires, so it does with some of it, or
    all but those four, failed. With three slow ones neither does, though three of three are slow.
    """
    what = criterion("rollback", metric, ">", 600.0)

    def of(slow: int) -> list[Row]:
        some = needed - 4 if failed is None else failed
        outcomes = [Outcome.SERVER_ERROR] * some + [Outcome.OK] * (needed - slow - some)
        rows: list[Row] = [request(n / 10, f"s{n}", latency_ms=900.0) for n in range(slow)]
        return [*rows, *(request(slow / 10 + n / 10, f"f{n}", outcome=each) for n, each in enumerate(outcomes))]

    rows = of(4)
    some = sum(isinstance(row, RequestRow) and row.outcome is Outcome.SERVER_ERROR for row in rows)
    fired = one(what, rows, window_s=120.0)
    assert (fired.verdict, fired.samples) == (Verdict.FAIL, needed - some)
    assert fired.fired_at_ns == max(map(done_ns, rows))
    assert ("more failed too soon to count" in fired.reason) is (some > 0)
    few = f"judged once there are {needed} samples"
    for evidence, reason in (
        (of(3), f"a pass needs {needed} that keep the limit"),
        (rows[:-1], few),
        (of(needed)[: needed - 1], few),
    ):
        kept = one(what, evidence, window_s=120.0)
        assert (kept.verdict, kept.fired_at_ns) == (Verdict.INCONCLUSIVE, None), kept.reason
        assert reason in kept.reason
