"""The judge of a real autoscaler, on planted courses: what its status asks for, percentages of other requests, none."""

from __future__ import annotations

import msgspec
import pytest

from harness.base import planfile
from harness.base.data import OVERLAYS
from harness.base.ticks import NS
from harness.control.hpa.grouping import Settings
from harness.control.hpa.proposal import Readings, propose
from harness.control.hpa.replicas import ScaleInputs
from harness.model.autoscaling import PodPhase, PodUsage, ScaledPod
from harness.model.evidence import EventRow, SampleRow
from harness.model.judgement import Judgement, Verdict
from harness.model.message import english
from harness.model.stack import Capability
from harness.rehearsals.scaling.facts import (
    Percentages,
    Utilization,
    autoscaled,
    is_of,
    of_requests,
    recommended,
    under_load,
    utilizations,
)
from harness.rehearsals.scaling.types import Controlled, Loaded, ScalingPart, ScalingPartKind, ScalingPlan, controlled
from harness.stack.manifests import load as load_manifests
from tests.scaling.made import ON_LOAD, of, ruled
from tests.scaling.test_judge import endpoints, resize

MANIFESTS = load_manifests(OVERLAYS / "kind")
CONTROLLED = controlled(MANIFESTS) or pytest.fail("the manifests have no HPA")
MIB = 2**20
REQUEST_M, ALONE_M = 640 * MIB * 1000, 512 * MIB * 1000


def seen(percent: int, average_m: int) -> Utilization:
    return Utilization(at_ns=NS, percent=percent, average_m=average_m)


