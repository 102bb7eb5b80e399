"""The document's claims about load, against steps and knees made by hand."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.units import Unit
from harness.model.judgement import Judgement, Kind
from harness.model.manifests import Manifests, RollingUpdate
from harness.model.message import english, message
from harness.model.step import Arrivals, Step
from harness.model.verdict import Verdict
from harness.rehearsal.conclude import accounted
from harness.rehearsals.load_stages.judge_claims import expected, judged, of_knee
from harness.rehearsals.load_stages.types import Knee, LoadStagesPlan, Sized, StepResult, sized
from tests.stages.made import FIGURES, MANIFESTS, PLAN, flight, users

SIZED = sized(MANIFESTS, 0.05)
#: The users' stages that are made here, and the numbers of pods that are searched.
FEW = msgspec.structs.replace(
    PLAN,
    users=msgspec.structs.replace(
        PLAN.users, stages=tuple(each for each in PLAN.users.stages if each.users in {10, 500})
    ),
)


def one(
    claim: str,
    steps: list[StepResult],
    knees: list[Knee] | None = None,
    asked: Sized = SIZED,
    plan: LoadStagesPlan = FEW,
) -> Judgement:
    """What became of a claim: one judgement, under the claim's own name and of the whole run."""
    plan = msgspec.structs.replace(plan, claims=(claim,))
    told = [*judged(plan, steps, knees or [], asked=asked, bundled=False, limits_enforced=True)]
    (found,) = accounted(expected(plan, bundled=False), told)
    assert (found.key, found.claim) == (("", claim), claim)
    return found


def of(claim: str, steps: list[StepResult]) -> Verdict:
    return one(claim, steps).verdict


def test_every_claim_of_the_plan_is_judged_once_in_its_order_and_one_that_no_step_shows_is_not() -> None:
    plan = msgspec.structs.replace(PLAN, claims=("reads.acknowledged", *PLAN.claims))
    found = list(judged(plan, [users(500)], [], asked=SIZED, bundled=False, limits_enforced=True))
    assert [each.id for each in found] == list(PLAN.claims)


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        ([users(500)], Verdict.PASS),
        ([users(500, failed=1)], Verdict.FAIL),  # 599 of 600 answered well: 9.98/s
        ([users(500, Verdict.INCONCLUSIVE)], Verdict.INCONCLUSIVE),
        ([users(500, Verdict.FAIL)], Verdict.FAIL),
        ([users(100)], Verdict.INCONCLUSIVE),  # the plan has it, and it was not made
    ],
)
def test_ten_requests_a_second(steps: list[StepResult], verdict: Verdict) -> None:
    assert of("load.target_qps", steps) is verdict


@pytest.mark.parametrize(
    ("verdict", "told", "reason"),
    [(Verdict.PASS, Verdict.FAIL, "6 failed; why"), (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, "why")],
)
def test_ten_requests_a_second_are_those_that_were_answered_well(verdict: Verdict, told: Verdict, reason: str) -> None:
    found = one("load.target_qps", [users(500, verdict, failed=6)])
    assert (found.verdict, found.reason) == (told, reason)
    assert (found.value, found.limit, found.unit, found.samples) == (9.9, 10, Unit.PER_SECOND, 600)
    assert found.also == ("requirements.concurrency_500", "requirements.latency_500ms")


@pytest.mark.parametrize(("missing", "verdict"), [(0, Verdict.FAIL), (1, Verdict.FAIL), (2, Verdict.INCONCLUSIVE)])
def test_too_few_a_second_are_no_fail_where_what_is_missing_makes_just_ten(missing: int, verdict: Verdict) -> None:
    assert of("load.target_qps", [users(500, failed=2, missing=missing)]) is verdict


def without(arrivals: Arrivals) -> LoadStagesPlan:
    """As ``--only`` leaves them out."""
    return msgspec.structs.replace(FEW, arrivals=tuple(each for each in Arrivals if each is not arrivals))


def test_without_its_stage_there_are_no_ten_requests_a_second() -> None:
    found = one("load.target_qps", [users(100)])
    assert (found.reason, found.holds) == ("no stage of 500 users was run", True)
    left_out = one("load.target_qps", [], plan=without(Arrivals.EVEN))
    assert (left_out.reason, left_out.verdict, left_out.holds) == (found.reason, Verdict.NOT_EXERCISED, False)


