"""The document's indicators of a window: there with their figures, or said to be lacking."""

from __future__ import annotations

from itertools import chain
from typing import Any

import msgspec
import pytest

from harness.base.data import OVERLAYS
from harness.base.ticks import NS
from harness.base.units import Unit
from harness.checks.as_printed import applied
from harness.model.evidence import Operation, Outcome, SampleRow, Side, Window
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.manifests import Container
from harness.model.message import message
from harness.model.scenario import Scenario
from harness.rehearsals.rollout.facts import of_summary
from harness.rehearsals.rollout.facts_window import indicators, load_test, operations
from harness.rehearsals.rollout.observed import WeekDetails
from harness.report.language import language
from harness.rules.ledger import Ledger
from harness.rules.pod_resources import NoShare, PodAsks, Used, asked, most_used
from harness.rules.summary import WindowSummary
from harness.run.scenarios.load import load
from harness.stack.manifests import load as load_manifests
from tests import register as claims
from tests.rollout.planted import ruled
from tests.rules.evidence import START_NS, ledger, request

WINDOW = Window(start_ns=START_NS, end_ns=START_NS + 120 * NS)
SEEN = WindowSummary(
    name="window", start_ns=0, end_ns=120 * NS, side=Side.API, requests=600, requests_per_s=5.0, latency_p50_ms=10.0,
    latency_p95_ms=20.0, latency_p99_ms=30.0, ratio_4xx=0.0, ratio_5xx=0.0, error_ratio=0.0, generator_lag_p99_ms=1.0,
    cpu_cores_mean=0.5, memory_bytes_max=2.0**28, replicas_min=2, replicas_max=2, bad_seconds=0,
)  # fmt: skip


PLAN = load("rollout_week3")
USED: dict[str, Used | NoShare | None] = {
    "CPU": Used(0.4, message("{share} of {cores} cores ({pod})", share="40 %", cores="1", pod="a")),
    "memory": Used(0.3, message("{share} of {size} MiB ({pod})", share="30 %", size="512", pod="a")),
}
ASKS = PodAsks(cpu=0.5, memory=512 * 2.0**20)


def sampled(pod: str, metric: str, *values: float, begun_s: float = 1) -> list[SampleRow]:
    """A reading a second."""
    return [
        SampleRow(at_ns=WINDOW.start_ns + round((begun_s + number) * NS), metric=metric, subject=pod, value=value)
        for number, value in enumerate(values)
    ]


def beside(seen: WindowSummary = SEEN, used: dict[str, Used | NoShare | None] = USED) -> dict[str, Judgement]:
    """The indicators of a window, by the rules."""
    return ruled(PLAN, indicators(seen, used, PLAN, ()))


def resources(*rows: list[SampleRow], asks: PodAsks | None = ASKS) -> tuple[Verdict, str]:
    seen = ledger(*chain(*rows))
    found = beside(SEEN, most_used(seen, WINDOW, asks))["sli.pod_resources"]
    return found.verdict, found.reason


BUSY = (
    sampled("pod/a", "cpu_cores", 0.1, 0.3), sampled("pod/b", "cpu_cores", 0.25, 0.25, 0.25),
    sampled("pod/a", "memory_bytes", 2.0**28, 2.0**27), sampled("pod/b", "memory_bytes", 2.0**26),
)  # fmt: skip


def test_of_pods_the_highest_share_of_one_is_shown_and_no_sum() -> None:
    """B's mean CPU is 0.25 of 0.5 cores, a's 0.2; a once held 256 of 512 MiB."""
    assert resources(*BUSY) == (Verdict.PASS, "CPU 50 % of 0.5 cores (b); memory 50 % of 512 MiB (a)")
    outside = sampled("pod/c", "cpu_cores", 9.0, begun_s=-5), sampled("node/n", "cpu_cores", 9.0)
    assert resources(*BUSY, *outside) == resources(*BUSY)
    assert resources(*BUSY, sampled("pod/c", "cpu_cores", 9.0, begun_s=120)) == resources(*BUSY)
    assert "(c)" in resources(*BUSY, sampled("pod/c", "cpu_cores", 9.0, begun_s=0))[1]


