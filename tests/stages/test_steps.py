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

from harness.model.evidence import Operation, Outcome, RequestRow, SampleRow, Side
from harness.model.judgement import Verdict
from harness.model.message import english
from harness.model.scenario import Arrivals, Step
from harness.rehearsals.load_stages.facts import knee, next_rate, of_rules, result_of
from harness.rehearsals.load_stages.facts_steps import figures, why_mute, window_of
from harness.rehearsals.load_stages.types import KneePlan, MadeStep, StepFigures, StepResult
from harness.rules.bounds import samples_needed
from harness.rules.ledger import CALL, NO_OPERATION, Calls, Ledger
from tests.stages import made as by_hand
from tests.stages.made import LIMITED, MUTE, NEAR, RULES, SLOW, tried

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
MS = 1_000_000
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


def made(*, photos_due: int = 0, **read: float) -> MadeStep:
    step = Step(name="s", arrivals=Arrivals.POISSON, seconds=10, users=1000, photos_per_s=photos_due / 10)
    return msgspec.structs.replace(MadeStep(step=step, pods=2, start_ns=0), **read)


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
    search: bool = True,
    pods: int = 2,
    **read: Any,
) -> tuple[Verdict, str, StepFigures]:
    """As a step of the search, or as the stage of the pods' capacity."""
    its = made(**read)
    measured = figures(rows, window_of(0, 10), its, by_pods(by_pod), missing=missing)
    step = its.step if search else msgspec.structs.replace(its.step, name="capacity")
    bare = StepResult(
        step=step, pods=pods, figures=measured, verdict=OPEN, told=(), start_ns=0, mute=why_mute(measured, pods)
    )
    found = of_rules(bare, by_hand.PLAN, RULES)
    return found.verdict, english(found.told), measured


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


def test_an_answer_as_the_step_ends_is_none_within_it() -> None:
    rows = calls([9_990.0, 9_990.0])  # due at 0 and 10 ms
    assert figures(rows, window_of(0, 10), made(), Ledger()).answered_per_s == 0.1


def test_a_step_is_judged_by_the_requests_to_the_api_alone_and_keeps_its_beginning() -> None:
    ledger = by_pods({"a": 3})
    ledger.add(msgspec.structs.replace(answer("app", "a"), side=Side.FIRESTORE, pod=""))
    step = Step(name="s", arrivals=Arrivals.CLOSED, seconds=10, users=1000, in_flight=3)
    found = result_of(MadeStep(step=step, pods=1, start_ns=1), ledger, by_hand.PLAN, RULES, 1)
    assert (found.figures.requests, found.start_ns, found.pods) == (3, 1, 1)


NEEDED = samples_needed(0.01)


