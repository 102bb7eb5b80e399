"""The judge of a real controller's decisions, on planted ones: against the rule, of other requests, without figures."""

from __future__ import annotations

import msgspec
import pytest

from harness.judge.window import NS
from harness.model.evidence import EventRow, SampleRow
from harness.model.message import english
from harness.model.stack import Capability
from harness.model.verdict import Verdict
from harness.rehearsals.scaling.judge_autoscaling import (
    Ruled,
    Utilization,
    autoscaled,
    by_rule,
    is_of,
    under_load,
    utilizations,
)
from harness.rehearsals.scaling.types import Controlled, Decision, Loaded, Part, PartKind
from tests.scaling.test_judge import endpoints, resize
from tests.scaling.test_rule import CONTROLLED

REQUEST_M, ALONE_M = 640 * 2**20 * 1000, 512 * 2**20 * 1000


def decision(size: int, *allowed: int, before: int = 2) -> Decision:
    return Decision(at_ns=NS, before=before, size=size, reason="memory resource above target", allowed=allowed)


def seen(percent: int, average_m: int) -> Utilization:
    return Utilization(at_ns=NS, percent=percent, average_m=average_m)


GOOD = Ruled(
    decisions=[decision(4, 4), decision(8, 7, 8, before=4)],
    utilizations=[seen(149, REQUEST_M * 149 // 100 + 1), seen(16, REQUEST_M * 16 // 100 + 1)],
    request_m=REQUEST_M,
    alone_m=ALONE_M,
)


def test_decisions_and_percentages_as_the_rule_has_them() -> None:
    verdict, why = by_rule(GOOD)
    told = english(why)
    assert verdict is Verdict.PASS
    assert "2 of 2 decisions" in told and "2 of 2 percentages" in told and "0 of the first one's alone" in told


def test_a_size_that_the_rule_does_not_allow_fails() -> None:
    verdict, told = by_rule(msgspec.structs.replace(GOOD, decisions=[decision(5, 4)]))
    assert verdict is Verdict.FAIL and "2 -> 5, the rule: 4" in english(told)


def test_percentages_of_the_first_container_alone_fail() -> None:
    of_alone = [seen(149, ALONE_M * 149 // 100 + 1)]
    assert by_rule(msgspec.structs.replace(GOOD, utilizations=of_alone))[0] is Verdict.FAIL


@pytest.mark.parametrize(
    "lacking",
    [
        {"decisions": [decision(4)]},  # nothing was measured when it was taken
        {"decisions": []},
        {"utilizations": []},
        {"utilizations": [seen(3, REQUEST_M * 3 // 100)]},  # too coarse to tell
    ],
)
def test_without_figures_nothing_is_known(lacking: dict[str, object]) -> None:
    assert by_rule(msgspec.structs.replace(GOOD, **lacking))[0] is Verdict.INCONCLUSIVE


def test_percent_and_mean_are_each_cut() -> None:
    assert is_of(seen(70, 70), 100) and is_of(seen(70, 69), 100) and not is_of(seen(70, 71), 100)
    assert not is_of(seen(70, 68), 100)


def test_utilizations_come_from_the_status() -> None:
    metrics = [{"name": "cpu", "utilization": 7, "average_m": 7}, {"name": "memory", "utilization": 80, "average_m": 9}]
    row = EventRow(at_ns=NS, kind="component", subject="hpa/x", message="", data={"metrics": metrics})
    assert utilizations([row], "memory", 0) == [seen(80, 9)]
    assert utilizations([row], "memory", 2 * NS) == []


MEMORY = Part(
    name="m", kind=PartKind.HPA, title="", claims=(), low=2, high=10, hold=0.85, held=5,
    up_within_s=300, down_after_s=285, down_within_s=390,
)  # fmt: skip


def climb(reason: str, most: int) -> list[EventRow]:
    rows = [endpoints(-1, 2), resize(30, 4, reason), endpoints(45, 4), resize(90, most, reason), endpoints(120, most)]
    return [*rows, resize(510, 2, "All metrics below target"), endpoints(512, 2)]


def rose(reason: str, most: int, ruled: Ruled | None) -> tuple[Verdict, str]:
    loaded = Loaded(load_ns=0, end_ns=200 * NS)
    found = {each.claim: each for each in autoscaled(MEMORY, loaded, climb(reason, most), ruled=ruled)}
    return found["scaling.hpa.memory"].verdict, found["scaling.hpa.memory"].reason


def test_a_decision_is_held_against_the_rule_where_the_controllers_are_real_whatever_the_environment() -> None:
    rows = climb("memory resource utilization (percentage of request) above target", 10)
    verdicts = {}
    for real in (False, True):
        can = {Capability.AUTOSCALING, *([Capability.REAL_KUBERNETES] if real else ())}
        loaded = Loaded(load_ns=0, end_ns=200 * NS)
        found = under_load(MEMORY, loaded, rows, [], controlled=CONTROLLED, capabilities=can)
        verdicts[real] = next(each.verdict for each in found if each.claim == "scaling.hpa.memory")
    assert verdicts == {False: Verdict.PASS, True: Verdict.INCONCLUSIVE}, "of a real one no figures are in evidence"


@pytest.mark.parametrize(("manifests", "verdict"), [(CONTROLLED, Verdict.INCONCLUSIVE), (None, Verdict.FAIL)])
def test_only_an_hpa_that_goes_by_the_resource_is_spared_a_load_that_needs_no_pods(
    manifests: Controlled | None, verdict: Verdict
) -> None:
    wished = [SampleRow(at_ns=60 * NS, metric="metric_replicas", subject="hpa", value=2.0)]
    quiet, loaded = [endpoints(-1, 2), endpoints(201, 2)], Loaded(load_ns=0, end_ns=200 * NS)
    can = {Capability.AUTOSCALING}
    found = under_load(MEMORY, loaded, quiet, wished, controlled=manifests, capabilities=can)
    assert {each.verdict for each in found} == {verdict}
    without = msgspec.structs.replace(
        CONTROLLED,
        hpa=msgspec.structs.replace(
            CONTROLLED.hpa, metrics=tuple(each for each in CONTROLLED.hpa.metrics if each.name != "memory")
        ),
    )
    found = under_load(MEMORY, loaded, quiet, wished, controlled=without, capabilities=can)
    assert {each.verdict for each in found} == {Verdict.FAIL}


def test_memory_alone() -> None:
    memory = "memory resource utilization (percentage of request) above target"
    assert rose(memory, 10, GOOD)[0] is Verdict.PASS
    assert rose(memory, 10, None)[0] is Verdict.PASS
    assert rose("cpu resource utilization above target", 10, GOOD)[0] is Verdict.FAIL
    verdict, told = rose(memory, 6, GOOD)
    assert verdict is Verdict.INCONCLUSIVE and "asked for 6, not for 10" in told
    against = msgspec.structs.replace(GOOD, decisions=[decision(4, 3)])
    assert rose(memory, 10, against)[0] is Verdict.FAIL