@pytest.mark.parametrize(
    ("rows", "lacking"), [(BUSY[:2], "memory"), (BUSY[2:], "CPU"), ((), "CPU; not measured: memory")]
)
def test_without_a_sample_there_is_no_share(rows: tuple[list[SampleRow], ...], lacking: str) -> None:
    verdict, reason = resources(*rows)
    assert verdict is Verdict.INCONCLUSIVE and reason == f"not measured: {lacking}"


@pytest.mark.parametrize(
    ("asks", "lacking"),
    [
        (PodAsks(cpu=None, memory=2.0**30), ["cpu"]),
        (PodAsks(cpu=1.0, memory=None), ["memory"]),
        (PodAsks(cpu=0, memory=0), ["cpu", "memory"]),
    ],
)
def test_what_was_measured_and_asked_for_by_no_one_is_not_said_to_be_unmeasured(
    asks: PodAsks, lacking: list[str]
) -> None:
    verdict, reason = resources(*BUSY, asks=asks)
    assert verdict is Verdict.INCONCLUSIVE and "not measured" not in reason
    said = reason.split("; ")
    for told, name in zip(said, lacking, strict=False):
        assert told.startswith("a container asks for none") and f"name resources.requests.{name} for" in told
    assert len([each for each in said if "asks for none" in each]) == len(lacking)


def test_a_run_that_did_not_keep_what_its_pods_ask_for_says_so() -> None:
    verdict, reason = resources(*BUSY, asks=None)
    assert verdict is Verdict.INCONCLUSIVE
    assert reason.startswith("the run did not keep the pods' resources.requests.cpu, so that there is no share; ")
    assert asked(()) == PodAsks(cpu=None, memory=None)


def test_the_share_is_of_what_the_pods_had_where_the_stack_multiplied_it() -> None:
    """On kind every container's CPU is multiplied, and rounded to millicores, while it is applied."""
    api = Container(name="api", image="i", request_cpu_m=500, request_memory_bytes=2**29)
    asks = asked([api, msgspec.structs.replace(api, name="proxy", request_cpu_m=101)], cpu_factor=0.5)
    assert asks == PodAsks(cpu=0.3, memory=2**30)
    assert resources(*BUSY, asks=asks)[1].startswith("CPU 83.33 % of 0.3 cores (b)")


@pytest.mark.parametrize(("factor", "cores"), [(1.0, "0.6"), (0.5, "0.3")])
def test_a_week_is_judged_by_the_factor_that_its_details_have(factor: float, cores: str) -> None:
    details = WeekDetails(applied=applied(load_manifests(OVERLAYS / "local")), cpu_factor=factor)
    seen = ledger(*chain(*BUSY))
    plan = load("rollout_week4")
    found = ruled(plan, of_summary(plan, seen, WINDOW, details, ()))
    assert f" of {cores} cores (b)" in found["sli.pod_resources"].reason
    assert msgspec.json.decode(b"{}", type=WeekDetails).cpu_factor == 1.0, "a run of before it was kept"


def test_a_pod_asks_for_what_its_containers_do_together() -> None:
    api = Container(name="api", image="i", request_cpu_m=500, request_memory_bytes=2**29)
    proxy = msgspec.structs.replace(api, name="proxy", request_cpu_m=100, request_memory_bytes=None)
    assert asked([api, proxy]) == PodAsks(cpu=0.6, memory=None)
    nothing = msgspec.structs.replace(proxy, request_cpu_m=0, request_memory_bytes=0)
    assert asked([api, nothing]) == PodAsks(cpu=0.5, memory=2**29)


