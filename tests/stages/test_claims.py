"""The document's claims about load, against steps and knees made by hand."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.manifests import Manifests, RollingUpdate
from harness.model.message import english, message
from harness.model.scenario import Arrivals
from harness.model.stack import Capability
from harness.rehearsals.load_stages.facts import Knee, facts
from harness.rehearsals.load_stages.rehearsal import REHEARSAL
from harness.rehearsals.load_stages.types import LoadStagesPlan, Sized, StepResult, sized
from harness.rules import engine
from harness.run.result import accounted
from tests.rehearsal.made import by_id
from tests.rehearsal.made import facts as run
from tests.stages.made import LIMITED, MANIFESTS, MUTE, NEAR, PLAN, RULES, SLOW, capacity, flight, users

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
SHOWN, NONE = Verdict.ERRATUM_SHOWN, Verdict.NOT_EXERCISED
TARGET, STAGES, CAPACITY, MOST = "load.target_qps", "load.stages", "load.pod_capacity", "manifest.hpa.max"
SIZING, FUTURE = "checklist.performance.sizing", "decision.future"
SIZED = sized(MANIFESTS, 0.05)
#: The users' stages that are made here.
FEW = msgspec.structs.replace(
    PLAN,
    users=msgspec.structs.replace(
        PLAN.users, stages=tuple(each for each in PLAN.users.stages if each.users in {10, 500})
    ),
)


def found(
    steps: list[StepResult],
    knees: list[Knee] | None = None,
    asked: Sized = SIZED,
    plan: LoadStagesPlan = FEW,
    **of_run: Any,
) -> dict[str, Judgement]:
    """What became of everything that the plan asks for."""
    seen = run(**{"target_bundled": False} | of_run)
    known = facts(plan, steps, knees or [], asked, bundled=seen.target_bundled)
    expected = [*REHEARSAL.expected(plan, seen)]
    judged = [*engine.judged(expected, RULES, known, plan, seen.capabilities)]
    return by_id(accounted(expected, judged))


def without(arrivals: Arrivals) -> LoadStagesPlan:
    """As ``--only`` leaves them out."""
    return msgspec.structs.replace(FEW, arrivals=tuple(each for each in Arrivals if each is not arrivals))


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        ([users(500)], PASS),
        ([users(500, failed=1)], FAIL),  # 599 of 600 answered well: 9.98/s
        ([users(500, failed=6)], FAIL),
        ([users(500, **NEAR)], OPEN),
        ([users(500, **SLOW)], FAIL),
        ([users(500, **MUTE)], OPEN),
        ([users(500, failed=6, **MUTE)], OPEN),
        ([users(500, requests_by_pod={})], OPEN),  # that both pods answered is not known
        ([users(500, failed=6, requests_by_pod={})], FAIL),
        ([users(500, failed=2, missing=1)], FAIL),
        ([users(500, failed=2, missing=2)], OPEN),  # what is missing makes just ten a second
        ([users(100)], OPEN),  # the plan has it, and it was not made
    ],
)
def test_ten_requests_a_second(steps: list[StepResult], verdict: Verdict) -> None:
    assert found(steps)[TARGET].verdict is verdict


def test_ten_requests_a_second_are_those_that_were_answered_well() -> None:
    one = found([users(500, failed=6)])[TARGET]
    assert (one.value, one.limit, one.unit, one.samples, one.claim) == (9.9, 10, "1/s", 600, TARGET)
    assert one.also == ("requirements.concurrency_500", "requirements.latency_500ms")
    assert one.reason == "9.9/s were answered well; at least 10/s is wanted"


@pytest.mark.parametrize(
    ("claim", "arrivals"), [(TARGET, Arrivals.EVEN), (STAGES, Arrivals.EVEN), (CAPACITY, Arrivals.POISSON)]
)
def test_a_stage_that_was_left_out_holds_nothing_and_one_that_was_not_made_does(claim: str, arrivals: Arrivals) -> None:
    held, left_out = found([flight(10)])[claim], found([flight(10)], plan=without(arrivals))[claim]
    assert (held.verdict, held.holds, left_out.verdict, left_out.holds) == (OPEN, True, NONE, False)


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        ([users(10), users(500), flight(500, **SLOW)], PASS),  # the reading of users counts
        ([users(10, **MUTE), users(500)], OPEN),
        ([users(10, **MUTE), users(500, **MUTE)], OPEN),
        ([users(10, **MUTE), users(500, **SLOW)], FAIL),
        ([users(10, **NEAR), users(500)], OPEN),
        ([users(10, requests=60), users(500)], PASS),  # one alone may be too few
        ([users(10, requests=60), users(500, requests=200)], OPEN),
        ([users(10, requests=60, failed=1), users(500)], OPEN),  # more of one than the limit
        ([users(10, requests=60, missing=1), users(500)], OPEN),
        ([users(10, failed=60), users(500)], FAIL),
        ([users(10, requests_by_pod={}), users(500)], OPEN),
        ([users(500)], OPEN),  # one was not made
        ([users(10, **SLOW)], FAIL),
    ],
)
def test_the_stages_are_judged_together(steps: list[StepResult], verdict: Verdict) -> None:
    assert found(steps)[STAGES].verdict is verdict


def test_n_in_flight_show_the_rate_limiter_as_an_erratum_where_it_answered() -> None:
    erratum, left_out = "load.ab_meets_rate_limit", without(Arrivals.EVEN)
    beside = found([users(10), users(500), flight(500, **LIMITED)])[STAGES]
    assert (beside.verdict, beside.erratum) == (PASS, erratum)
    assert english(beside.seen) == "in the other reading the rate limiter answered 100 of 600 times"
    alone = found([flight(500, **LIMITED)], plan=left_out)[STAGES]
    assert (alone.verdict, alone.erratum) == (SHOWN, erratum)
    planned = found([flight(500, **LIMITED)])[STAGES]
    assert (planned.verdict, planned.holds, planned.erratum) == (OPEN, True, "")
    assert found([flight(500)], plan=left_out)[STAGES].verdict is NONE


# -- the knees -----------------------------------------------------------------------------------------------------


def knee(rate: float | None, pods: int = 2, **changed: Any) -> Knee:
    told = (message("the knee's words"),)
    found = Knee(pods=pods, rate_per_s=rate, broken_per_s=None if rate is None else rate + 5, told=told)
    return msgspec.structs.replace(found, **changed)


def test_of_a_search_that_was_cut_neither_the_sizes_nor_the_growth_are_known() -> None:
    knees = [knee(20.0 * pods, pods) for pods in PLAN.knee.pods]
    whole = found([], knees)[FUTURE]
    assert (whole.verdict, whole.value, whole.samples) == (PASS, 5, 5)
    for some in ([], knees[:-1], knees[-2:], knees[:1]):
        cut = found([], some)
        assert [(cut[claim].verdict, cut[claim].holds) for claim in (SIZING, FUTURE)] == [(OPEN, True)] * 2
    none = found([], plan=msgspec.structs.replace(FEW, knee=msgspec.structs.replace(FEW.knee, pods=())))
    assert [(none[claim].verdict, none[claim].holds) for claim in (SIZING, FUTURE)] == [(NONE, False)] * 2


@pytest.mark.parametrize(
    ("given", "name", "asked", "verdict"),
    [
        (knee(113, 6), "knee.6", "the knee of 6 pods", PASS),
        (knee(113, photos_per_s=2), "knee.2.photos", "the knee of 2 pods, with photo uploads", PASS),
        (knee(None), "knee.2", "the knee of 2 pods", FAIL),
        (knee(113, void=(message("too early"),)), "knee.2", "the knee of 2 pods", OPEN),
        (knee(None, void=(message("too early"),)), "knee.2", "the knee of 2 pods", OPEN),
    ],
)
def test_a_knee_is_told_and_gates_nothing(given: Knee, name: str, asked: str, verdict: Verdict) -> None:
    judged = found([], [given])
    assert [id_ for id_ in judged if id_.startswith("knee.")] == [name]
    one = judged[name]
    assert (one.kind, english(one.asked), one.holds) == (Kind.OBSERVATION, asked, False)
    assert (one.verdict, one.value, one.bound) == (verdict, given.rate_per_s, given.broken_per_s)
    assert one.reason.startswith(english(given.words)) and one.unit == "1/s"


# -- what two pods carry -------------------------------------------------------------------------------------------

OFFERED = "20/s to 2 pods of 500m/512Mi (at most 1000m/1024Mi)"
BESIDE = "the knee of 2 pods: the knee's words"


@pytest.mark.parametrize(("figures", "verdict"), [({}, PASS), (SLOW, FAIL), (NEAR, OPEN), (MUTE, OPEN)])
def test_the_documents_rate_is_judged_by_its_own_step(figures: dict[str, Any], verdict: Verdict) -> None:
    """Never by a knee: those are searched under scaled limits. The claim is about Go; of the bundled API the same is
    judged of the target."""
    step = capacity(answered_per_s=19.5, requests=1200, **figures)
    go = found([step], [knee(113)])[CAPACITY]
    bundled = found([step], [knee(113)], target_bundled=True)
    target = bundled[f"{CAPACITY}.of_target"]
    for one in (go, target):
        assert (one.verdict, one.value, one.unit, one.samples, one.claim) == (verdict, 19.5, "1/s", 1200, CAPACITY)
        assert OFFERED in one.reason and BESIDE in one.reason
    open_ = bundled[CAPACITY]
    assert (open_.verdict, open_.holds) == (NONE, False)
    assert open_.reason == f"the target is the bundled Python API, and the claim is about Go; {OFFERED}"


def test_a_capacity_without_limits_is_not_exercised() -> None:
    lacking = tuple({*Capability} - {Capability.CPU_LIMITS})
    judged = found([capacity()], target_bundled=True, capabilities=lacking)
    assert {judged[id_].verdict for id_ in (CAPACITY, f"{CAPACITY}.of_target")} == {NONE}


def test_beside_a_capacity_stands_the_knee_of_its_pods_without_photos_and_no_other() -> None:
    others = [knee(90, photos_per_s=2), knee(200, pods=4)]
    assert "the knee" not in found([capacity()], others)[CAPACITY].reason


def test_what_a_pod_of_the_target_does_not_ask_for_is_a_dash() -> None:
    bare = msgspec.structs.replace(SIZED.containers[0], request_cpu_m=None, limit_memory_bytes=None)
    one = found([capacity()], asked=msgspec.structs.replace(SIZED, containers=(bare,)))[CAPACITY]
    assert "20/s to 2 pods of –/512Mi (at most 1000m/–)" in one.reason


# -- the database's connections ------------------------------------------------------------------------------------


def budget(connections: int | None, manifests: Manifests = MANIFESTS, limit: int = 100, flying: int = 50) -> Judgement:
    step = flight(flying, database_connections=connections, database_limit=limit)
    return found([step], asked=sized(manifests, 1.0))[MOST]


@pytest.mark.parametrize(
    ("connections", "around", "verdict"),
    [
        (16, {}, PASS),
        (18, {}, PASS),
        (20, {}, FAIL),
        (None, {}, NONE),
        (16, {"limit": 88}, PASS),  # the database's last connection
        (16, {"limit": 87}, FAIL),
        (16, {"flying": 16}, OPEN),  # a pool that was never filled
        (16, {"flying": 17}, PASS),
        (20, {"flying": 16}, FAIL),  # too many are too many
        (16, {"manifests": msgspec.structs.replace(MANIFESTS, hpa=None)}, NONE),
    ],
)
def test_the_connection_budget(connections: int | None, around: dict[str, Any], verdict: Verdict) -> None:
    assert budget(connections, **around).verdict is verdict


@pytest.mark.parametrize(("latency_p50_ms", "verdict"), [(50, OPEN), (50.01, PASS)])
def test_an_open_loop_fills_the_pool_when_answers_take_long(latency_p50_ms: float, verdict: Verdict) -> None:
    """Eight connections of each of two pods are a pool that is seen to be larger only by more than 16 at once."""
    assert found([capacity(offered_per_s=320, latency_p50_ms=latency_p50_ms)])[MOST].verdict is verdict


def test_the_connection_budget_is_that_of_the_manifests_and_the_database() -> None:
    assert MANIFESTS.hpa is not None
    more = msgspec.structs.replace(MANIFESTS, hpa=msgspec.structs.replace(MANIFESTS.hpa, max_replicas=12))
    one = budget(16, more)
    assert (one.verdict, one.value, one.limit) == (FAIL, 104, 100)
    strategy = RollingUpdate(max_surge="25%", max_unavailable=0)
    wider = msgspec.structs.replace(MANIFESTS.deployment, strategy=strategy)
    one = budget(16, msgspec.structs.replace(MANIFESTS, deployment=wider))
    assert one.verdict is FAIL and "10 pods and 3 of surge" in one.reason  # a quarter of ten, rounded up