@pytest.mark.parametrize(
    ("rows", "missing", "search", "stage"),
    [
        (calls([20.0] * NEEDED), 0, PASS, PASS),
        (calls([20.0] * (NEEDED - 1)), 0, PASS, OPEN),
        (calls([20.0] * 400, failed=1), 0, PASS, OPEN),  # one that failed needs more of them
        (calls([600.0] * 400), 0, FAIL, FAIL),
        (calls([500.0] * 400), 0, FAIL, FAIL),  # just the limit
        (calls([20.0] * 380 + [500.0] * 20), 0, OPEN, OPEN),
        (calls([20.0] * 380 + [900.0] * 20), 0, OPEN, OPEN),  # exactly 5 % above: the bound cannot clear
        (calls([20.0] * 400, failed=4), 0, OPEN, OPEN),  # exactly 1 %
        (calls([20.0] * 400, failed=40), 0, FAIL, FAIL),
        (calls([20.0] * 58), 0, OPEN, OPEN),
        (calls([20.0] * 59), 0, PASS, OPEN),
        (calls([20.0] * 58), 1, OPEN, OPEN),  # enough, and the one that is missing may be slow
        (calls([20.0] * 396), 4, OPEN, OPEN),
        (calls([600.0] * 380), 20, FAIL, FAIL),  # whatever is missing
        (calls([]), 0, OPEN, OPEN),
    ],
)
def test_a_step_is_judged_by_its_p95_and_its_errors(rows: Calls, missing: int, search: Verdict, stage: Verdict) -> None:
    even = {"a": len(rows) // 2, "b": len(rows) // 2}
    assert judged(rows, missing=missing, by_pod=even)[0] is search
    assert judged(rows, missing=missing, by_pod=even, search=False)[0] is stage


def test_a_step_says_what_it_measured_and_what_was_wanted() -> None:
    told = "p95 20 ms; most errors in a step: 0 %"
    assert judged(calls([20.0] * 400))[1] == told
    assert judged(calls([20.0] * 58), missing=1)[1] == (
        "p95 20 ms; 1 of the 59 planned are not in evidence, and count as failed; at 95 % it is 20 ms to more; "
        "less than 500 ms is wanted; most errors in a step: 0 %; by what is not in evidence it may be 0 % to 1.695 %; "
        "less than 1 % is wanted"
    )
    assert judged(calls([]))[1] == "no request was due"


@pytest.mark.parametrize(
    ("latency_ms", "around", "words"),
    [
        (20.0, {}, "its p99 lag is 60 ms"),
        (20.0, {"generator_cpu_cores": 0.95}, "a worker used 0.95 of a core"),
        (900.0, {"generator_cpu_cores": 0.95}, "a worker used 0.95 of a core"),
    ],
)
def test_a_step_whose_generator_was_the_limit_says_nothing(
    latency_ms: float, around: dict[str, Any], words: str
) -> None:
    found, reason, _ = judged(calls([latency_ms] * 400, late_ms=0 if around else 60), **around)
    assert (found, reason) == (OPEN, f"the generator was the limit: {words}")


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
    assert told is (OPEN if words else PASS)
    assert (reason == words) == bool(words)
    assert measured.requests_by_pod == by_pod


def test_a_load_on_few_of_many_pods_says_nothing_of_them() -> None:
    """Seen: after 2 -> 10 pods, connections kept by the users stayed with the first two."""
    even = {f"p{number}": 40 for number in range(10)}
    few = even | {"p0": 320, "p1": 320}
    told, reason, _ = judged(calls([20.0] * 400), by_pod=few, pods=10)
    assert (told, reason) == (OPEN, "the load was not spread: one of 10 pods answered 320 of 960")
    for spread in (even, {"a": 200, "b": 100, "c": 60, "d": 40}):  # just twice its even share is not too much
        assert judged(calls([20.0] * 400), by_pod=spread, pods=len(spread))[0] is PASS


@pytest.mark.parametrize(
    ("by_pod", "pods", "told"),
    [
        ({}, 2, OPEN),
        ({"a": 20, "b": 19}, 2, OPEN),
        ({"a": 20, "b": 20}, 2, PASS),
        ({}, 1, PASS),
        ({}, 21, PASS),  # 400 requests are too few to tell
        ({}, 20, OPEN),
    ],
)
def test_a_stage_of_which_answers_do_not_name_the_pods_is_known_to_be_on_none(
    by_pod: dict[str, int], pods: int, told: Verdict
) -> None:
    found, reason, _ = judged(calls([20.0] * 400), by_pod=by_pod, pods=pods, search=False)
    assert found is told
    assert (f"only {sum(by_pod.values())} of 400 answers name their pod" in reason) == (told is OPEN)
    assert judged(calls([900.0] * 400), by_pod=by_pod, pods=pods, search=False)[0] is FAIL


@pytest.mark.parametrize("times", [1, 40])
def test_a_step_that_met_the_rate_limiter_says_nothing_of_the_pods(times: int) -> None:
    told, reason, _ = judged(calls([20.0] * 400, failed=times, failure=429))
    assert told is Verdict.INCONCLUSIVE
    assert reason == f"the rate limiter answered {times} times"


@pytest.mark.parametrize(
    ("uploaded", "told"), [(0, Verdict.INCONCLUSIVE), (89, Verdict.INCONCLUSIVE), (90, Verdict.PASS)]
)
def test_a_step_beside_photos_that_were_not_uploaded_says_nothing(uploaded: int, told: Verdict) -> None:
    found, reason, _ = judged(calls([20.0] * 400), photos_due=100, photos_uploaded=uploaded)
    assert found is told
    assert (reason == f"{uploaded} of 100 photos were uploaded") == (told is OPEN)


def search(
    plan: KneePlan,
    kept_until: float,
    generator_until: float = float("inf"),
    hiccups: Mapping[int, Verdict] = MappingProxyType({}),
) -> list[StepResult]:
    """The search against a target that keeps its limits up to a rate, with a generator that can make another.

    ``hiccups`` are verdicts of single steps, by their number, whatever the target would have kept.
    """
    made: list[StepResult] = []
    while (rate := next_rate(plan, FIRST_RATE_PER_S, made)) is not None:
        assert len(made) < 40, "the search does not end"
        told = hiccups.get(len(made), PASS if rate <= kept_until else FAIL)
        made.append(tried(rate, told, **(MUTE if rate > generator_until else {})))
    return made


@given(kept_until=st.floats(min_value=5, max_value=900))
def test_the_knee_is_found_within_the_precision(kept_until: float) -> None:
    made = search(PLAN, kept_until)
    found = knee(PLAN, 2, 0, made)
    assert found.known
    assert found.rate_per_s is not None and found.broken_per_s is not None
    assert found.rate_per_s <= kept_until < found.broken_per_s
    if kept_until >= FIRST_RATE_PER_S:
        assert found.broken_per_s / found.rate_per_s <= 1.1 + 1e-9
    assert len(made) <= 14


@given(kept_until=st.floats(min_value=20, max_value=900), hiccup=st.integers(0, 13), told=st.sampled_from((FAIL, OPEN)))
def test_one_failed_step_anywhere_does_not_move_the_knee(kept_until: float, hiccup: int, told: Verdict) -> None:
    """Seen: ten pods that had just started failed their first 8 s, and 35 requests/s a pod became "the knee"."""
    quiet, disturbed = search(PLAN, kept_until), search(PLAN, kept_until, hiccups={hiccup: told})
    assert len(disturbed) <= len(quiet) + 1
    before, after = knee(PLAN, 2, 0, quiet), knee(PLAN, 2, 0, disturbed)
    assert (before.rate_per_s, before.broken_per_s) == (after.rate_per_s, after.broken_per_s)


def test_a_rate_bounds_after_two_failures_and_not_before() -> None:
    kept, failed = tried(20, PASS), tried(40, FAIL)
    assert next_rate(PLAN, FIRST_RATE_PER_S, [kept, failed]) == 40
    assert next_rate(PLAN, FIRST_RATE_PER_S, [kept, failed, failed]) == pytest.approx(28.28, abs=0.01)
    passed = tried(40, PASS)
    assert next_rate(PLAN, FIRST_RATE_PER_S, [kept, failed, passed]) == 80


def test_a_bracket_of_just_the_precision_ends_the_search() -> None:
    kept, failed = tried(20, PASS), tried(22, FAIL)
    assert next_rate(PLAN, FIRST_RATE_PER_S, [kept, failed, failed]) is None


def test_a_search_that_keeps_nothing_halves_its_rate_down_to_a_tenth_of_the_first() -> None:
    made = search(PLAN, 0)
    assert [each.step.rate_per_s for each in made[::2]] == [20, 10, 5, 2.5, 1.25]
    assert next_rate(PLAN, FIRST_RATE_PER_S, [tried(2, FAIL)] * 2) is None


@pytest.mark.parametrize(
    ("kept_until", "rate_per_s", "broken_per_s", "known", "reason"),
    [
        (1e9, 1000, None, False, "nothing above 1000/s was tried; 1000.0/s kept the limits"),
        (0, None, 1.25, False, "no rate down to 1.2/s kept the limits"),
        (20, 20, 21.8, True, "20.0/s kept the limits; 21.8/s did not in 2 tries"),
    ],
)
def test_a_finished_search_says_what_was_kept_and_what_was_not(
    kept_until: float, rate_per_s: float | None, broken_per_s: float | None, known: bool, reason: str
) -> None:
    found = knee(PLAN, 6, 0, search(PLAN, kept_until))
    assert (found.pods, found.known, english(found.words)) == (6, known, reason)
    assert found.rate_per_s == rate_per_s
    assert found.broken_per_s == (None if broken_per_s is None else pytest.approx(broken_per_s, abs=0.05))


KEPT = tried(20)
LAG = "the generator was the limit: its p99 lag is 60 ms"


def test_a_search_that_only_stumbled_shows_no_rate_and_names_what_it_stumbled_over_last() -> None:
    unspread, slow = tried(20, OPEN, requests_by_pod={"a": 400}), tried(20, OPEN, **MUTE)
    assert next_rate(PLAN, FIRST_RATE_PER_S, [unspread]) == 20
    assert next_rate(PLAN, FIRST_RATE_PER_S, [unspread, slow]) is None
    found = knee(PLAN, 4, 0, [unspread, slow])
    assert (found.rate_per_s, found.known) == (None, False)
    assert english(found.words) == f"the search ended early: {LAG}; no rate was shown"


def test_what_broke_before_the_search_stumbled_is_still_known() -> None:
    slow = tried(28.28, **MUTE)
    found = knee(PLAN, 2, 0, [KEPT, tried(40, FAIL), tried(40, FAIL), slow, slow])
    assert (found.rate_per_s, found.broken_per_s, found.known) == (20, 40, False)


def test_a_stumble_before_the_last_try_does_not_undo_the_knee() -> None:
    made = [KEPT, tried(22, FAIL), tried(22, **MUTE), tried(22, FAIL)]
    assert next_rate(PLAN, FIRST_RATE_PER_S, made) is None
    found = knee(PLAN, 2, 0, made)
    assert (found.rate_per_s, found.broken_per_s, found.known) == (20, 22, True)


def test_a_limited_generator_ends_the_search_and_is_named() -> None:
    found = knee(PLAN, 2, 0, search(PLAN, 1e9, generator_until=100))
    assert (found.known, found.rate_per_s) == (False, 80)
    assert english(found.words) == f"the search ended early: {LAG}; 80.0/s kept the limits"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (MUTE, LAG),
        ({"requests_by_pod": {"a": 400}}, "the load was not spread: 1 of 2 pods answered"),
        (LIMITED, "the rate limiter answered 100 times"),
        ({"missing": 1, "latency_p95_upper_ms": None}, "1 of the 601 planned are not in evidence, and count as failed"),
        ({"photos_due": 10}, "0 of 10 photos were uploaded"),
    ],
)
def test_a_rate_whose_step_says_nothing_is_tried_again_and_does_not_bound(changed: dict[str, Any], why: str) -> None:
    mute = of_rules(tried(40, OPEN, **changed), by_hand.PLAN, RULES)
    assert mute.mute is not None and (mute.verdict, str(mute.mute)) == (OPEN, why)
    assert next_rate(PLAN, FIRST_RATE_PER_S, [KEPT, mute]) == 40
    assert next_rate(PLAN, FIRST_RATE_PER_S, [KEPT, mute, mute]) is None
    found = knee(PLAN, 2, 0, [KEPT, mute, mute])
    assert (found.known, found.rate_per_s, found.broken_per_s) == (False, 20, None)
    again = [KEPT, mute, tried(40, FAIL), tried(40, FAIL)]
    assert next_rate(PLAN, FIRST_RATE_PER_S, again) == pytest.approx(28.28, abs=0.01)


@pytest.mark.parametrize("changed", [SLOW, SLOW | {"missing": 1}, NEAR])
def test_a_rate_that_failed_whatever_is_missing_or_cannot_tell_of_itself_bounds(changed: dict[str, Any]) -> None:
    one = of_rules(tried(21, **changed), by_hand.PLAN, RULES)
    assert one.mute is None and knee(PLAN, 2, 0, [KEPT, one, one]).known


def test_a_pass_above_a_failure_is_not_the_knee() -> None:
    assert knee(PLAN, 2, 0, [KEPT, tried(40, FAIL), tried(40, FAIL), tried(80)]).rate_per_s == 20
