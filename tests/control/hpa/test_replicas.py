"""What a metric asks for: cases worked out by hand from the rules as Kubernetes documents them."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from harness.control.goint import int32, int64, quotient
from harness.control.hpa.grouping import Measured
from harness.control.hpa.history import History
from harness.control.hpa.proposal import Readings
from harness.control.hpa.sync import Look, Scale, sync
from harness.model.autoscaling import (
    DEFAULT_DOWN,
    DEFAULT_UP,
    Behavior,
    ContainerRequests,
    MetricKind,
    MetricSpec,
    PodPhase,
    ScaledPod,
)
from tests.control.hpa.cases import S, a_pod, an_hpa, cpu, look, memory, one, pods, usage, wanted
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


def test_a_missing_metric_counts_nothing_on_the_way_up() -> None:
    """3 of 4 at 200 % of target 50 %: 100 %. With the fourth at 0: 75 % / 50 % = 1.5 x 4 = 6, not 2 x 3."""
    assert wanted(an_hpa(metrics=[cpu(50)]), pods(4), usage([100, 100, 100])) == 6
    assert wanted(an_hpa(), pods(3), usage([106, 106])) == 3  # 70 % over three; the known alone say 4


def test_a_missing_metric_counts_its_whole_request_on_the_way_down() -> None:
    """Three at 10 %, one unknown: (30 + 100) / 400 = 32 % of 70: ceil(0.457 x 4) = 2; the known alone say 1."""
    assert wanted(an_hpa(), pods(4), usage([10, 10, 10])) == 2


def test_a_missing_metric_counts_the_target_where_that_is_above_the_request() -> None:
    """Target 200 %: the unknown one counts 200, so (3 x 100 + 200) / 400 = 125 %: 0.625 x 4, up; with 100 it were 2."""
    assert wanted(an_hpa(metrics=[cpu(200)]), pods(4), usage([100, 100, 100])) == 3


def test_missing_metrics_that_would_turn_the_direction_change_nothing() -> None:
    assert wanted(an_hpa(), pods(4), usage([100])) == 4  # 1.43 alone; with three at 0 it is 0.36
    assert wanted(an_hpa(), pods(4), usage([60])) == 4  # 0.86 alone; with three at 100 % it is 1.29


def test_an_average_value_takes_a_missing_one_for_the_target_when_low() -> None:
    hpa = an_hpa(metrics=[MetricSpec(kind=MetricKind.RESOURCE, name="cpu", average_value_m=100)])
    assert wanted(hpa, pods(4), usage([20, 20, 20])) == 2  # (60 + 100) / 4 = 40: 0.4 x 4
    assert wanted(hpa, pods(3), usage([210, 210, 210])) == 7  # 2.1 x 3, up


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


def test_a_pod_that_became_unready_later_than_the_readiness_delay_counts() -> None:
    late = msgspec.structs.replace(a_pod("api-1", started_s=-400, ready=False), ready_changed_ns=-369 * S)
    assert wanted(an_hpa(), [a_pod("api-0"), late], usage([140, 140])) == 4
    just = msgspec.structs.replace(late, ready_changed_ns=-370 * S)
    assert wanted(an_hpa(), [a_pod("api-0"), just], usage([140, 140])) == 4
    early = msgspec.structs.replace(late, ready_changed_ns=-371 * S)
    assert wanted(an_hpa(), [a_pod("api-0"), early], usage([140, 140])) == 2


def test_readiness_is_asked_for_cpu_only() -> None:
    of = [a_pod("api-0"), a_pod("api-1", started_s=-10, ready=False)]
    used = usage([160_000, 160_000], resource="memory")
    assert wanted(an_hpa(metrics=[memory(80)]), of, used) == 4


def test_pods_on_their_way_out_count_for_nothing() -> None:
    gone = msgspec.structs.replace(a_pod("api-2"), terminating=True)
    failed = msgspec.structs.replace(a_pod("api-3"), phase=PodPhase.FAILED)
    of = [*pods(2), gone, failed]
    assert wanted(an_hpa(), of, usage([140, 140, 900, 900]), current=2) == 4


def test_pending_pods_count_nothing_on_the_way_up_and_are_left_out_on_the_way_down() -> None:
    pending = msgspec.structs.replace(a_pod("api-2"), phase=PodPhase.PENDING)
    assert wanted(an_hpa(), [*pods(2), pending], usage([140, 140])) == 4  # 93 % over three: 1.33 x 3 = 4
    assert wanted(an_hpa(), [*pods(2), pending], usage([106, 106])) == 3  # 70 % over three; over two 1.51 x 2 = 4
    assert wanted(an_hpa(), [*pods(2), pending], usage([35, 35])) == 1


def test_a_pod_of_which_one_container_has_no_value_is_missing() -> None:
    used = usage([140, 140])
    half = msgspec.structs.replace(used[1], containers_m={"api": {"cpu": 140}, "cloud-sql-proxy": {}})
    assert wanted(an_hpa(), pods(2), [used[0], half]) == 2  # 70 % with the second at 0


def test_no_usable_pod_gives_no_number() -> None:
    starting = a_pod("api-0", started_s=-1, ready=False)
    for of, used, text in (
        ([starting], usage([50]), "did not receive metrics for targeted pods"),
        ([], usage([50]), "no pods returned by selector"),
        (pods(1), [], "no metrics returned from resource metrics API"),
        (pods(1, request=0), usage([50]), "no metrics returned matched known pods"),
    ):
        outcome = one(an_hpa(), of, used, current=2)
        assert (outcome.metric_replicas, outcome.replicas) == (None, 2)
        assert text in outcome.events[0].message
        assert [event.reason for event in outcome.events] == ["FailedGetResourceMetric", "FailedComputeMetricsReplicas"]


def test_the_metric_that_asks_for_most_wins() -> None:
    both = an_hpa(metrics=[cpu(70), memory(80)])
    used = [
        msgspec.structs.replace(each, containers_m={"api": {"cpu": 70, "memory": 160_000}}) for each in usage([0, 0])
    ]
    outcome = one(both, pods(2), used)
    assert outcome.metric_replicas == 4
    assert outcome.reason == "memory resource utilization (percentage of request) above target"


def test_a_metric_that_cannot_be_read_forbids_scaling_down_but_not_up() -> None:
    both = an_hpa(metrics=[cpu(70), memory(80)])
    high = one(both, pods(2), usage([140, 140]))
    assert (high.metric_replicas, high.replicas) == (4, 4)
    low = one(both, pods(2), usage([10, 10]))
    assert (low.metric_replicas, low.replicas) == (None, 2)
    assert "invalid metrics (1 invalid out of 2)" in low.events[-1].message


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


@pytest.mark.parametrize(
    ("value_m", "average_value_m", "values", "expected"),
    [
        (500, None, [1000], 4),  # an object's or external value: 2 x 2 ready pods
        (500, None, [520], 2),
        (None, 100, [350], 4),  # shared by the pods: 3.5, up
        (None, 100, [105, 105], 2),  # external values are added; 1.05 is within
    ],
)
def test_external_values(value_m: int | None, average_value_m: int | None, values: list[int], expected: int) -> None:
    spec = MetricSpec(kind=MetricKind.EXTERNAL, name="rate", value_m=value_m, average_value_m=average_value_m)
    hpa = an_hpa(metrics=[spec])
    base = look(hpa, pods(2), [])
    known = msgspec.structs.replace(base, readings=Readings(custom={"rate": values}))
    assert sync(known, History()).metric_replicas == expected
    assert sync(base, History()).metric_replicas is None  # no such API: FailedGetExternalMetric


def test_custom_metrics_of_pods() -> None:
    hpa = an_hpa(metrics=[MetricSpec(kind=MetricKind.PODS, name="rps", average_value_m=1000)])
    readings = Readings(custom={"rps": {f"api-{i}": Measured(2500, 0, 0) for i in range(2)}})
    known = Look(hpa=hpa, scale=Scale(2, 2), pods=pods(2), readings=readings, now_ns=0)
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


def test_an_average_of_cpu_leaves_out_who_is_starting() -> None:
    hpa = an_hpa(metrics=[MetricSpec(kind=MetricKind.RESOURCE, name="cpu", average_value_m=70)])
    of = [a_pod("api-0"), a_pod("api-1", started_s=-60, ready=False)]
    assert wanted(hpa, of, usage([140, 140])) == 2


def test_pods_that_wait_change_nothing_at_the_target_and_just_below() -> None:
    """With the pending one at 0 it would be 47 % and 44 %, and two pods."""
    pending = msgspec.structs.replace(a_pod("api-2"), phase=PodPhase.PENDING)
    for percent in (70, 66):
        assert wanted(an_hpa(), [*pods(2), pending], usage([percent, percent])) == 3


def test_on_the_way_up_the_unknown_and_the_waiting_use_nothing_at_all() -> None:
    """Target 1m: 3m of one pod are 1.5 of two, cut to 1; with one milli-unit more it were 2."""
    hpa = an_hpa(metrics=[MetricSpec(kind=MetricKind.PODS, name="rps", average_value_m=1)])
    readings = Readings(custom={"rps": {"api-0": Measured(3, 0, 0)}})
    waits = msgspec.structs.replace(a_pod("api-1"), phase=PodPhase.PENDING)
    for other in (a_pod("api-1"), waits):
        of = [a_pod("api-0"), other]
        known = Look(hpa=hpa, scale=Scale(2, 2), pods=of, readings=readings, now_ns=0)
        assert sync(known, History()).metric_replicas == 2


def test_the_second_look_never_goes_the_other_way_than_it_says() -> None:
    """Pods seen and replicas asked for may differ: below the target nothing is added, above it nothing taken."""
    assert wanted(an_hpa(), pods(6), usage([50] * 5), current=2) == 2  # 58 of 70 %, of 6 pods: 5
    assert wanted(an_hpa(), pods(2), usage([200]), current=10) == 10  # 100 of 70 %, of 2 pods: 3