def test_the_stages_are_judged_in_the_reading_of_users() -> None:
    assert of("load.stages", [users(10), users(500), flight(500, Verdict.FAIL)]) is Verdict.PASS
    assert of("load.stages", [users(10, Verdict.INCONCLUSIVE), users(500)]) is Verdict.INCONCLUSIVE
    assert of("load.stages", [users(10, Verdict.INCONCLUSIVE), users(500, Verdict.FAIL)]) is Verdict.FAIL
    assert of("load.stages", [flight(10, Verdict.PASS)]) is Verdict.INCONCLUSIVE
    left_out = one("load.stages", [flight(10, Verdict.PASS)], plan=without(Arrivals.EVEN))
    assert (left_out.verdict, left_out.holds) == (Verdict.NOT_EXERCISED, False)
    cut = one("load.stages", [users(10), flight(500, Verdict.FAIL)])
    assert (cut.verdict, english(cut.shown)) == (Verdict.INCONCLUSIVE, "10 users pass")
    assert of("load.stages", [users(10, Verdict.FAIL)]) is Verdict.FAIL


def test_of_a_search_that_was_cut_neither_the_sizes_nor_the_growth_are_known() -> None:
    knees = [each for pods in PLAN.knee.pods for each in knee(20.0 * pods, pods=pods)]
    knees = [msgspec.structs.replace(each, broken_per_s=(each.rate_per_s or 0) + 5) for each in knees]
    assert one("decision.future", [], knees).verdict is Verdict.PASS
    for some in (knees[:-1], knees[-2:], knees[:1]):
        assert one("decision.future", [], some).verdict is Verdict.INCONCLUSIVE


def test_where_no_knee_of_the_plan_was_searched_it_holds_and_where_none_was_wanted_it_does_not() -> None:
    """A search that was cut leaves no knee."""
    none = msgspec.structs.replace(FEW, knee=msgspec.structs.replace(FEW.knee, pods=()))
    for claim in ("checklist.performance.sizing", "decision.future"):
        found, unasked = one(claim, []), one(claim, [], plan=none)
        assert (found.verdict, found.holds) == (Verdict.INCONCLUSIVE, True)
        assert (unasked.verdict, unasked.holds) == (Verdict.NOT_EXERCISED, False)


def test_requests_in_flight_that_met_the_rate_limiter_say_so() -> None:
    limited = flight(500, Verdict.INCONCLUSIVE)
    figures = msgspec.structs.replace(limited.figures, statuses={"200": 500, "429": 100})
    steps = [users(10, Verdict.INCONCLUSIVE), users(500), msgspec.structs.replace(limited, figures=figures)]
    stages = one("load.stages", steps)
    assert english(stages.shown) == "10 users inconclusive; 500 users pass"
    assert stages.reason == (
        "why; in the other reading; 500 in flight inconclusive (the rate limiter answered 100 times)"
    )


def knee(rate: float | None, verdict: Verdict = Verdict.PASS, pods: int = 2) -> list[Knee]:
    return [Knee(pods=pods, rate_per_s=rate, broken_per_s=None, verdict=verdict, told=(message("the knee's reason"),))]


def capacity(verdict: Verdict) -> list[StepResult]:
    step = Step(name="capacity", arrivals=Arrivals.POISSON, rate_per_s=20, users=1000, seconds=60)
    return [StepResult(step=step, pods=2, figures=FIGURES, verdict=verdict, told=(message("p95 20 ms"),), start_ns=0)]


def carried(
    steps: list[StepResult], knees: list[Knee], *, bundled: bool, limits: bool = True
) -> list[tuple[Verdict, str, str]]:
    return [(each.verdict, english(each.asked), each.reason) for each in of_capacity(steps, knees, bundled, limits)]


def of_capacity(steps: list[StepResult], knees: list[Knee], bundled: bool, limits: bool = True) -> list[Judgement]:
    plan = msgspec.structs.replace(PLAN, claims=("load.pod_capacity",))
    found = list(judged(plan, steps, knees, asked=SIZED, bundled=bundled, limits_enforced=limits))
    ids = ["load.pod_capacity", "load.pod_capacity.of_target"]
    assert [each.key for each in found] == [("", id_) for id_ in ids[: len(found)]]
    assert {each.claim for each in found} == {"load.pod_capacity"}
    return found


