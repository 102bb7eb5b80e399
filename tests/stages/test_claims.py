"""The document's claims about load, against steps and knees made by hand."""

from __future__ import annotations

import msgspec
import pytest

from harness.model.load_stages import Arrivals, Knee, Step, StepFigures, StepResult
from harness.model.verdict import Verdict
from harness.stages.claims import judged
from scenarios.stages import load

PLAN = load()
CAPACITY = msgspec.structs.replace(PLAN, claims=("load.pod_capacity",))
SIZING = msgspec.structs.replace(PLAN, claims=("checklist.performance.sizing",))
FIGURES = StepFigures(
    offered_per_s=10, answered_per_s=10, requests=600, failed=0, statuses={"200": 600}, latency_p50_ms=5,
    latency_p95_ms=20, latency_p99_ms=30, latency_p95_lower_ms=18, latency_p95_upper_ms=22, error_upper=0.005,
    lag_p99_ms=1, generator_cpu_cores=0.1, machine_cpu_ratio=0.5, pods_cpu_cores=0.2, pods_memory_bytes=1e8,
    database_connections=16, histogram="",
)  # fmt: skip


def users(count: int, verdict: Verdict = Verdict.PASS, **changed: float) -> StepResult:
    step = Step(name=f"users_{count}", arrivals=Arrivals.EVEN, rate_per_s=count / 50, users=count, seconds=60)
    figures = msgspec.structs.replace(FIGURES, **changed)
    return StepResult(step=step, pods=2, figures=figures, verdict=verdict, reason="why", start_ns=0)


def flight(count: int, verdict: Verdict) -> StepResult:
    step = Step(name=f"in_flight_{count}", arrivals=Arrivals.CLOSED, in_flight=count, users=1000, seconds=15)
    return StepResult(step=step, pods=2, figures=FIGURES, verdict=verdict, reason="why", start_ns=0)


def of(
    claim: str, steps: list[StepResult], knees: list[Knee], *, bundled: bool = False, limits: bool = True
) -> Verdict:
    results = judged(PLAN, steps, knees, bundled=bundled, limits_enforced=limits)
    return next(result.verdict for result in results if result.claim == claim)


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        ([users(500)], Verdict.PASS),
        ([users(500, failed=1)], Verdict.FAIL),  # 599 of 600 answered well: 9.98/s
        ([users(500, Verdict.INCONCLUSIVE)], Verdict.INCONCLUSIVE),
        ([users(500, Verdict.FAIL)], Verdict.FAIL),
        ([users(100)], Verdict.NOT_EXERCISED),
    ],
)
def test_ten_requests_a_second(steps: list[StepResult], verdict: Verdict) -> None:
    assert of("load.target_qps", steps, []) is verdict


def test_the_stages_are_judged_in_the_reading_of_users() -> None:
    assert of("load.stages", [users(10), users(500), flight(500, Verdict.FAIL)], []) is Verdict.PASS
    assert of("load.stages", [users(10, Verdict.INCONCLUSIVE), users(500)], []) is Verdict.INCONCLUSIVE
    assert of("load.stages", [users(10, Verdict.INCONCLUSIVE), users(500, Verdict.FAIL)], []) is Verdict.FAIL
    assert of("load.stages", [flight(10, Verdict.PASS)], []) is Verdict.NOT_EXERCISED


def knee(rate: float | None, verdict: Verdict = Verdict.PASS, pods: int = 2) -> list[Knee]:
    return [Knee(pods=pods, rate_per_s=rate, broken_per_s=None, verdict=verdict, reason="why")]


def test_a_capacity_under_scaled_limits_is_not_exercised() -> None:
    (told,) = judged(CAPACITY, [], knee(25), bundled=False, limits_enforced=True, cpu_factor=0.08)
    assert told.verdict is Verdict.NOT_EXERCISED and "multiplied by 0.080" in told.reason


@pytest.mark.parametrize(
    ("cores", "words"), [(0.1, "acts before the limit"), (0.05, "would not have acted yet"), (None, "a pod")]
)
def test_the_sizing_says_whether_the_autoscaler_acts_before_users_notice(cores: float | None, words: str) -> None:
    step = Step(name="knee_2_3", arrivals=Arrivals.POISSON, rate_per_s=25, users=1000, seconds=8)
    figures = msgspec.structs.replace(FIGURES, pods_cpu_cores=cores, pods_memory_bytes=2 * 100 * 2**20)
    steps = [StepResult(step=step, pods=2, figures=figures, verdict=Verdict.PASS, reason="", start_ns=0)]
    # 600m times 0.1: a pod asks for 60m, two for 0.12 cores.
    (told,) = judged(SIZING, steps, knee(25), bundled=True, limits_enforced=True, cpu_factor=0.1, request_m=600)
    assert told.verdict is Verdict.PASS and told.value == "2 pods 25.0/s"
    assert words in told.reason and "12.5/s a pod" in told.reason
    assert ("100 MiB" in told.reason) is (cores is not None)


def test_no_sizing_without_every_knee() -> None:
    some = [*knee(25), *knee(40, Verdict.INCONCLUSIVE, pods=4)]
    (told,) = judged(SIZING, [], some, bundled=True, limits_enforced=True, request_m=600)
    assert told.verdict is Verdict.INCONCLUSIVE
    assert judged(SIZING, [], [], bundled=True, limits_enforced=True)[0].verdict is Verdict.NOT_EXERCISED


@pytest.mark.parametrize(
    ("knees", "bundled", "limits", "verdict"),
    [
        (knee(25), False, True, Verdict.PASS),
        (knee(19.9), False, True, Verdict.FAIL),
        (knee(None, Verdict.FAIL), False, True, Verdict.FAIL),
        (knee(25, Verdict.INCONCLUSIVE), False, True, Verdict.PASS),  # at least 25/s is enough for the claim
        (knee(15, Verdict.INCONCLUSIVE), False, True, Verdict.INCONCLUSIVE),
        (knee(25), True, True, Verdict.NOT_EXERCISED),
        (knee(25), False, False, Verdict.NOT_EXERCISED),
        (knee(25, pods=4), False, True, Verdict.NOT_EXERCISED),
    ],
)
def test_the_capacity_of_two_pods(knees: list[Knee], bundled: bool, limits: bool, verdict: Verdict) -> None:
    assert of("load.pod_capacity", [], knees, bundled=bundled, limits=limits) is verdict


@pytest.mark.parametrize(
    ("connections", "verdict"),
    [(16, Verdict.PASS), (18, Verdict.PASS), (20, Verdict.FAIL), (None, Verdict.NOT_EXERCISED)],
)
def test_the_connection_budget(connections: int | None, verdict: Verdict) -> None:
    step = users(500)
    figures = msgspec.structs.replace(step.figures, database_connections=connections)
    assert of("manifest.hpa.max", [msgspec.structs.replace(step, figures=figures)], []) is verdict
