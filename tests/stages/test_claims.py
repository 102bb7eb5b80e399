"""The document's claims about load, against steps and knees made by hand."""

from __future__ import annotations

import msgspec
import pytest

from harness.model.judgement import Judgement
from harness.model.manifests import Manifests, RollingUpdate
from harness.model.message import message
from harness.model.step import Arrivals, Step
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.judge_claims import judged
from harness.rehearsals.load_stages.types import Knee, StepResult, sized
from tests.stages.made import FIGURES, MANIFESTS, PLAN, flight, users

SIZED = sized(MANIFESTS, 0.05)


def of(claim: str, steps: list[StepResult]) -> Verdict:
    results = judged(PLAN, steps, [], asked=SIZED, bundled=False, limits_enforced=True)
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
    assert of("load.target_qps", steps) is verdict


def test_the_stages_are_judged_in_the_reading_of_users() -> None:
    assert of("load.stages", [users(10), users(500), flight(500, Verdict.FAIL)]) is Verdict.PASS
    assert of("load.stages", [users(10, Verdict.INCONCLUSIVE), users(500)]) is Verdict.INCONCLUSIVE
    assert of("load.stages", [users(10, Verdict.INCONCLUSIVE), users(500, Verdict.FAIL)]) is Verdict.FAIL
    assert of("load.stages", [flight(10, Verdict.PASS)]) is Verdict.NOT_EXERCISED


def test_requests_in_flight_that_met_the_rate_limiter_say_so() -> None:
    limited = flight(500, Verdict.INCONCLUSIVE)
    figures = msgspec.structs.replace(limited.figures, statuses={"200": 500, "429": 100})
    steps = [users(500), msgspec.structs.replace(limited, figures=figures)]
    results = judged(PLAN, steps, [], asked=SIZED, bundled=False, limits_enforced=True)
    (stages,) = (each for each in results if each.claim == "load.stages")
    assert "500 in flight inconclusive (the rate limiter answered 100 times)" in stages.reason


def knee(rate: float | None, verdict: Verdict = Verdict.PASS, pods: int = 2) -> list[Knee]:
    return [Knee(pods=pods, rate_per_s=rate, broken_per_s=None, verdict=verdict, told=(message("the knee's reason"),))]


def capacity(verdict: Verdict) -> list[StepResult]:
    step = Step(name="capacity", arrivals=Arrivals.POISSON, rate_per_s=20, users=1000, seconds=60)
    return [StepResult(step=step, pods=2, figures=FIGURES, verdict=verdict, told=(message("p95 20 ms"),), start_ns=0)]


def carried(
    steps: list[StepResult], knees: list[Knee], *, bundled: bool, limits: bool = True
) -> list[tuple[Verdict, bool, str]]:
    plan = msgspec.structs.replace(PLAN, claims=("load.pod_capacity",))
    results = judged(plan, steps, knees, asked=SIZED, bundled=bundled, limits_enforced=limits)
    return [(each.verdict, each.id.endswith(".of_target"), each.reason) for each in results]


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE])
def test_the_documents_rate_is_judged_by_its_own_step(verdict: Verdict) -> None:
    """Never by a knee: those are searched under scaled limits, and no verdict came of them on any target."""
    ((told, of_target, reason),) = carried(capacity(verdict), knee(113), bundled=False)
    assert (told, of_target) == (verdict, False)
    assert "20/s to 2 pods of 500m/512Mi (at most 1000m/1024Mi); p95 20 ms" in reason
    assert "the knee of 2 pods: the knee's reason" in reason


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL])
def test_on_the_bundled_api_the_claim_about_go_stays_open_and_the_target_is_judged(verdict: Verdict) -> None:
    go, target = carried(capacity(verdict), [], bundled=True)
    assert go[:2] == (Verdict.NOT_EXERCISED, False)
    assert "about Go" in go[2] and "measured here: 20/s to 2 pods" in go[2]
    assert target[:2] == (verdict, True)
    assert "about Go" not in target[2]


@pytest.mark.parametrize("bundled", [True, False])
def test_a_capacity_without_limits_is_not_exercised(bundled: bool) -> None:
    found = carried(capacity(Verdict.PASS), [], bundled=bundled, limits=False)
    assert {verdict for verdict, *_ in found} == {Verdict.NOT_EXERCISED}
    assert all("not enforced" in reason for *_, reason in found)