OFFERED = "20/s to 2 pods of 500m/512Mi (at most 1000m/1024Mi)"
ABOUT_GO = "the target is the bundled Python API, and the claim is about Go"
UNENFORCED = "CPU and memory limits were not enforced, or were scaled"
BESIDE = "the knee of 2 pods: the knee's reason"


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE])
def test_the_documents_rate_is_judged_by_its_own_step(verdict: Verdict) -> None:
    """Never by a knee: those are searched under scaled limits, and no verdict came of them on any target."""
    assert carried(capacity(verdict), knee(113), bundled=False) == [(verdict, "", f"{OFFERED}; p95 20 ms; {BESIDE}")]


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL])
def test_on_the_bundled_api_the_claim_about_go_stays_open_and_the_target_is_judged(verdict: Verdict) -> None:
    assert carried(capacity(verdict), knee(113), bundled=True) == [
        (Verdict.NOT_EXERCISED, "", f"{ABOUT_GO}; measured here: {OFFERED}; p95 20 ms; {BESIDE}"),
        (verdict, "load.pod_capacity, of this target", f"{OFFERED}; p95 20 ms; {BESIDE}"),
    ]


def test_a_capacity_without_limits_is_not_exercised() -> None:
    here = f"{UNENFORCED}; measured here: {OFFERED}; p95 20 ms"
    ((told, _, reason),) = carried(capacity(Verdict.PASS), [], bundled=False, limits=False)
    assert (told, reason) == (Verdict.NOT_EXERCISED, here)
    go, target = carried(capacity(Verdict.PASS), [], bundled=True, limits=False)
    assert (go[0], go[2]) == (Verdict.NOT_EXERCISED, f"{ABOUT_GO}; {here}")
    assert (target[0], target[2]) == (Verdict.NOT_EXERCISED, here)


@pytest.mark.parametrize("bundled", [True, False])
def test_a_capacity_carries_what_was_answered_whether_it_was_exercised_or_not(bundled: bool) -> None:
    figures = msgspec.structs.replace(FIGURES, answered_per_s=19.5, requests=1200)
    steps = [msgspec.structs.replace(each, figures=figures) for each in capacity(Verdict.PASS)]
    found = of_capacity(steps, [], bundled)
    assert {(each.value, each.unit, each.samples) for each in found} == {(19.5, Unit.PER_SECOND, 1200)}


def test_no_capacity_without_its_step() -> None:
    ((told, _, reason),) = carried([], knee(113), bundled=True)
    assert (told, reason) == (Verdict.INCONCLUSIVE, f"the stage of 20/s was not run; {BESIDE}")
    left_out = one("load.pod_capacity", [], knee(113), plan=without(Arrivals.POISSON))
    assert (left_out.verdict, left_out.reason, left_out.holds) == (Verdict.NOT_EXERCISED, reason, False)


def test_beside_a_capacity_stands_the_knee_of_its_pods_without_photos_and_no_other() -> None:
    (beside_photos,) = knee(90)
    others = [msgspec.structs.replace(beside_photos, photos_per_s=2), *knee(200, pods=4)]
    ((_, _, reason),) = carried(capacity(Verdict.PASS), others, bundled=False)
    assert reason == f"{OFFERED}; p95 20 ms"


def test_what_a_pod_of_the_target_does_not_ask_for_is_a_dash() -> None:
    bare = msgspec.structs.replace(SIZED.containers[0], request_cpu_m=None, limit_memory_bytes=None)
    found = one("load.pod_capacity", capacity(Verdict.PASS), asked=msgspec.structs.replace(SIZED, containers=(bare,)))
    assert found.reason == "20/s to 2 pods of –/512Mi (at most 1000m/–); p95 20 ms"


@pytest.mark.parametrize(
    ("connections", "verdict"),
    [(16, Verdict.PASS), (18, Verdict.PASS), (20, Verdict.FAIL), (None, Verdict.NOT_EXERCISED)],
)
def test_the_connection_budget(connections: int | None, verdict: Verdict) -> None:
    assert budget(connections, MANIFESTS)[0] is verdict