def test_every_indicator_that_was_measured_passes_with_its_figures() -> None:
    found = beside()
    assert {*found} == {name for name in claims.REGISTER if name.startswith("sli.")}
    assert {each.verdict for each in found.values()} == {Verdict.PASS} and not any(
        each.gates for each in found.values()
    )
    assert {name: each.reason for name, each in found.items()} == {
        "sli.latency": "p95 20 ms; p50 10 ms; p99 30 ms",
        "sli.errors": "error ratio 0 %; 4xx 0 %; 5xx 0 %",
        "sli.request_rate": "QPS 5/s",
        "sli.pod_resources": "CPU 40 % of 1 cores (a); memory 30 % of 512 MiB (a)",
        "sli.replicas": "min 2; max 2",
    }
    assert {(each.claim, each.kind, each.samples) for each in found.values()} == {
        (name, Kind.CHECK, 600) for name in found
    }
    latency, rate = found["sli.latency"], found["sli.request_rate"]
    assert (latency.value, latency.limit, rate.value, rate.unit) == (20.0, 500.0, 5.0, Unit.PER_SECOND)


@pytest.mark.parametrize(
    ("claim", "lacking"),
    [
        ("sli.latency", {"latency_p99_ms": None}),
        ("sli.errors", {"ratio_4xx": None}),
        ("sli.request_rate", {"requests": 0}),
        ("sli.replicas", {"replicas_min": None}),
        ("sli.latency", {"latency_p95_ms": None}),
    ],
)
def test_what_was_not_measured_leaves_its_indicator_alone_inconclusive(claim: str, lacking: dict[str, None]) -> None:
    found = beside(msgspec.structs.replace(SEEN, **lacking))
    assert [name for name, each in found.items() if each.verdict is Verdict.INCONCLUSIVE] == [claim]
    assert found[claim].reason.startswith("not measured: ")


def test_all_that_was_not_measured_is_named() -> None:
    found = beside(msgspec.structs.replace(SEEN, ratio_4xx=None, error_ratio=None))
    assert found["sli.errors"].reason == "not measured: error ratio; not measured: 4xx"
    assert language("ja").told(found["sli.errors"].told, "") == "測定していない：エラー率。測定していない：4xx"


def test_where_pods_are_not_sampled_at_all_their_indicators_are_not_exercised() -> None:
    nothing = {"cpu_cores_mean": None, "memory_bytes_max": None, "replicas_min": None, "replicas_max": None}
    found = beside(msgspec.structs.replace(SEEN, **nothing), most_used(Ledger(), WINDOW, ASKS))
    left = {name: each.reason for name, each in found.items() if each.verdict is not Verdict.PASS}
    assert left == dict.fromkeys(("sli.pod_resources", "sli.replicas"), "pods are not sampled here")
    assert {found[name].verdict for name in left} == {Verdict.NOT_EXERCISED}


def week(
    plan: Scenario | str, seen: WindowSummary = SEEN, of: Ledger | None = None, *, whole: bool = True, missing: int = 0
) -> Judgement | None:
    """What is looked at in that week; ``None``: nothing."""
    plan = load(plan) if isinstance(plan, str) else plan
    facts = (
        *indicators(seen, USED, plan, ()),
        *operations(of or Ledger(), WINDOW, missing),
        load_test(plan, seen, whole=whole, missing=missing / WINDOW.seconds),
    )
    found = ruled(plan, facts)
    return next((each for name, each in found.items() if name.endswith(".check")), None)


def verdict(*given: Any, **how: Any) -> Verdict | None:
    found = week(*given, **how)
    return None if found is None else found.verdict