GOOD = Percentages(
    utilizations=[seen(149, REQUEST_M * 149 // 100 + 1), seen(16, REQUEST_M * 16 // 100 + 1)],
    request_m=REQUEST_M,
    alone_m=ALONE_M,
)


#: Of memory, in the order of ``ON_LOAD``.
CLAIMS = tuple(each.replace("cpu", "memory") for each in ON_LOAD)


def odd(read: Percentages) -> tuple[float, str, bool]:
    """How many percentages are of other requests, in words, and whether that is known."""
    found = of_requests(of(MEMORY), read)
    return found.seen or 0, english(found.told), not found.void


def loaded(
    rows: list[EventRow], samples: list[SampleRow], controlled: Controlled | None, *can: Capability
) -> dict[str, Judgement]:
    """What is said of memory under load until 200 s."""
    did = Loaded(load_ns=0, end_ns=200 * NS)
    found = under_load(of(MEMORY), MEMORY, did, rows, samples, controlled=controlled, capabilities=can)
    return {each.claim: each for each in ruled(MEMORY, CLAIMS, found)}


def test_requests_are_those_of_both_containers() -> None:
    assert (CONTROLLED.requests_m("cpu"), CONTROLLED.requests_m("memory")) == (600, REQUEST_M)
    assert (CONTROLLED.alone_m("cpu"), CONTROLLED.alone_m("memory")) == (500, ALONE_M)


def test_percentages_of_the_summed_requests_pass() -> None:
    count, told, known = odd(GOOD)
    assert (count, known) == (0, True)
    assert "2 of 2 percentages" in told and "0 of the first one's alone" in told


def test_percentages_of_the_first_container_alone_fail() -> None:
    of_alone = [seen(149, ALONE_M * 149 // 100 + 1)]
    count, told, _ = odd(msgspec.structs.replace(GOOD, utilizations=of_alone))
    assert count == 1 and "149 % of a mean of " in told


@pytest.mark.parametrize("read", [[], [seen(3, REQUEST_M * 3 // 100)]], ids=["none", "too coarse to tell"])
def test_without_figures_nothing_is_known(read: list[Utilization]) -> None:
    assert not odd(msgspec.structs.replace(GOOD, utilizations=read))[2]


def test_percent_and_mean_are_each_cut() -> None:
    assert is_of(seen(70, 70), 100) and is_of(seen(70, 69), 100) and not is_of(seen(70, 71), 100)
    assert not is_of(seen(70, 68), 100)


def test_utilizations_come_from_the_status() -> None:
    metrics = [{"name": "cpu", "utilization": 7, "average_m": 7}, {"name": "memory", "utilization": 80, "average_m": 9}]
    row = EventRow(at_ns=NS, kind="component", subject="hpa/x", message="", data={"metrics": metrics})
    assert utilizations([row], "memory", 0) == [seen(80, 9)]
    assert utilizations([row], "memory", 2 * NS) == []


MEMORY = ScalingPart(
    name="m", kind=ScalingPartKind.HPA, title="", claims=(), low=2, high=10, hold=0.85, held=5,
    up_within_s=300, down_after_s=285, down_within_s=390,
)  # fmt: skip


def climb(reason: str, most: int) -> list[EventRow]:
    rows = [endpoints(-1, 2), resize(30, 4, reason), endpoints(45, 4), resize(90, most, reason), endpoints(120, most)]
    return [*rows, resize(510, 2, "All metrics below target"), endpoints(512, 2)]


def rose(reason: str, most: int, read: Percentages | None) -> tuple[Verdict, str]:
    did, asked = Loaded(load_ns=0, end_ns=200 * NS), [(199 * NS, "hpa", float(most))]
    facts = autoscaled(of(MEMORY), MEMORY, did, climb(reason, most), asked=asked, of=read)
    [found] = ruled(MEMORY, ["scaling.hpa.memory"], facts)
    return found.verdict, found.reason


def test_percentages_are_looked_at_where_the_controllers_are_real_whatever_the_environment() -> None:
    rows = climb("memory resource utilization (percentage of request) above target", 10)
    wished = [SampleRow(at_ns=199 * NS, metric="metric_replicas", subject="hpa", value=10.0)]
    verdicts = {}
    for real in (False, True):
        can = (Capability.AUTOSCALING, *([Capability.REAL_KUBERNETES] if real else ()))
        verdicts[real] = loaded(rows, wished, CONTROLLED, *can)["scaling.hpa.memory"].verdict
    assert verdicts == {False: Verdict.PASS, True: Verdict.INCONCLUSIVE}, "of a real one no status is in evidence"


@pytest.mark.parametrize(("manifests", "verdict"), [(CONTROLLED, Verdict.INCONCLUSIVE), (None, Verdict.FAIL)])
def test_only_an_hpa_that_goes_by_the_resource_is_spared_a_load_that_needs_no_pods(
    manifests: Controlled | None, verdict: Verdict
) -> None:
    wished = [SampleRow(at_ns=60 * NS, metric="metric_replicas", subject="hpa", value=2.0)]
    quiet = [endpoints(-1, 2), endpoints(201, 2)]
    found = loaded(quiet, wished, manifests, Capability.AUTOSCALING)
    assert {each.verdict for each in found.values()} == {verdict}
    without = msgspec.structs.replace(
        CONTROLLED,
        hpa=msgspec.structs.replace(
            CONTROLLED.hpa, metrics=tuple(each for each in CONTROLLED.hpa.metrics if each.name != "memory")
        ),
    )
    found = loaded(quiet, wished, without, Capability.AUTOSCALING)
    assert {each.verdict for each in found.values()} == {Verdict.FAIL}


def test_memory_alone() -> None:
    memory = "memory resource utilization (percentage of request) above target"
    assert rose(memory, 10, GOOD)[0] is Verdict.PASS
    assert rose(memory, 10, None)[0] is Verdict.PASS
    assert rose("cpu resource utilization above target", 10, GOOD)[0] is Verdict.FAIL
    verdict, told = rose(memory, 6, GOOD)
    assert verdict is Verdict.INCONCLUSIVE and "at most 6 pods were ready; at least 10 is wanted" in told
    other = msgspec.structs.replace(GOOD, utilizations=[seen(149, ALONE_M * 149 // 100 + 1)])
    assert rose(memory, 10, other)[0] is Verdict.FAIL


# -- what the metrics asked for ----------------------------------------------------------------------------------------


def status(at_s: float, **percents: int) -> EventRow:
    metrics = [{"name": name, "utilization": percent, "average_m": 1} for name, percent in percents.items()]
    said = {"metrics": metrics}
    return EventRow(
        at_ns=round(at_s * NS), kind="component", subject=f"hpa/{CONTROLLED.hpa.name}", message="", data=said
    )


def asked(*rows: EventRow) -> list[tuple[float, float]]:
    """What the metrics asked for: when (s), and how many."""
    found = recommended(sorted(rows, key=lambda row: row.at_ns), CONTROLLED.hpa)
    assert {name for _, name, _ in found} <= {CONTROLLED.hpa.name}
    return [(at_ns / NS, size) for at_ns, _, size in found]


@pytest.mark.parametrize(
    ("percents", "size"),
    [
        ({"memory": 88}, 2),  # within the tolerance of the target's 80 %
        ({"memory": 89}, 3),
        ({"memory": 151}, 4),
        ({"memory": 20}, 1),  # below any limit
        ({"memory": 20, "cpu": 151}, 5),  # the most of what each asks for, of a target of 70 %
        ({"cpu": 20, "memory": 151}, 4),
    ],
)
def test_the_most_that_a_metric_s_share_of_its_target_asks_for(percents: dict[str, int], size: int) -> None:
    assert asked(endpoints(-1, 2), status(90, **percents)) == [(90, size)]


def test_a_status_stands_sync_by_sync_until_another_is_told() -> None:
    """The last sync that asked for the most is before the status that no longer does."""
    rows = [
        endpoints(-9, 2),
        status(-5, memory=151),
        endpoints(30, 4),
        status(40.2, memory=151),
        status(54.9, memory=9),
        endpoints(100, 4),
    ]
    assert asked(*rows) == [(-5, 4), (10, 4), (25, 4), (40.2, 8), (54.9, 1), (69.9, 1), (84.9, 1)]


@pytest.mark.parametrize("rows", [[], [status(9, memory=151)], [endpoints(0, 2)], [endpoints(0, 2), status(9)]])
def test_without_pods_or_figures_nothing_is_asked_for(rows: list[EventRow]) -> None:
    assert asked(*rows) == []


def test_the_fall_counts_from_the_last_sync_that_asked_for_the_most() -> None:
    """Before the load ends or behind that; of the status of another autoscaler nothing is read."""
    memory = "memory resource utilization (percentage of request) above target"
    other = msgspec.structs.replace(status(199, memory=900), subject="hpa/other")
    can = (Capability.AUTOSCALING, Capability.REAL_KUBERNETES)
    for idle_s, last_s, told in (
        (165, 155, "45 s before the end of load"),
        (230, 215, "15 s after its cause had ended"),
    ):
        rows = [*climb(memory, 10), status(-9, memory=20), status(20, memory=151), status(idle_s, memory=20), other]
        rows += [status(520, memory=900)]  # what is asked for behind the fall is no cause of it
        rows = sorted(rows, key=lambda row: row.at_ns)
        down = loaded(rows, [], CONTROLLED, *can)["scaling.time.hpa_down"]
        assert down.value == 510 - last_s and f"from the last recommendation of 10, {told}" in down.reason


def test_the_plan_s_memory_asks_for_all_ten_pods_at_every_size() -> None:
    """With five pods that held it, nine were within the tolerance, and the autoscaler rightly stayed there."""
    part = next(each for each in planfile.bundled("scaling", ScalingPlan).parts if each.name == "hpa_memory")
    limit = MANIFESTS.deployment.template.containers[0].limit_memory_bytes or 0
    for size in range(part.held, part.high):
        used = [part.hold * limit if number < part.held else 67 * MIB for number in range(size)]
        pods = [
            ScaledPod(name=str(number), containers=CONTROLLED.containers, phase=PodPhase.RUNNING, ready=True)
            for number in range(size)
        ]
        usage = [
            PodUsage(name=str(number), at_ns=0, window_ns=15 * NS, containers_m={"": {"memory": round(each * 1000)}})
            for number, each in enumerate(used)
        ]
        ground = ScaleInputs(current=size, pods=pods, settings=Settings(), now_ns=100 * NS)
        asks = propose(CONTROLLED.hpa, ground, Readings(pods=usage), size).replicas
        assert asks is not None and asks >= part.high, size
