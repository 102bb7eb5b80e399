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

from harness.judge.bounds import ratio_lower, samples_needed
from harness.judge.ledger import CALL, NO_OPERATION, Calls, Ledger
from harness.model.evidence import Operation, Outcome, RequestRow, SampleRow, Side
from harness.model.message import english
from harness.model.step import Arrivals, Step
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.judge_knee import Tried, knee, next_rate
from harness.rehearsals.load_stages.judge_steps import Limits, figures, result_of, verdict, window_of
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
        rows[index] = (index, index, True, index >= failed, False, NO_OPERATION, status, due, sent, done)
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
    rows: Calls,
    *,
    by_pod: Mapping[str, int] = MappingProxyType({}),
    missing: int = 0,
    limits: Limits = LIMITS,
    **read: Any,
) -> tuple[Verdict, str, StepFigures]:
    measured = figures(rows, window_of(0, 10), made(**read), by_pods(by_pod), missing=missing)
    told, why = verdict(measured, limits, 2)
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


def test_figures_of_what_was_read_beside_the_rows_are_told() -> None:
    """Of two pods: their cores together in the mean, their memory together at its most."""
    ledger = Ledger()
    for at_ns, cores, memory in ((1, 0.1, 30e6), (2, 0.3, 50e6)):
        for pod in ("a", "b"):
            ledger.add(SampleRow(at_ns=at_ns, metric="cpu_cores", subject=pod, value=cores))
            ledger.add(SampleRow(at_ns=at_ns, metric="memory_bytes", subject=pod, value=memory))
    measured = figures(calls([20.0] * 400, failed=4), window_of(0, 10), made(machine_cpu_ratio=0.5), ledger)
    assert measured.pods_cpu_cores == pytest.approx(0.4)
    assert measured.pods_memory_bytes == 100e6
    assert measured.machine_cpu_ratio == 0.5
    assert measured.error_upper == pytest.approx(0.0227, abs=0.0001)


def test_an_answer_as_the_step_ends_is_none_within_it() -> None:
    rows = calls([9_990.0, 9_990.0])  # due at 0 and 10 ms
    assert figures(rows, window_of(0, 10), made(), Ledger()).answered_per_s == 0.1


def test_a_step_is_judged_by_the_requests_to_the_api_alone_and_keeps_its_beginning() -> None:
    ledger = by_pods({"a": 3})
    ledger.add(msgspec.structs.replace(answer("app", "a"), side=Side.FIRESTORE, pod=""))
    step = Step(name="s", arrivals=Arrivals.CLOSED, seconds=10, users=1000, in_flight=3)
    found = result_of(Made(step=step, pods=1, start_ns=1), ledger, LIMITS, 1)
    assert (found.figures.requests, found.start_ns, found.pods) == (3, 1, 1)


NEEDED = samples_needed(LIMITS.error_ratio, 0)


@pytest.mark.parametrize(
    ("rows", "around", "verdict", "reason"),
    [
        (calls([20.0] * NEEDED), {}, Verdict.PASS, f"p95 20 ms, at most 20 ms; 0 of {NEEDED} failed"),
        (
            calls([20.0] * (NEEDED - 1)),
            {},
            Verdict.PASS,
            f"p95 20 ms, at most 20 ms; 0 of {NEEDED - 1} failed (too few to carry a bound below 1 %)",
        ),
        # One that failed needs more of them.
        (
            calls([20.0] * 400, failed=1),
            {},
            Verdict.PASS,
            "p95 20 ms, at most 20 ms; 1 of 400 failed (too few to carry a bound below 1 %)",
        ),
        (calls([600.0] * 400), {}, Verdict.FAIL, "p95 600 ms, at least 600 ms; 0 of 400 failed"),
        (calls([500.0] * 400), {}, Verdict.FAIL, "p95 500 ms, at least 500 ms; 0 of 400 failed"),  # just the limit
        (
            calls([20.0] * 380 + [500.0] * 20),
            {},
            Verdict.INCONCLUSIVE,
            "p95 20 ms, at most 500 ms; 0 of 400 failed: too near the limit to tell",
        ),
        (calls([20.0] * 400, failed=40), {}, Verdict.FAIL, "40 of 400 failed, above 1 %; p95 20 ms"),
        (
            calls([20.0] * 400, failed=40),
            {"limits": Limits(p95_ms=500, error_ratio=ratio_lower(40, 400))},
            Verdict.INCONCLUSIVE,
            "p95 20 ms, at most 20 ms; 40 of 400 failed: too near the limit to tell",
        ),
        (
            calls([20.0] * 58),
            {},
            Verdict.INCONCLUSIVE,
            "p95 20 ms, but 58 requests are too few (59 are needed)",
        ),
        (
            calls([20.0] * 58),
            {"missing": 1},  # enough, and the one that is missing may be slow
            Verdict.INCONCLUSIVE,
            "p95 20 ms; 0 of 58 failed; 1 of the 59 planned are not in evidence, and count as failed",
        ),
        (calls([]), {}, Verdict.INCONCLUSIVE, "no request was due"),
    ],
)  # fmt: skip
def test_a_step_says_how_near_its_limits_it_came(
    rows: Calls, around: dict[str, Any], verdict: Verdict, reason: str
) -> None:
    assert judged(rows, **around)[:2] == (verdict, reason)


