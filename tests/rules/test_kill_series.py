"""The failures of a series of kills, computed beforehand, and an experiment held against them."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.evidence import EventRow
from harness.model.judgement import Judgement, Verdict
from harness.rehearsals.chaos.facts import of_series
from harness.rehearsals.chaos.flow import ASK_EVERY_S, detection_s, ready_after_s
from harness.rehearsals.chaos.kill_series import Detection, ExpectedFailures, KillSeries, detection, expected
from harness.rehearsals.chaos.types import Expectation, Repeated
from tests.chaos.planted import FACT, WELL, by_rules

#: Two pods, 10 requests/s of users and 10 probes/s, 40 ms each.
SERIES = KillSeries(
    times=15,
    every_s=20,
    replicas=2,
    user_rate_per_s=10,
    probe_rate_per_s=10,
    latency_s=0.04,
    detection=Detection(),
    ready_after_s=15,
)


def test_a_series_that_is_always_survived_breaks_only_what_is_on_its_way() -> None:
    found = expected(SERIES)
    assert found.in_flight == pytest.approx(15 * 10.5 * 0.04)
    assert (found.undetected, found.none_ready) == (0, 0)
    assert (found.least, found.most) == (1, 7)


def always(seconds: float) -> Detection:
    return Detection(mean_s=seconds, least_s=seconds, most_s=seconds)


def test_detection_and_a_late_successor_add_their_time() -> None:
    late = expected(msgspec.structs.replace(SERIES, detection=always(1.0), ready_after_s=24))
    assert late.undetected == pytest.approx(15 * (10 + 10 / 2))  # every probe's, and those of users led to that pod
    assert late.none_ready == pytest.approx(15 * 20 * 4)
    assert expected(msgspec.structs.replace(SERIES, replicas=4, ready_after_s=50)).none_ready == 0


@given(st.floats(0, 5), st.floats(0, 60), st.integers(1, 10))
def test_more_latency_detection_or_readiness_never_expects_less(more_s: float, ready_s: float, replicas: int) -> None:
    base = msgspec.structs.replace(SERIES, ready_after_s=ready_s, replicas=replicas)
    for changes in (
        {"latency_s": SERIES.latency_s + more_s},
        {"detection": always(more_s)},
        {"ready_after_s": ready_s + more_s},
    ):
        assert expected(msgspec.structs.replace(base, **changes)).total >= expected(base).total


EXPECTS = Expectation(most_failed=1.0, recover_within_s=20, why="t", repeated=Repeated(every_s=20, times=15))


def judged(computed: ExpectedFailures, failed: int, *, made: int = 15, missing: int = 0) -> Judgement:
    return by_rules([*WELL, *of_series(FACT, computed, failed, missing, made=made, times=15)], EXPECTS)


@pytest.mark.parametrize(
    ("failed", "missing", "verdict"),
    [
        (24, 0, Verdict.FAIL),
        (25, 0, Verdict.PASS),
        (100, 0, Verdict.PASS),
        (101, 0, Verdict.FAIL),
        (24, 1, Verdict.INCONCLUSIVE),  # the one that is missing may have failed
        (20, 4, Verdict.FAIL),
        (99, 1, Verdict.PASS),
        (99, 2, Verdict.INCONCLUSIVE),
        (101, 50, Verdict.FAIL),
    ],
)
def test_fewer_than_a_quarter_or_more_than_all_fails_and_what_is_missing_may_have_failed_or_not(
    failed: int, missing: int, verdict: Verdict
) -> None:
    computed = ExpectedFailures(in_flight=40, undetected=60, undetected_least=60, undetected_most=60, none_ready=0)
    assert judged(computed, failed, missing=missing).verdict is verdict
    fewer = judged(computed, failed, made=5, missing=missing)
    assert fewer.verdict is Verdict.INCONCLUSIVE and "5 kills were made; 15 is wanted" in fewer.reason


COMPUTED = (
    "{all:.1f} failures at most, computed beforehand: {flying:.1f} on their way when a pod is killed, {new:.1f} new "
    "connections until that is detected ({new:.1f} to {new:.1f}, as trials differ), 0.0 while no pod is ready"
)


@pytest.mark.parametrize(
    ("flying", "new", "failed", "wanted"),
    [(40, 60, 101, "; at most 100 is wanted"), (1, 2, 0, ""), (2, 2, 0, "; at least 1 is wanted")],
)
def test_a_series_says_what_failed_what_was_computed_and_what_is_wanted(
    flying: float, new: float, failed: int, wanted: str
) -> None:
    computed = ExpectedFailures(
        in_flight=flying, undetected=new, undetected_least=new, undetected_most=new, none_ready=0
    )  # fmt: skip
    found = judged(computed, failed)
    assert found.verdict is (Verdict.FAIL if wanted else Verdict.PASS)
    told = COMPUTED.format(all=flying + new, flying=flying, new=new)
    assert found.reason.endswith(f"{failed} failed of {told}{wanted}")


def test_trials_that_are_alike_give_one_figure_and_those_that_differ_give_bounds() -> None:
    alike = detection([0.3] * 10, 15)
    assert (alike.mean_s, alike.least_s, alike.most_s) == pytest.approx((0.3, 0.3, 0.3))
    differ = detection([0.1, 0.5] * 5, 15)
    # s = 0.2108, t(9; 0.95) = 1.8331, sqrt(1/10 + 1/15) = 0.4082
    assert (differ.mean_s, differ.least_s, differ.most_s) == pytest.approx((0.3, 0.1422, 0.4578), abs=1e-4)
    assert detection([0.0, 0.0, 1.0], 15).least_s == 0
    found = expected(msgspec.structs.replace(SERIES, latency_s=0, detection=differ))
    assert (found.least, found.most) == (8, 103)  # a quarter of 32.00, all of 103.00: 15 kills x 15 connections/s


def test_the_mean_of_a_series_lies_within_the_bounds_nine_times_of_ten() -> None:
    """With detections as a cluster has them: most short, some up to kube-proxy's second."""
    dice = Random(4)

    def one() -> float:
        return dice.uniform(0.0, 0.2) if dice.random() < 0.7 else dice.uniform(0.2, 1.0)

    inside = 0
    for _ in range(1000):
        bounds = detection([one() for _ in range(10)], 15)
        inside += bounds.least_s <= sum(one() for _ in range(15)) / 15 <= bounds.most_s
    assert 850 <= inside <= 950


def test_readiness_is_the_longest_first_wait_that_was_seen() -> None:
    course = [(0, "a", "Pending"), (1, "b", "Pending"), (9, "a", "Ready"), (14, "b", "Ready"), (20, "a", "Pending")]
    course.append((60, "a", "Ready"))
    events = [
        EventRow(at_ns=at * 10**9, kind="pod", subject=pod, message="", data={"state": s}) for at, pod, s in course
    ]
    assert ready_after_s(events) == 13
    assert ready_after_s([]) == 0


def test_the_detection_is_from_the_first_to_the_last_bad_answer_after_the_kill() -> None:
    def at(*answers: tuple[float, bool]) -> float:
        return detection_s(10**9, [(round((1 + after_s) * 10**9), good) for after_s, good in answers])

    assert at((-0.5, False), (0.1, True), (0.3, False), (0.4, True), (0.25, False)) == pytest.approx(0.05 + ASK_EVERY_S)
    assert at((0.3, True), (0.9, False), (1.0, True)) == ASK_EVERY_S, "until it is dead a pod answers"
    assert at((-0.5, False), (0.1, True)) == 0
    assert at() == 0