def test_week_1_wants_every_operation_answered_well() -> None:
    ledger = Ledger()
    assert verdict("rollout_week1", of=ledger) is Verdict.INCONCLUSIVE
    for number, operation in enumerate(Operation):
        outcome = Outcome.SERVER_ERROR if operation is Operation.DELETE_WALK else Outcome.OK
        ledger.extend([request(1.0 + number, operation=operation, outcome=outcome)])
    found = week("rollout_week1", of=ledger)
    assert found is not None and (found.id, found.verdict) == ("rollout.week1.check", Verdict.FAIL)
    assert found.reason.startswith("operations that were asked for and never answered well: 1 (delete_walk)")
    ledger.extend([request(130.0, operation=Operation.DELETE_WALK)])
    assert verdict("rollout_week1", of=ledger) is Verdict.FAIL, "it is beyond the window"
    firestore = msgspec.structs.replace(request(61.0, operation=Operation.DELETE_WALK), side=Side.FIRESTORE)
    ledger.extend([firestore])
    assert verdict("rollout_week1", of=ledger) is Verdict.FAIL, "it is not the API's answer"
    ledger.extend([request(60.0, operation=Operation.DELETE_WALK)])
    found = week("rollout_week1", of=ledger)
    assert found is not None and found.verdict is Verdict.PASS
    assert found.reason.endswith("; ".join(f"{each} 1" for each in Operation))


def test_an_operation_that_nobody_asked_for_fails_nobody() -> None:
    """A window that a roll back ended after a few seconds, or a short one, has no DELETE in it."""
    seen = ledger(*(request(1.0 + number, operation=each) for number, each in enumerate([*Operation][:-1])))
    found = week("rollout_week1", of=seen)
    assert found is not None and found.verdict is Verdict.INCONCLUSIVE and f"({[*Operation][-1]})" in found.reason
    refused = ledger(request(9.0, operation=[*Operation][-1], outcome=Outcome.SERVER_ERROR))
    assert [verdict("rollout_week1", of=refused, missing=count) for count in (0, 1)] == [
        Verdict.FAIL, Verdict.INCONCLUSIVE,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, Verdict.PASS),
        ({"error_ratio": None}, Verdict.INCONCLUSIVE),
        ({"error_ratio": 0.02}, Verdict.FAIL),
        ({"latency_p95_ms": 500.0}, Verdict.FAIL),
        ({"latency_p99_ms": None}, Verdict.INCONCLUSIVE),
    ],
)
def test_week_2_wants_latency_and_errors(changed: dict[str, float | None], found: Verdict) -> None:
    assert verdict("rollout_week2", msgspec.structs.replace(SEEN, **changed)) is found


def people(plan: Scenario, **changed: Any) -> Scenario:
    return msgspec.structs.replace(plan, population=msgspec.structs.replace(plan.population, **changed))


@pytest.mark.parametrize(
    ("plan", "rate", "how", "found"),
    [
        (PLAN, 5.0, {}, Verdict.PASS),
        (PLAN, 4.75, {}, Verdict.PASS),
        (PLAN, 4.7, {}, Verdict.FAIL),
        (people(PLAN, pace_s=14.0), 5.0, {}, Verdict.NOT_EXERCISED),
        (people(PLAN, audiences=PLAN.population.audiences[:1]), 5.0, {}, Verdict.NOT_EXERCISED),
        ("rollout_week4", 5.0, {}, None),
        # one that was cut short is none, and what is missing fails no target
        (PLAN, 5.0, {"whole": False}, Verdict.INCONCLUSIVE),
        (PLAN, 2.0, {"whole": False}, Verdict.INCONCLUSIVE),
        (PLAN, 4.0, {"missing": 80}, Verdict.FAIL),
        (PLAN, 4.0, {"missing": 90}, Verdict.INCONCLUSIVE),
        (PLAN, 4.0, {"missing": 120}, Verdict.INCONCLUSIVE),
    ],
)
def test_week_3_is_a_load_test_of_250_users_at_the_documents_pace(
    plan: Scenario | str, rate: float, how: dict[str, Any], found: Verdict | None
) -> None:
    assert verdict(plan, msgspec.structs.replace(SEEN, requests_per_s=rate), **how) is found
