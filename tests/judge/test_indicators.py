"""The document's indicators of a window: there with their figures, or said to be lacking."""

from __future__ import annotations

from itertools import chain

import msgspec
import pytest

from harness.base.data import OVERLAYS
from harness.base.units import Unit
from harness.checks.as_printed import applied
from harness.judge.indicators import indicators, week_check
from harness.judge.ledger import Ledger
from harness.judge.pod_resources import PodAsks, asked, most_used
from harness.judge.summary import WindowSummary
from harness.judge.window import NS, Window
from harness.model.evidence import Operation, Outcome, SampleRow, Side
from harness.model.judgement import Kind
from harness.model.manifests import Container
from harness.model.message import quantity
from harness.model.verdict import Verdict
from harness.rehearsals.rollout import judge
from harness.rehearsals.rollout.details import WeekDetails
from harness.report.language import language
from harness.stack.manifests import load as load_manifests
from scenarios import claims
from scenarios.load import load
from tests.judge.evidence import START_NS, ledger, request
from tests.rehearsal.made import by_id

WINDOW = Window(start_ns=START_NS, end_ns=START_NS + 120 * NS)
SEEN = WindowSummary(
    name="window", start_ns=0, end_ns=120 * NS, side=Side.API, requests=600, requests_per_s=5.0, latency_p50_ms=10.0,
    latency_p95_ms=20.0, latency_p99_ms=30.0, ratio_4xx=0.0, ratio_5xx=0.0, error_ratio=0.0, generator_lag_p99_ms=1.0,
    cpu_cores_mean=0.5, memory_bytes_max=2.0**28, replicas_min=2, replicas_max=2, bad_seconds=0,
)  # fmt: skip


PLAN = load("rollout_week3")
USED = {"CPU": "40 %", "memory": "30 %"}
ASKS = PodAsks(cpu=0.5, memory=512 * 2.0**20)


def sampled(pod: str, metric: str, *values: float, begun_s: float = 1) -> list[SampleRow]:
    """A reading a second."""
    return [
        SampleRow(at_ns=WINDOW.start_ns + round((begun_s + number) * NS), metric=metric, subject=pod, value=value)
        for number, value in enumerate(values)
    ]


def resources(*rows: list[SampleRow], asks: PodAsks | None = ASKS) -> tuple[Verdict, str]:
    seen = ledger(*chain(*rows))
    found = by_id(indicators(SEEN, most_used(seen, WINDOW, asks), PLAN, ()))["sli.pod_resources"]
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
    ("rows", "lacking"),
    [
        (BUSY[:2], "memory"),
        (BUSY[2:], "CPU"),
        ((), "CPU, memory"),
    ],
)
def test_without_a_sample_there_is_no_share(rows: tuple[list[SampleRow], ...], lacking: str) -> None:
    verdict, reason = resources(*rows)
    assert verdict is Verdict.INCONCLUSIVE and reason.split("; ")[0] == f"not measured: {lacking}"


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
    found = by_id(judge._window(load("rollout_week4"), seen, WINDOW, details, ()))
    assert f" of {cores} cores (b)" in found["sli.pod_resources"].reason
    assert msgspec.json.decode(b"{}", type=WeekDetails).cpu_factor == 1.0, "a run of before it was kept"


def test_a_pod_asks_for_what_its_containers_do_together() -> None:
    api = Container(name="api", image="i", request_cpu_m=500, request_memory_bytes=2**29)
    proxy = msgspec.structs.replace(api, name="proxy", request_cpu_m=100, request_memory_bytes=None)
    assert asked([api, proxy]) == PodAsks(cpu=0.6, memory=None)
    nothing = msgspec.structs.replace(proxy, request_cpu_m=0, request_memory_bytes=0)
    assert asked([api, nothing]) == PodAsks(cpu=0.5, memory=2**29)


def test_every_indicator_that_was_measured_passes_with_its_figures() -> None:
    found = by_id(indicators(SEEN, USED, PLAN, ()))
    assert {*found} == {name for name in claims.REGISTER if name.startswith("sli.")}
    assert {each.verdict for each in found.values()} == {Verdict.PASS} and not any(
        each.gates for each in found.values()
    )
    assert found["sli.latency"].reason == "p50 10 ms; p95 20 ms; p99 30 ms"
    assert found["sli.errors"].reason == "4xx 0 %; 5xx 0 %; error ratio 0 %"
    assert found["sli.request_rate"].reason == "QPS 5/s"
    assert found["sli.pod_resources"].reason == "CPU 40 %; memory 30 %"
    assert found["sli.replicas"].reason == "min 2; max 2"
    assert {(each.claim, each.kind, each.samples) for each in found.values()} == {
        (name, Kind.CHECK, 600) for name in found
    }
    assert found["sli.request_rate"].told[0].values["value"] == quantity(5.0, Unit.PER_SECOND)
    assert found["sli.errors"].told[2].values["value"] == quantity(0.0, Unit.RATIO)
    japanese = [
        language("ja").told(found[name].told, "") for name in ("sli.errors", "sli.pod_resources", "sli.replicas")
    ]
    assert japanese == ["4xx 0 %。5xx 0 %。エラー率 0 %", "CPU 40 %。メモリ 30 %", "最小 2。最大 2"]


