"""The document's indicators of a window: there with their figures, or said to be lacking."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.units import Unit
from harness.judge.indicators import indicators, week_check
from harness.judge.ledger import Ledger
from harness.judge.summary import WindowSummary
from harness.judge.window import NS, Window
from harness.model.evidence import Operation, Outcome, Side
from harness.model.judgement import Kind
from harness.model.message import quantity
from harness.model.verdict import Verdict
from scenarios import claims
from scenarios.load import load
from tests.judge.evidence import START_NS, request

WINDOW = Window(start_ns=START_NS, end_ns=START_NS + 120 * NS)
SEEN = WindowSummary(
    name="window", start_ns=0, end_ns=120 * NS, side=Side.API, requests=600, requests_per_s=5.0, latency_p50_ms=10.0,
    latency_p95_ms=20.0, latency_p99_ms=30.0, ratio_4xx=0.0, ratio_5xx=0.0, error_ratio=0.0, generator_lag_p99_ms=1.0,
    cpu_cores_mean=0.5, memory_bytes_max=2.0**28, replicas_min=2, replicas_max=2, bad_seconds=0,
)  # fmt: skip


def test_every_indicator_that_was_measured_passes_with_its_figures() -> None:
    found = {each.id: each for each in indicators(SEEN)}
    assert {*found} == {name for name in claims.REGISTER if name.startswith("sli.")}
    assert {each.verdict for each in found.values()} == {Verdict.PASS} and not any(
        each.gates for each in found.values()
    )
    assert found["sli.latency"].reason == "p50 10 ms; p95 20 ms; p99 30 ms"
    assert found["sli.errors"].reason == "4xx 0 %; 5xx 0 %; error ratio 0 %"
    assert found["sli.request_rate"].reason == "QPS 5/s"
    assert found["sli.pod_resources"].reason == "CPU 0.5; memory 256 MiB"
    assert found["sli.replicas"].reason == "min 2; max 2"
    assert {(each.claim, each.kind, each.samples) for each in found.values()} == {
        (name, Kind.CHECK, 600) for name in found
    }
    assert found["sli.request_rate"].told[0].values["value"] == quantity(5.0, Unit.PER_SECOND)
    assert found["sli.errors"].told[2].values["value"] == quantity(0.0, Unit.RATIO)


@pytest.mark.parametrize(
    ("claim", "lacking"),
    [
        ("sli.latency", {"latency_p99_ms": None}),
        ("sli.errors", {"ratio_4xx": None}),
        ("sli.request_rate", {"requests": 0}),
        ("sli.pod_resources", {"memory_bytes_max": None}),
        ("sli.replicas", {"replicas_min": None}),
    ],
)
def test_what_was_not_measured_leaves_its_indicator_alone_inconclusive(claim: str, lacking: dict[str, None]) -> None:
    found = {each.id: each for each in indicators(msgspec.structs.replace(SEEN, **lacking))}
    assert [name for name, each in found.items() if each.verdict is Verdict.INCONCLUSIVE] == [claim]
    named = {"sli.latency": "p99", "sli.errors": "4xx", "sli.request_rate": "QPS", "sli.pod_resources": "memory"}
    assert found[claim].reason.split("; ")[0] == f"not measured: {named.get(claim, 'min')}"


def test_all_that_was_not_measured_is_named() -> None:
    found = {each.id: each for each in indicators(msgspec.structs.replace(SEEN, ratio_4xx=None, error_ratio=None))}
    assert found["sli.errors"].reason == "not measured: 4xx, error ratio; 5xx 0 %"


def test_where_pods_are_not_sampled_at_all_their_indicators_are_not_exercised() -> None:
    nothing = {"cpu_cores_mean": None, "memory_bytes_max": None, "replicas_min": None, "replicas_max": None}
    found = {each.id: each for each in indicators(msgspec.structs.replace(SEEN, **nothing))}
    left = {name: each.reason for name, each in found.items() if each.verdict is not Verdict.PASS}
    assert left == dict.fromkeys(("sli.pod_resources", "sli.replicas"), "pods are not sampled here")
    assert {found[name].verdict for name in left} == {Verdict.NOT_EXERCISED}


def week(name: str, seen: WindowSummary = SEEN, ledger: Ledger | None = None) -> tuple[str, Verdict, str]:
    (found,) = week_check(load(name), seen, ledger or Ledger(), WINDOW)
    return found.id, found.verdict, found.reason


def test_week_1_wants_every_operation_answered_well() -> None:
    ledger = Ledger()
    assert week("rollout_week1", ledger=ledger)[1] is Verdict.INCONCLUSIVE
    every = ", ".join(Operation)
    assert week("rollout_week1", ledger=ledger)[2].startswith(f"not answered well even once: {every}; ")
    for number, operation in enumerate(Operation):
        outcome = Outcome.SERVER_ERROR if operation is Operation.DELETE_WALK else Outcome.OK
        ledger.extend([request(1.0 + number, operation=operation, outcome=outcome)])
    assert week("rollout_week1", ledger=ledger)[:2] == ("rollout.week1.check", Verdict.FAIL)
    said = week("rollout_week1", ledger=ledger)[2].split("; ")
    assert said[0] == "not answered well even once: delete_walk"
    assert said[1:] == [f"{each} {int(each is not Operation.DELETE_WALK)}" for each in Operation]
    ledger.extend([request(130.0, operation=Operation.DELETE_WALK)])
    assert week("rollout_week1", ledger=ledger)[1] is Verdict.FAIL, "it is beyond the window"
    firestore = msgspec.structs.replace(request(61.0, operation=Operation.DELETE_WALK), side=Side.FIRESTORE)
    ledger.extend([firestore])
    assert week("rollout_week1", ledger=ledger)[1] is Verdict.FAIL, "it is not the API's answer"
    ledger.extend([request(60.0, operation=Operation.DELETE_WALK)])
    assert week("rollout_week1", ledger=ledger)[1] is Verdict.PASS


def test_week_2_wants_latency_and_errors() -> None:
    assert week("rollout_week2")[:2] == ("rollout.week2.check", Verdict.PASS)
    assert week("rollout_week2", msgspec.structs.replace(SEEN, error_ratio=None))[1] is Verdict.INCONCLUSIVE


def test_week_3_is_a_load_test_of_250_users_at_the_documents_pace() -> None:
    assert week("rollout_week3")[:2] == ("rollout.week3.check", Verdict.PASS)
    assert week("rollout_week3", msgspec.structs.replace(SEEN, requests_per_s=4.7))[1] is Verdict.FAIL
    assert week("rollout_week3", msgspec.structs.replace(SEEN, requests_per_s=4.75))[1] is Verdict.PASS
    plan = load("rollout_week3")
    (told,) = week_check(plan, SEEN, Ledger(), WINDOW)
    assert told.reason == "250 users on the API, each with one request in 50 s: 5/s came"
    assert told.samples == 600
    faster = msgspec.structs.replace(plan, population=msgspec.structs.replace(plan.population, pace_s=14.0))
    assert [each.verdict for each in week_check(faster, SEEN, Ledger(), WINDOW)] == [Verdict.NOT_EXERCISED]
    assert [*week_check(load("rollout_week4"), SEEN, Ledger(), WINDOW)] == []
    fewer = msgspec.structs.replace(plan.population, audiences=plan.population.audiences[:1])
    own = msgspec.structs.replace(plan, population=fewer)
    assert [each.verdict for each in week_check(own, SEEN, Ledger(), WINDOW)] == [Verdict.NOT_EXERCISED]