def test_a_pool_that_was_never_filled_proves_no_budget() -> None:
    assert budget(16, MANIFESTS, in_flight=16) == (
        Verdict.INCONCLUSIVE,
        "at most 8.0 connections a pod were seen; no step had more requests in flight than that; "
        "10 pods and 1 of surge need 88 of the database's 100",
    )
    assert budget(16, MANIFESTS, in_flight=17)[0] is Verdict.PASS
    assert budget(20, MANIFESTS, in_flight=16)[0] is Verdict.FAIL  # too many are too many


@pytest.mark.parametrize(("latency_p50_ms", "verdict"), [(50, Verdict.INCONCLUSIVE), (50.01, Verdict.PASS)])
def test_an_open_loop_fills_the_pool_when_answers_take_long(latency_p50_ms: float, verdict: Verdict) -> None:
    """Eight connections of each of two pods are a pool that is seen to be larger only by more than 16 at once."""
    (over,) = capacity(Verdict.FAIL)
    figures = msgspec.structs.replace(FIGURES, offered_per_s=320, latency_p50_ms=latency_p50_ms)
    assert of("manifest.hpa.max", [msgspec.structs.replace(over, figures=figures)]) is verdict


def budget(connections: int | None, manifests: Manifests, limit: int = 100, in_flight: int = 50) -> tuple[Verdict, str]:
    found = connected(connections, manifests, limit, in_flight)
    return found.verdict, found.reason


def connected(connections: int | None, manifests: Manifests, limit: int = 100, in_flight: int = 50) -> Judgement:
    figures = msgspec.structs.replace(FIGURES, database_connections=connections, database_limit=limit)
    return one("manifest.hpa.max", [flight(in_flight, Verdict.PASS, figures)], asked=sized(manifests, 1.0))


def test_a_budget_that_takes_the_databases_last_connection_is_kept() -> None:
    last, short = connected(16, MANIFESTS, limit=88), connected(16, MANIFESTS, limit=87)
    assert (last.verdict, last.value, last.limit) == (Verdict.PASS, 88, 88)
    assert (short.verdict, short.value, short.limit) == (Verdict.FAIL, 88, 87)


def test_a_budget_of_which_nothing_was_read_says_what_was_not() -> None:
    assert budget(None, MANIFESTS) == (Verdict.NOT_EXERCISED, "the database's connections were not read")
    without = msgspec.structs.replace(MANIFESTS, hpa=None)
    assert budget(16, without) == (Verdict.NOT_EXERCISED, "the manifests have no autoscaler")


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


def test_n_in_flight_show_the_rate_limiter_as_an_erratum_where_it_answered() -> None:
    def stages(steps: list[StepResult]) -> Judgement:
        return one("load.stages", steps, plan=FEW if len(steps) > 1 else without(Arrivals.EVEN))

    limited = msgspec.structs.replace(FIGURES, statuses={"200": 500, "429": 100})
    beside = stages([users(10), users(500), flight(500, Verdict.FAIL, limited)])
    assert (beside.verdict, beside.erratum) == (Verdict.PASS, "load.ab_meets_rate_limit")
    alone = stages([flight(500, Verdict.FAIL, limited)])
    assert (alone.verdict, alone.erratum) == (Verdict.ERRATUM_SHOWN, "load.ab_meets_rate_limit")
    assert alone.reason == "no stage of users was run; 500 in flight fail (the rate limiter answered 100 times)"
    planned = one("load.stages", [flight(500, Verdict.FAIL, limited)])
    assert (planned.verdict, planned.holds, planned.erratum) == (Verdict.INCONCLUSIVE, True, "")
    unlimited = stages([flight(500, Verdict.PASS)])
    assert (unlimited.verdict, unlimited.erratum) == (Verdict.NOT_EXERCISED, "")
    assert unlimited.reason == "no stage of users was run; 500 in flight pass"


@pytest.mark.parametrize(
    ("photos_per_s", "name", "asked"),
    [(0, "knee.6", "the knee of 6 pods"), (2, "knee.6.photos", "the knee of 6 pods, with photo uploads")],
)
def test_a_knee_is_an_observation_under_the_name_of_its_pods(photos_per_s: float, name: str, asked: str) -> None:
    (given,) = knee(113, pods=6)
    found = of_knee(msgspec.structs.replace(given, photos_per_s=photos_per_s))
    assert (found.key, found.kind, english(found.asked)) == (("", name), Kind.OBSERVATION, asked)
    assert (found.verdict, found.reason, found.value) == (Verdict.PASS, "the knee's reason", 113)