def test_no_capacity_without_its_step() -> None:
    ((told, _, reason),) = carried([], knee(113), bundled=True)
    assert told is Verdict.NOT_EXERCISED
    assert "the stage of 20/s was not run" in reason and "the knee of 2 pods" in reason


@pytest.mark.parametrize(
    ("connections", "verdict"),
    [(16, Verdict.PASS), (18, Verdict.PASS), (20, Verdict.FAIL), (None, Verdict.NOT_EXERCISED)],
)
def test_the_connection_budget(connections: int | None, verdict: Verdict) -> None:
    assert budget(connections, MANIFESTS)[0] is verdict


def test_a_pool_that_was_never_filled_proves_no_budget() -> None:
    verdict, reason = budget(16, MANIFESTS, in_flight=16)
    assert verdict is Verdict.INCONCLUSIVE and "no step had more requests in flight" in reason
    assert budget(16, MANIFESTS, in_flight=17)[0] is Verdict.PASS
    assert budget(20, MANIFESTS, in_flight=16)[0] is Verdict.FAIL  # too many are too many


@pytest.mark.parametrize(("latency_p50_ms", "verdict"), [(50, Verdict.INCONCLUSIVE), (2000, Verdict.PASS)])
def test_an_open_loop_fills_the_pool_when_answers_take_long(latency_p50_ms: float, verdict: Verdict) -> None:
    (over,) = capacity(Verdict.FAIL)
    figures = msgspec.structs.replace(FIGURES, offered_per_s=310, latency_p50_ms=latency_p50_ms)
    results = judged(
        PLAN, [msgspec.structs.replace(over, figures=figures)], [],
        asked=SIZED, bundled=False, limits_enforced=True,
    )  # fmt: skip
    assert next(each.verdict for each in results if each.claim == "manifest.hpa.max") is verdict


def budget(connections: int | None, manifests: Manifests, limit: int = 100, in_flight: int = 50) -> tuple[Verdict, str]:
    figures = msgspec.structs.replace(FIGURES, database_connections=connections, database_limit=limit)
    steps = [flight(in_flight, Verdict.PASS, figures)]
    results = judged(PLAN, steps, [], asked=sized(manifests, 1.0), bundled=False, limits_enforced=True)
    return next((each.verdict, each.reason) for each in results if each.claim == "manifest.hpa.max")


def test_the_connection_budget_is_that_of_the_manifests_and_the_database() -> None:
    assert MANIFESTS.hpa is not None
    more = msgspec.structs.replace(MANIFESTS, hpa=msgspec.structs.replace(MANIFESTS.hpa, max_replicas=12))
    assert budget(16, more) == (
        Verdict.FAIL,
        "at most 8.0 connections a pod were seen; 12 pods and 1 of surge need 104 of the database's 100",
    )
    strategy = RollingUpdate(max_surge="25%", max_unavailable=0)
    wider = msgspec.structs.replace(MANIFESTS.deployment, strategy=strategy)
    told, reason = budget(16, msgspec.structs.replace(MANIFESTS, deployment=wider))
    assert told is Verdict.FAIL and "10 pods and 3 of surge" in reason  # a quarter of ten, rounded up
    assert budget(16, MANIFESTS, limit=50)[0] is Verdict.FAIL
    assert budget(16, msgspec.structs.replace(MANIFESTS, hpa=None))[0] is Verdict.NOT_EXERCISED


def test_n_in_flight_show_the_rate_limiter_as_an_erratum_where_it_answered() -> None:
    def stages(steps: list[StepResult]) -> Judgement:
        results = judged(PLAN, steps, [], asked=SIZED, bundled=False, limits_enforced=True)
        return next(each for each in results if each.claim == "load.stages")

    limited = msgspec.structs.replace(FIGURES, statuses={"200": 500, "429": 100})
    beside = stages([users(500), flight(500, Verdict.FAIL, limited)])
    assert (beside.verdict, beside.erratum) == (Verdict.PASS, "load.ab_meets_rate_limit")
    alone = stages([flight(500, Verdict.FAIL, limited)])
    assert (alone.verdict, alone.erratum) == (Verdict.ERRATUM_SHOWN, "load.ab_meets_rate_limit")
    assert "429" in alone.reason or "rate limiter answered 100 times" in alone.reason
    unlimited = stages([flight(500, Verdict.PASS)])
    assert (unlimited.verdict, unlimited.erratum) == (Verdict.NOT_EXERCISED, "")
