"""Steps of load judged on evidence made by hand, and the search for the knee on targets with a known one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.ledger import CALL, NO_OPERATION, Calls, Ledger
from harness.model.evidence import Operation, Outcome, RequestRow, Side
from harness.model.message import english
from harness.model.step import Arrivals, Step
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.judge_knee import Tried, knee, next_rate
from harness.rehearsals.load_stages.judge_steps import Limits, figures, verdict, window_of
from harness.rehearsals.load_stages.types import KneePlan, Made, StepFigures

MS = 1_000_000
LIMITS = Limits(p95_ms=500, error_ratio=0.01)
PLAN = KneePlan(pods=(2,), warm_up_s=20, step_s=8, most_rate_per_s=1000, precision=0.1)
FIRST_RATE_PER_S = 20


def calls(latencies_ms: list[float], *, failed: int = 0, late_ms: float = 0.0, failure: int = 500) -> Calls:
    rows = np.zeros(len(latencies_ms), dtype=CALL)
    for index, latency in enumerate(latencies_ms):
        due = index * 10 * MS
        status = failure if index < failed else 200
        sent, done = due + round(late_ms * MS), due + round((late_ms + latency) * MS)
        rows[index] = (index, index, True, index >= failed, NO_OPERATION, status, due, sent, done)
    return rows


def made(*, photos_due: int = 0, **read: float) -> Made:
    step = Step(name="s", arrivals=Arrivals.POISSON, seconds=10, users=1000, photos_per_s=photos_due / 10)
    return msgspec.structs.replace(Made(step=step, pods=2, start_ns=0), **read)


def by_pods(by_pod: Mapping[str, int]) -> Ledger:
    """A ledger with so many answers of each pod in the window."""
    ledger = Ledger()
    for pod, count in by_pod.items():
        for number in range(count):
            ledger.add(answer(f"{pod}-{number}", pod))
    return ledger


def answer(call: str, pod: str) -> RequestRow:
    return RequestRow(
        operation_id=call, user="u", audience="general", side=Side.API, operation=Operation.LIST_WALKS, due_ns=1,
        sent_ns=1, done_ns=2, status=200, outcome=Outcome.OK, acknowledged=False, payload_digest="", flag=True, pod=pod,
    )  # fmt: skip


def judged(
    rows: Calls, *, by_pod: Mapping[str, int] = MappingProxyType({}), **read: Any
) -> tuple[Verdict, str, StepFigures]:
    measured = figures(rows, window_of(0, 10), made(**read), by_pods(by_pod))
    told, why = verdict(measured, LIMITS, 2)
    return told, english(why), measured


def test_figures_are_those_of_the_rows() -> None:
    _, _, measured = judged(calls([float(n) for n in range(1, 1001)], failed=3))
    assert (measured.requests, measured.failed) == (1000, 3)
    assert (measured.latency_p50_ms, measured.latency_p95_ms, measured.latency_p99_ms) == (500, 950, 990)
    assert measured.latency_p95_lower_ms is not None and measured.latency_p95_lower_ms < 950
    assert measured.latency_p95_upper_ms is not None and measured.latency_p95_upper_ms > 950
    assert measured.offered_per_s == 100
    # In the window of 10 s: all but the last ones, which were still waiting for their answer.
    assert measured.answered_per_s == pytest.approx(97, abs=8)
    assert measured.statuses == {"200": 997, "500": 3}


def test_fast_and_whole_passes() -> None:
    assert judged(calls([20.0] * 400))[0] is Verdict.PASS


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (calls([600.0] * 400), "at least 600 ms"),
        (calls([20.0] * 400, failed=40), "40 of 400 failed"),
    ],
)
def test_slow_or_failing_fails(rows: Calls, words: str) -> None:
    told, reason, _ = judged(rows)
    assert told is Verdict.FAIL
    assert words in reason


@pytest.mark.parametrize(
    ("rows", "around", "words"),
    [
        (calls([20.0] * 58), {}, "too few"),
        (calls([20.0] * 380 + [900.0] * 20), {}, "too near"),  # exactly 5 % above: the bound cannot clear
        (calls([20.0] * 400, failed=4), {}, "too near"),  # exactly 1 %
        (calls([20.0] * 400, late_ms=60), {}, "lag is 60 ms"),
        (calls([20.0] * 400), {"generator_cpu_cores": 0.95}, "0.95 of a core"),
        (calls([900.0] * 400), {"generator_cpu_cores": 0.95}, "0.95 of a core"),
        (calls([]), {}, "no request"),
    ],
)
def test_what_cannot_tell_is_inconclusive(rows: Calls, around: dict[str, Any], words: str) -> None:
    told, reason, _ = judged(rows, **around)
    assert told is Verdict.INCONCLUSIVE
    assert words in reason


@pytest.mark.parametrize(
    ("by_pod", "words"),
    [
        ({"a": 400}, "1 of 2 pods answered"),
        ({"a": 10, "b": 390}, ""),  # less than twice its even share: of two pods none can have more
        ({"a": 200, "b": 200}, ""),
        ({"a": 39}, ""),  # too few to tell
        ({}, ""),  # the target does not name its pods
    ],
)
def test_a_load_that_does_not_reach_every_pod_says_nothing_of_them(by_pod: dict[str, int], words: str) -> None:
    told, reason, measured = judged(calls([20.0] * 400), by_pod=by_pod)
    assert told is (Verdict.INCONCLUSIVE if words else Verdict.PASS)
    assert words in reason
    assert measured.requests_by_pod == by_pod


def test_a_load_on_few_of_many_pods_says_nothing_of_them() -> None:
    """Seen: after 2 -> 10 pods, connections kept by the users stayed with the first two."""
    even = {f"p{number}": 40 for number in range(10)}
    few = even | {"p0": 320, "p1": 320}
    measured = figures(calls([20.0] * 400), window_of(0, 10), made(), by_pods(few))
    told, reason = verdict(measured, LIMITS, 10)
    assert told is Verdict.INCONCLUSIVE
    assert "one of 10 pods answered 320 of 960" in english(reason)
    measured = figures(calls([20.0] * 400), window_of(0, 10), made(), by_pods(even))
    assert verdict(measured, LIMITS, 10)[0] is Verdict.PASS


@pytest.mark.parametrize("times", [1, 40])
def test_a_step_that_met_the_rate_limiter_says_nothing_of_the_pods(times: int) -> None:
    told, reason, _ = judged(calls([20.0] * 400, failed=times, failure=429))
    assert told is Verdict.INCONCLUSIVE
    assert reason == f"the rate limiter answered {times} times"


@pytest.mark.parametrize(
    ("uploaded", "told"), [(0, Verdict.INCONCLUSIVE), (89, Verdict.INCONCLUSIVE), (90, Verdict.PASS)]
)
def test_a_step_beside_photos_that_were_not_uploaded_says_nothing(uploaded: int, told: Verdict) -> None:
    beside = made(photos_due=100, photos_uploaded=uploaded)
    found, reason = verdict(figures(calls([20.0] * 400), window_of(0, 10), beside, Ledger()), LIMITS, 2)
    assert found is told
    assert (english(reason) == f"{uploaded} of 100 photos were uploaded") == (told is Verdict.INCONCLUSIVE)


NOT_KEPT = (Verdict.FAIL, Verdict.INCONCLUSIVE)


def search(
    plan: KneePlan,
    kept_until: float,
    generator_until: float = float("inf"),
    hiccups: Mapping[int, Verdict] = MappingProxyType({}),
) -> list[Tried]:
    """The search against a target that keeps its limits up to a rate, with a generator that can make another.

    ``hiccups`` are verdicts of single steps, by their number, whatever the target would have kept.
    """
    tried: list[Tried] = []
    while (rate := next_rate(plan, FIRST_RATE_PER_S, tried)) is not None:
        assert len(tried) < 40, "the search does not end"
        told = hiccups.get(len(tried), Verdict.PASS if rate <= kept_until else Verdict.FAIL)
        tried.append(Tried(rate_per_s=rate, verdict=told, generator_limited=rate > generator_until))
    return tried


@given(kept_until=st.floats(min_value=5, max_value=900))
def test_the_knee_is_found_within_the_precision(kept_until: float) -> None:
    tried = search(PLAN, kept_until)
    found = knee(PLAN, 2, tried)
    assert found.verdict is Verdict.PASS
    assert found.rate_per_s is not None and found.broken_per_s is not None
    assert found.rate_per_s <= kept_until < found.broken_per_s
    if kept_until >= FIRST_RATE_PER_S:
        assert found.broken_per_s / found.rate_per_s <= 1.1 + 1e-9
    assert len(tried) <= 14


@given(kept_until=st.floats(min_value=20, max_value=900), hiccup=st.integers(0, 13), told=st.sampled_from(NOT_KEPT))
def test_one_failed_step_anywhere_does_not_move_the_knee(kept_until: float, hiccup: int, told: Verdict) -> None:
    """Seen: ten pods that had just started failed their first 8 s, and 35 requests/s a pod became "the knee"."""
    quiet, disturbed = search(PLAN, kept_until), search(PLAN, kept_until, hiccups={hiccup: told})
    assert len(disturbed) <= len(quiet) + 1
    before, after = knee(PLAN, 2, quiet), knee(PLAN, 2, disturbed)
    assert (before.rate_per_s, before.broken_per_s) == (after.rate_per_s, after.broken_per_s)


def test_a_rate_bounds_after_two_failures_and_not_before() -> None:
    kept, failed = Tried(rate_per_s=20, verdict=Verdict.PASS), Tried(rate_per_s=40, verdict=Verdict.FAIL)
    assert next_rate(PLAN, FIRST_RATE_PER_S, [kept, failed]) == 40
    assert next_rate(PLAN, FIRST_RATE_PER_S, [kept, failed, failed]) == pytest.approx(28.28, abs=0.01)
    passed = Tried(rate_per_s=40, verdict=Verdict.PASS)
    assert next_rate(PLAN, FIRST_RATE_PER_S, [kept, failed, passed]) == 80


def test_a_target_that_is_never_broken_has_no_knee_yet() -> None:
    found = knee(PLAN, 2, search(PLAN, 1e9))
    assert (found.verdict, found.rate_per_s) == (Verdict.INCONCLUSIVE, 1000)


def test_a_target_that_keeps_nothing_fails() -> None:
    found = knee(PLAN, 2, search(PLAN, 0))
    assert (found.verdict, found.rate_per_s) == (Verdict.FAIL, None)


def test_a_limited_generator_ends_the_search_and_is_named() -> None:
    found = knee(PLAN, 2, search(PLAN, 1e9, generator_until=100))
    assert (found.verdict, found.rate_per_s) == (Verdict.INCONCLUSIVE, 80)
    assert "at least 80.0/s; the generator was the limit" in english(found.told)


def test_one_hiccup_of_the_generator_is_tried_again() -> None:
    hiccup = Tried(rate_per_s=40, verdict=Verdict.INCONCLUSIVE, generator_limited=True)
    tried = [Tried(rate_per_s=20, verdict=Verdict.PASS), hiccup]
    assert next_rate(PLAN, FIRST_RATE_PER_S, tried) == 40
    assert next_rate(PLAN, FIRST_RATE_PER_S, [*tried, hiccup]) is None
    again = [*tried, *[Tried(rate_per_s=40, verdict=Verdict.FAIL)] * 2]
    assert next_rate(PLAN, FIRST_RATE_PER_S, again) == pytest.approx(28.28, abs=0.01)
    done = [*again, Tried(rate_per_s=28.28, verdict=Verdict.PASS), *[Tried(rate_per_s=30, verdict=Verdict.FAIL)] * 2]
    assert knee(PLAN, 2, done).verdict is Verdict.PASS


def test_a_load_that_was_not_spread_is_named_and_no_limit() -> None:
    unspread = Tried(rate_per_s=40, verdict=Verdict.INCONCLUSIVE, unspread=True)
    tried = [Tried(rate_per_s=20, verdict=Verdict.PASS), unspread]
    assert next_rate(PLAN, FIRST_RATE_PER_S, tried) == 40
    assert next_rate(PLAN, FIRST_RATE_PER_S, [*tried, unspread]) is None
    found = knee(PLAN, 2, [*tried, unspread])
    assert (found.verdict, found.rate_per_s, found.broken_per_s) == (Verdict.INCONCLUSIVE, 20, None)
    assert "not spread over the pods" in english(found.told)


@pytest.mark.parametrize(
    ("why", "words"), [("rate_limited", "the API's rate limiter answered"), ("without_photos", "were not uploaded")]
)
def test_a_rate_whose_step_says_nothing_does_not_bound(why: str, words: str) -> None:
    limited = msgspec.structs.replace(Tried(rate_per_s=40, verdict=Verdict.INCONCLUSIVE), **{why: True})
    tried = [Tried(rate_per_s=20, verdict=Verdict.PASS), limited]
    assert next_rate(PLAN, FIRST_RATE_PER_S, tried) == 40
    assert next_rate(PLAN, FIRST_RATE_PER_S, [*tried, limited]) is None
    found = knee(PLAN, 2, [*tried, limited])
    assert (found.verdict, found.rate_per_s, found.broken_per_s) == (Verdict.INCONCLUSIVE, 20, None)
    assert words in english(found.told)


def test_a_pass_above_a_failure_is_not_the_knee() -> None:
    tried = [
        Tried(rate_per_s=20, verdict=Verdict.PASS),
        *[Tried(rate_per_s=40, verdict=Verdict.FAIL)] * 2,
        Tried(rate_per_s=80, verdict=Verdict.PASS),
    ]
    assert knee(PLAN, 2, tried).rate_per_s == 20