@pytest.mark.parametrize(
    ("rows", "around", "words"),
    [
        (
            calls([20.0] * 380 + [900.0] * 20),
            {},
            "too near the limit to tell",
        ),  # exactly 5 % above: the bound cannot clear
        (calls([20.0] * 400, failed=4), {}, "too near the limit to tell"),  # exactly 1 %
        (calls([20.0] * 400, late_ms=60), {}, "the generator was the limit: its p99 lag is 60 ms"),
        (
            calls([20.0] * 400),
            {"generator_cpu_cores": 0.95},
            "the generator was the limit: a worker used 0.95 of a core",
        ),
        (
            calls([900.0] * 400),
            {"generator_cpu_cores": 0.95},
            "the generator was the limit: a worker used 0.95 of a core",
        ),
    ],
)
def test_what_cannot_tell_is_inconclusive(rows: Calls, around: dict[str, Any], words: str) -> None:
    told, reason, _ = judged(rows, **around)
    assert told is Verdict.INCONCLUSIVE
    assert reason.endswith(words)
    assert reason == words or "generator" not in words


def test_a_generator_just_on_time_and_just_within_its_core_is_not_the_limit() -> None:
    assert judged(calls([20.0] * 400, late_ms=50), generator_cpu_cores=0.9)[0] is Verdict.PASS


@pytest.mark.parametrize(
    ("by_pod", "words"),
    [
        ({"a": 400}, "the load was not spread: 1 of 2 pods answered"),
        ({"a": 40}, "the load was not spread: 1 of 2 pods answered"),
        ({"a": 10, "b": 390}, ""),  # less than twice its even share: of two pods none can have more
        ({"a": 200, "b": 200}, ""),
        ({"a": 39}, ""),  # too few to tell
        ({}, ""),  # the target does not name its pods
    ],
)
def test_a_load_that_does_not_reach_every_pod_says_nothing_of_them(by_pod: dict[str, int], words: str) -> None:
    told, reason, measured = judged(calls([20.0] * 400), by_pod=by_pod)
    assert told is (Verdict.INCONCLUSIVE if words else Verdict.PASS)
    assert reason == (words or "p95 20 ms, at most 20 ms; 0 of 400 failed")
    assert measured.requests_by_pod == by_pod


def test_a_load_on_few_of_many_pods_says_nothing_of_them() -> None:
    """Seen: after 2 -> 10 pods, connections kept by the users stayed with the first two."""
    even = {f"p{number}": 40 for number in range(10)}
    few = even | {"p0": 320, "p1": 320}
    measured = figures(calls([20.0] * 400), window_of(0, 10), made(), by_pods(few))
    told, reason = verdict(measured, LIMITS, 10)
    assert told is Verdict.INCONCLUSIVE
    assert english(reason) == "the load was not spread: one of 10 pods answered 320 of 960"
    for spread in (even, {"a": 200, "b": 100, "c": 60, "d": 40}):  # just twice its even share is not too much
        measured = figures(calls([20.0] * 400), window_of(0, 10), made(), by_pods(spread))
        assert verdict(measured, LIMITS, len(spread))[0] is Verdict.PASS


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


def test_a_bracket_of_just_the_precision_ends_the_search() -> None:
    kept, failed = Tried(rate_per_s=20, verdict=Verdict.PASS), Tried(rate_per_s=22, verdict=Verdict.FAIL)
    assert next_rate(PLAN, FIRST_RATE_PER_S, [kept, failed, failed]) is None


def test_a_search_that_keeps_nothing_halves_its_rate_down_to_a_tenth_of_the_first() -> None:
    tried = search(PLAN, 0)
    assert [each.rate_per_s for each in tried[::2]] == [20, 10, 5, 2.5, 1.25]
    assert next_rate(PLAN, FIRST_RATE_PER_S, [Tried(rate_per_s=2, verdict=Verdict.FAIL)] * 2) is None


