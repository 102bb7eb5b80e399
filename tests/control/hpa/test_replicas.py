"""What a metric asks for: cases worked out by hand from the rules as Kubernetes documents them."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from harness.control.goint import int32, int64, quotient
from harness.control.hpa.grouping import PodMetric
from harness.control.hpa.history import History
from harness.control.hpa.proposal import Readings
from harness.control.hpa.sync import Look, ScaleSubresource, sync
from harness.model.autoscaling import (
    DEFAULT_DOWN,
    DEFAULT_UP,
    Behavior,
    ContainerRequests,
    MetricKind,
    MetricSpec,
    ScaledPod,
)
from tests.control.hpa.cases import a_pod, an_hpa, cpu, look, memory, one, pods, usage, wanted
from tests.session.examples import examples


@pytest.mark.parametrize(
    ("percent_used", "target", "replicas", "expected"),
    [
        (100, 50, 3, 6),  # twice the target: twice as many
        (50, 100, 4, 2),  # half: half
        (75, 70, 10, 10),  # 1.07, within the tolerance of 0.1
        (77, 70, 10, 10),  # 1.1 exactly is still within
        (78, 70, 10, 12),  # 1.114 x 10, up
        (63, 70, 10, 10),  # 0.9 exactly is still within
        (62, 70, 10, 9),  # 0.886 x 10, up
        (0, 70, 10, 0),
    ],
)
def test_the_ratio_of_usage_to_target_scales_the_replicas(
    percent_used: int, target: int, replicas: int, expected: int
) -> None:
    hpa = an_hpa(metrics=[cpu(target)])
    assert wanted(hpa, pods(replicas), usage([percent_used] * replicas)) == expected


def test_the_percentage_is_cut_before_it_is_compared() -> None:
    """77.9 % against 70 % counts as 77: 1.1, no change; uncut it would be 1.113."""
    assert wanted(an_hpa(), pods(10, request=1000), usage([779] * 10)) == 10


def test_requests_are_summed_over_all_containers_sidecars_included() -> None:
    """The document's pod: 500m + 100m. 420m used is 70 % of 600m, though 84 % of the api's own 500m."""
    pod = a_pod("api-0")
    containers = tuple(
        ContainerRequests(name=name, requests_m={"cpu": cpu_m})
        for name, cpu_m in (("api", 400), ("cloud-sql-proxy", 100), ("native-sidecar", 100))
    )
    both = [msgspec.structs.replace(pod, name=f"api-{i}", containers=containers) for i in range(2)]
    used = usage([420, 420])
    assert wanted(an_hpa(), both, used) == 2
    only = MetricSpec(kind=MetricKind.CONTAINER_RESOURCE, name="cpu", container="api", average_utilization=70)
    assert wanted(an_hpa(metrics=[only]), both, used) == 3  # 105 % of its own 400m: 1.5 x 2


def test_requests_of_the_pod_s_own_level_stand_for_the_containers() -> None:
    of = [msgspec.structs.replace(pod, pod_requests_m={"cpu": 200}) for pod in pods(2)]
    assert wanted(an_hpa(), of, usage([140, 140])) == 2
    only = MetricSpec(kind=MetricKind.CONTAINER_RESOURCE, name="cpu", container="api", average_utilization=70)
    named = usage([140, 140])
    assert wanted(an_hpa(metrics=[only]), of, named) == 4  # of its own 100m


def test_what_the_pod_s_own_level_leaves_out_is_the_containers_sum() -> None:
    """``PodRequests`` lays the pod's values over the containers' sum, in which a container may have no request."""
    containers = (
        ContainerRequests(name="api", requests_m={"cpu": 100, "memory": 100_000}),
        ContainerRequests(name="proxy", requests_m={"cpu": 50}),
    )
    of = [msgspec.structs.replace(pod, containers=containers, pod_requests_m={"cpu": 200}) for pod in pods(2)]
    in_memory = an_hpa(metrics=[memory(80)])
    assert wanted(in_memory, of, usage([160_000, 160_000], resource="memory")) == 4
    bare = [msgspec.structs.replace(pod, pod_requests_m=None) for pod in of]  # then each container has to ask
    assert wanted(in_memory, bare, usage([160_000, 160_000], resource="memory")) is None
    nobody = [msgspec.structs.replace(pod, containers=containers[1:]) for pod in of]
    outcome = one(in_memory, nobody, usage([160_000, 160_000], resource="memory"))
    assert "missing pod-level request for memory in Pod api-0" in outcome.events[0].message


def test_an_empty_pod_level_is_none() -> None:
    """``IsPodLevelRequestsSet``."""
    of = [msgspec.structs.replace(pod, pod_requests_m={}) for pod in pods(2)]
    assert wanted(an_hpa(), of, usage([140, 140])) == 4


def test_a_container_without_a_request_gives_no_number() -> None:
    bare = msgspec.structs.replace(a_pod("api-1"), containers=(ContainerRequests(name="api"),))
    outcome = one(an_hpa(), [a_pod("api-0"), bare], usage([90, 90]))
    assert (outcome.metric_replicas, outcome.rescale) == (None, False)
    assert "missing request for cpu in container api of Pod api-1" in outcome.events[0].message


@pytest.mark.parametrize(
    ("started_s", "ready", "at_s", "counts"),
    [
        (-60, True, 0, True),  # ready at -55, the window of the metric began after
        (-60, True, -45, False),  # its window began at -60, before it was ready
        (-60, False, 0, False),  # starting: not ready
        (-60, True, -40, True),  # its window began just when it was ready
        (-300, True, -290, True),  # the 5 minutes are just over
        (-400, True, -390, True),  # after the 5 minutes readiness at the time of the metric is not asked
        (-400, False, 0, False),  # never ready: its condition last changed 5 s after the start, within 30 s
    ],
)
def test_a_pod_counts_for_cpu_once_it_has_started(started_s: float, ready: bool, at_s: float, counts: bool) -> None:
    """Two pods at 140 %: alone the first asks for 2 x 1; with both counted 2 x 2; with the second at 0, 1 x 2."""
    of = [a_pod("api-0"), a_pod("api-1", started_s=started_s, ready=ready)]
    used = [*usage({"api-0": 140}), *usage({"api-1": 140}, at_s=at_s)]
    assert wanted(an_hpa(), of, used) == (4 if counts else 2)


def test_the_tolerance_is_a_setting() -> None:
    base = look(an_hpa(), pods(10), usage([78] * 10))
    assert sync(base, History()).metric_replicas == 12
    wide = msgspec.structs.replace(base.settings, tolerance=0.2)
    assert sync(msgspec.structs.replace(base, settings=wide), History()).metric_replicas == 10


def test_a_tolerance_in_behavior_changes_nothing() -> None:
    """``tolerancesForHpa`` with the gate HPAConfigurableTolerance as 1.34 has it: alpha, off."""
    behavior = Behavior(
        up=msgspec.structs.replace(DEFAULT_UP, tolerance=0.5), down=msgspec.structs.replace(DEFAULT_DOWN, tolerance=0.0)
    )
    for percent, replicas in ((78, 12), (70, 10), (65, 10), (62, 9)):
        assert wanted(an_hpa(behavior=behavior), pods(10), usage([percent] * 10)) == replicas


def test_custom_metrics_of_pods() -> None:
    hpa = an_hpa(metrics=[MetricSpec(kind=MetricKind.PODS, name="rps", average_value_m=1000)])
    readings = Readings(custom={"rps": {f"api-{i}": PodMetric(2500, 0, 0) for i in range(2)}})
    known = Look(hpa=hpa, scale=ScaleSubresource(2, 2), pods=pods(2), readings=readings, now_ns=0)
    assert sync(known, History()).metric_replicas == 5


def test_go_s_integers() -> None:
    assert [int32(number) for number in (2.9, -2.9, 2**31, 2**32 + 5)] == [2, -2, -(2**31), 5]
    assert [quotient(7, 2), quotient(-7, 2), quotient(7, -2)] == [3, -3, -3]
    assert int64(2**63) == -(2**63)


USES = st.lists(st.integers(0, 300) | st.none(), min_size=1, max_size=12)


@settings(max_examples=examples(200), deadline=None)
@given(USES, st.integers(1, 200), st.integers(0, 11))
def test_more_usage_never_asks_for_fewer(uses: list[int | None], target: int, which: int) -> None:
    """Of the known pods; a pod that stops reporting is another matter."""
    hpa = an_hpa(metrics=[cpu(target)])
    of = pods(len(uses))
    before = {f"api-{i}": value for i, value in enumerate(uses) if value is not None}
    assume(before)
    name = sorted(before)[which % len(before)]
    after = before | {name: before[name] + 40}
    low, high = wanted(hpa, of, usage(before)), wanted(hpa, of, usage(after))
    assert low is not None and high is not None and low <= high


@settings(max_examples=examples(200), deadline=None)
@given(USES, st.integers(1, 200))
def test_a_pod_without_a_metric_only_damps(uses: list[int | None], target: int) -> None:
    """Whatever is unknown: the answer lies between what there is and what the known pods alone would ask for."""
    hpa = an_hpa(metrics=[cpu(target)])
    known = {f"api-{i}": value for i, value in enumerate(uses) if value is not None}
    assume(known)
    of: list[ScaledPod] = pods(len(uses))
    ratio = 100 * sum(known.values()) // (100 * len(known)) / target  # the percentage is cut
    alone = math.ceil(ratio * len(of))  # if all were as those that are known
    answer = wanted(hpa, of, usage(known))
    event(f"{'up' if ratio >= 1 else 'down'}, {'some unknown' if len(known) < len(of) else 'all known'}")
    assert answer is not None
    if ratio >= 1:
        assert len(of) <= answer <= max(alone, len(of))
    else:
        assert min(alone, len(of)) <= answer <= len(of)


def test_a_pod_whose_start_or_readiness_is_unknown_does_not_count_for_cpu() -> None:
    for lacks in ({"ready_changed_ns": None}, {"started_ns": None}):
        of = [a_pod("api-0"), msgspec.structs.replace(a_pod("api-1"), **lacks)]
        assert wanted(an_hpa(), of, usage([140, 140])) == 2