@pytest.mark.parametrize(
    ("claim", "lacking"),
    [
        ("sli.latency", {"latency_p99_ms": None}),
        ("sli.errors", {"ratio_4xx": None}),
        ("sli.request_rate", {"requests": 0}),
        ("sli.replicas", {"replicas_min": None}),
    ],
)
def test_what_was_not_measured_leaves_its_indicator_alone_inconclusive(claim: str, lacking: dict[str, None]) -> None:
    found = by_id(indicators(msgspec.structs.replace(SEEN, **lacking), USED, PLAN, ()))
    assert [name for name, each in found.items() if each.verdict is Verdict.INCONCLUSIVE] == [claim]
    named = {"sli.latency": "p99", "sli.errors": "4xx", "sli.request_rate": "QPS"}
    assert found[claim].reason.split("; ")[0] == f"not measured: {named.get(claim, 'min')}"


def test_all_that_was_not_measured_is_named() -> None:
    found = by_id(indicators(msgspec.structs.replace(SEEN, ratio_4xx=None, error_ratio=None), USED, PLAN, ()))
    assert found["sli.errors"].reason == "not measured: 4xx, error ratio; 5xx 0 %"
    assert language("ja").told(found["sli.errors"].told, "") == "測定していない：4xx、エラー率。5xx 0 %"


def test_where_pods_are_not_sampled_at_all_their_indicators_are_not_exercised() -> None:
    nothing = {"cpu_cores_mean": None, "memory_bytes_max": None, "replicas_min": None, "replicas_max": None}
    found = by_id(indicators(msgspec.structs.replace(SEEN, **nothing), most_used(Ledger(), WINDOW, ASKS), PLAN, ()))
    left = {name: each.reason for name, each in found.items() if each.verdict is not Verdict.PASS}
    assert left == dict.fromkeys(("sli.pod_resources", "sli.replicas"), "pods are not sampled here")
    assert {found[name].verdict for name in left} == {Verdict.NOT_EXERCISED}


def week(name: str, seen: WindowSummary = SEEN, ledger: Ledger | None = None) -> tuple[str, Verdict, str]:
    (found,) = week_check(load(name), seen, ledger or Ledger(), WINDOW, ())
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
    (told,) = week_check(plan, SEEN, Ledger(), WINDOW, ())
    assert told.reason == "250 users on the API, each with one request in 50 s: 5/s came"
    assert told.samples == 600
    faster = msgspec.structs.replace(plan, population=msgspec.structs.replace(plan.population, pace_s=14.0))
    assert [each.verdict for each in week_check(faster, SEEN, Ledger(), WINDOW, ())] == [Verdict.NOT_EXERCISED]
    assert [*week_check(load("rollout_week4"), SEEN, Ledger(), WINDOW, ())] == []
    fewer = msgspec.structs.replace(plan.population, audiences=plan.population.audiences[:1])
    own = msgspec.structs.replace(plan, population=fewer)
    assert [each.verdict for each in week_check(own, SEEN, Ledger(), WINDOW, ())] == [Verdict.NOT_EXERCISED]


def test_an_operation_that_nobody_asked_for_fails_nobody() -> None:
    """A window that a roll back ended after a few seconds, or a short one, has no DELETE in it."""
    seen = ledger(*(request(1.0 + number, operation=each) for number, each in enumerate([*Operation][:-1])))
    plan, last = load("rollout_week1"), [*Operation][-1]
    (found,) = week_check(plan, SEEN, seen, WINDOW, (), whole=False)
    assert found.verdict is Verdict.INCONCLUSIVE and found.reason.startswith(f"not answered well even once: {last}; ")
    refused = ledger(request(9.0, operation=last, outcome=Outcome.SERVER_ERROR))
    (failed,), (lost,) = (week_check(plan, SEEN, refused, WINDOW, (), missing=count) for count in (0, 1))
    assert (failed.verdict, lost.verdict) == (Verdict.FAIL, Verdict.INCONCLUSIVE)


def test_a_load_test_that_was_cut_short_is_none_and_what_is_missing_fails_no_target() -> None:
    plan = load("rollout_week3")
    for rate in (5.0, 2.0):
        (found,) = week_check(
            plan, msgspec.structs.replace(SEEN, requests_per_s=rate), Ledger(), WINDOW, (), whole=False
        )
        assert found.verdict is Verdict.INCONCLUSIVE and found.reason.endswith("; the window was cut short")
    fewer = msgspec.structs.replace(SEEN, requests=480, requests_per_s=4.0)
    verdicts = [
        next(week_check(plan, fewer, Ledger(), WINDOW, (), missing=count)).verdict for count in (0, 80, 90, 120)
    ]
    assert verdicts == [Verdict.FAIL, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE]