@pytest.mark.parametrize(
    ("kept_until", "pods", "rate_per_s", "broken_per_s", "verdict", "reason"),
    [
        (1e9, 2, 1000, None, Verdict.INCONCLUSIVE, "1000.0/s kept, and nothing above was tried (most 1000/s)"),
        (0, 4, None, 1.25, Verdict.FAIL, "no rate down to 1.2/s kept the limits"),
        (20, 6, 20, 21.8, Verdict.PASS, "20.0/s kept the limits, 21.8/s did not in 2 tries"),
    ],
)
def test_a_finished_search_says_what_was_kept_and_what_was_not(
    kept_until: float, pods: int, rate_per_s: float | None, broken_per_s: float | None, verdict: Verdict, reason: str
) -> None:
    found = knee(PLAN, pods, search(PLAN, kept_until))
    assert (found.pods, found.verdict, english(found.told)) == (pods, verdict, reason)
    assert found.rate_per_s == rate_per_s
    assert found.broken_per_s == (None if broken_per_s is None else pytest.approx(broken_per_s, abs=0.05))


def test_a_search_that_only_stumbled_shows_no_rate_and_names_what_it_stumbled_over_last() -> None:
    unspread = Tried(rate_per_s=20, verdict=Verdict.INCONCLUSIVE, unspread=True)
    slow = Tried(rate_per_s=20, verdict=Verdict.INCONCLUSIVE, generator_limited=True)
    assert next_rate(PLAN, FIRST_RATE_PER_S, [unspread]) == 20
    assert next_rate(PLAN, FIRST_RATE_PER_S, [unspread, slow]) is None
    found = knee(PLAN, 4, [unspread, slow])
    assert (found.pods, found.rate_per_s, found.verdict) == (4, None, Verdict.INCONCLUSIVE)
    assert english(found.told) == "no rate was shown; the generator was the limit above"


def test_what_broke_before_the_search_stumbled_is_still_known() -> None:
    kept, failed = Tried(rate_per_s=20, verdict=Verdict.PASS), Tried(rate_per_s=40, verdict=Verdict.FAIL)
    slow = Tried(rate_per_s=28.28, verdict=Verdict.PASS, generator_limited=True)
    found = knee(PLAN, 2, [kept, failed, failed, slow, slow])
    assert (found.rate_per_s, found.broken_per_s, found.verdict) == (20, 40, Verdict.INCONCLUSIVE)


def test_a_stumble_before_the_last_try_does_not_undo_the_knee() -> None:
    kept, failed = Tried(rate_per_s=20, verdict=Verdict.PASS), Tried(rate_per_s=22, verdict=Verdict.FAIL)
    slow = Tried(rate_per_s=22, verdict=Verdict.PASS, generator_limited=True)
    tried = [kept, failed, slow, failed]
    assert next_rate(PLAN, FIRST_RATE_PER_S, tried) is None
    found = knee(PLAN, 2, tried)
    assert (found.rate_per_s, found.broken_per_s, found.verdict) == (20, 22, Verdict.PASS)


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


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("generator_limited", "the generator was the limit above"),
        ("unspread", "above, the load was not spread over the pods"),
        ("rate_limited", "above, the API's rate limiter answered"),
        ("incomplete", "above, requests that were due are not in evidence"),
        ("without_photos", "above, the photos beside it were not uploaded"),
    ],
)
def test_a_rate_whose_step_says_nothing_does_not_bound(why: str, words: str) -> None:
    limited = msgspec.structs.replace(Tried(rate_per_s=40, verdict=Verdict.INCONCLUSIVE), **{why: True})
    tried = [Tried(rate_per_s=20, verdict=Verdict.PASS), limited]
    assert next_rate(PLAN, FIRST_RATE_PER_S, tried) == 40
    assert next_rate(PLAN, FIRST_RATE_PER_S, [*tried, limited]) is None
    found = knee(PLAN, 2, [*tried, limited])
    assert (found.verdict, found.rate_per_s, found.broken_per_s) == (Verdict.INCONCLUSIVE, 20, None)
    assert english(found.told) == f"at least 20.0/s; {words}"


def test_a_pass_above_a_failure_is_not_the_knee() -> None:
    tried = [
        Tried(rate_per_s=20, verdict=Verdict.PASS),
        *[Tried(rate_per_s=40, verdict=Verdict.FAIL)] * 2,
        Tried(rate_per_s=80, verdict=Verdict.PASS),
    ]
    assert knee(PLAN, 2, tried).rate_per_s == 20
