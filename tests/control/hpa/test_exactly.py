"""What one metric, and all together, ask for and say, to the word and the milli-unit (``replica_calculator.go``)."""

from __future__ import annotations

import msgspec
import pytest

from harness.control.hpa import replicas
from harness.control.hpa.grouping import MetricError, PodMetric, Settings, of_containers
from harness.control.hpa.proposal import MetricVerdict, Readings, propose
from harness.control.hpa.replicas import Proposal, ScaleInputs
from harness.control.hpa.sync import ScaleOutcome
from harness.model.autoscaling import ConditionType, MetricKind, MetricSpec, PodPhase, PodUsage, ScaledPod, ScalingEvent
from tests.control.hpa.cases import an_hpa, one, pods, usage

NO_API = "unable to get metric rate: no metrics returned"
SELECTS_NONE = "no pods returned by selector while calculating replica count"


def external(value_m: int | None = None, average_value_m: int | None = None) -> MetricSpec:
    return MetricSpec(kind=MetricKind.EXTERNAL, name="rate", value_m=value_m, average_value_m=average_value_m)


def ground(current: int = 2, of: list[ScaledPod] | None = None) -> ScaleInputs:
    return ScaleInputs(current=current, pods=pods(current) if of is None else of, settings=Settings(), now_ns=0)


def found(custom: dict[str, list[int]], *specs: MetricSpec, current: int = 2) -> MetricVerdict:
    return propose(an_hpa(metrics=list(specs)), ground(current), Readings(custom=custom), current)


def test_a_metric_that_is_found_is_named() -> None:
    assert found({"rate": [1000]}, external(500)) == MetricVerdict(
        replicas=4,
        metric="external metric rate",
        reason="ValidMetricFound",
        message="the HPA was able to successfully calculate a replica count from external metric rate",
    )


def test_none_that_is_found_says_why_once_and_for_each() -> None:
    other = msgspec.structs.replace(external(500), name="other", kind=MetricKind.OBJECT)
    first = ScalingEvent(warning=True, reason="FailedGetExternalMetric", message=NO_API)
    second = ScalingEvent(
        warning=True, reason="FailedGetObjectMetric", message="unable to get metric other: no metrics returned"
    )
    assert found({}, external(500), other) == MetricVerdict(
        replicas=None,
        metric="",
        reason="FailedGetExternalMetric",
        message=f"the HPA was unable to compute the replica count: {NO_API}",
        error=f"invalid metrics (2 invalid out of 2), first error is: {NO_API}",
        events=(first, second),
    )


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (MetricSpec(kind=MetricKind.RESOURCE, name="cpu", average_utilization=50), "failed to get cpu utilization"),
        (MetricSpec(kind=MetricKind.RESOURCE, name="cpu", average_value_m=50), "failed to get cpu usage"),
    ],
)
def test_a_resource_that_cannot_be_read_says_of_what(spec: MetricSpec, words: str) -> None:
    nothing = "unable to get metrics for resource cpu: no metrics returned from resource metrics API"
    verdict = propose(an_hpa(metrics=[spec]), ground(), Readings(), 2)
    assert verdict.events[0].message == f"{words}: {nothing}"


def test_a_container_s_resource_is_named_so() -> None:
    spec = MetricSpec(kind=MetricKind.CONTAINER_RESOURCE, name="cpu", container="api", average_utilization=50)
    used = [PodUsage(name=f"api-{i}", at_ns=0, window_ns=0, containers_m={"api": {"cpu": 100}}) for i in range(2)]
    verdict = propose(an_hpa(metrics=[spec]), ground(), Readings(pods=used), 2)
    assert verdict.metric == "cpu container resource utilization (percentage of request)"


def test_of_containers_keeps_the_time_of_each_and_leaves_out_who_lacks_it() -> None:
    used = [
        PodUsage(name="a", at_ns=7, window_ns=9, containers_m={"api": {"cpu": 5}}),
        PodUsage(name="b", at_ns=7, window_ns=9, containers_m={"proxy": {"cpu": 5}}),
        PodUsage(name="c", at_ns=7, window_ns=9, containers_m={"api": {"memory": 5}}),
    ]
    assert of_containers(used, "cpu", "api") == {"a": PodMetric(5, 7, 9)}


@pytest.mark.parametrize(
    ("usage_m", "target_m", "status", "wanted", "average_m"),
    [
        (350, 100, 2, 4, 175),
        (351, 100, 2, 4, 176),  # the average is rounded up
        (210, 100, 2, 2, 105),
        (90, 100, 1, 1, 90),  # one pod, within the tolerance
        (300, 100, 0, 3, 0),  # no pod yet: nobody to share it
        (2**40, 1, 1, 2**31 - 1, 2**40),
    ],
)
def test_a_value_is_shared_by_the_pods_of_the_status(
    usage_m: int, target_m: int, status: int, wanted: int, average_m: int
) -> None:
    assert replicas.by_value_per_pod(ground(), usage_m, target_m, status) == Proposal(wanted, average_m)


def test_what_pods_use_is_told_with_the_replicas() -> None:
    used = {f"api-{i}": PodMetric(value, 0, 0) for i, value in enumerate((150, 51))}
    assert replicas.by_average(ground(), used, "", 100) == Proposal(2, 100)
    assert replicas.by_utilization(ground(), used, "cpu", 50) == Proposal(4, 100, 100)  # 100.5 percent, cut


def test_without_pods_or_metrics_it_says_which() -> None:
    with pytest.raises(MetricError) as error:
        replicas.by_average(ground(2, []), {}, "", 100)
    assert str(error.value) == SELECTS_NONE
    with pytest.raises(MetricError) as error:
        replicas.by_average(ground(), {}, "", 100)
    assert str(error.value) == "did not receive metrics for targeted pods (pods might be unready)"


def test_zero_replicas_say_that_scaling_is_off() -> None:
    outcome = one(an_hpa(), [], [], current=0)
    told = [(each.reason, each.message, each.ok, each.since_ns) for each in outcome.history.conditions]
    assert outcome.reason == "" and told == [
        ("SucceededGetScale", "the HPA controller was able to get the target's current scale", True, 0),
        ("ScalingDisabled", "scaling is disabled since the replica count of the target is zero", False, 0),
    ]


def test_a_failure_is_an_event_of_its_own_beside_the_metric_s() -> None:
    outcome = one(an_hpa(), pods(2), [])
    assert [event.warning for event in outcome.events] == [True, True]
    assert outcome.events[-1].message.startswith(
        "invalid metrics (1 invalid out of 1), first error is: failed to get cpu"
    )
    assert outcome.reason == ""


def test_pods_that_ask_for_nothing_match_no_metric() -> None:
    with pytest.raises(MetricError) as error:
        replicas.by_utilization(ground(1, pods(1, request=0)), {"api-0": PodMetric(50, 0, 0)}, "cpu", 70)
    assert str(error.value) == "no metrics returned matched known pods"


def test_a_metric_that_asks_for_none_is_found_too() -> None:
    assert found({"rate": [0]}, external(500)).metric == "external metric rate"


def test_without_a_metric_nothing_begins_at_zero_replicas() -> None:
    assert found({}, external(500), current=0).replicas is None


def conditions(outcome: ScaleOutcome) -> dict[ConditionType, tuple[bool, str, str]]:
    return {each.type: (each.ok, each.reason, each.message) for each in outcome.history.conditions}


def test_a_change_is_told_to_the_word_and_remembered() -> None:
    outcome = one(an_hpa(), pods(2), usage([140, 140]))
    assert conditions(outcome)[ConditionType.ABLE_TO_SCALE] == (
        True, "SucceededRescale", "the HPA controller was able to update the target scale to 4",
    )  # fmt: skip
    assert [(event.warning, event.reason) for event in outcome.events] == [(False, "SuccessfulRescale")]
    assert outcome.history.last_scale_ns == 0


def test_no_change_is_told_to_the_word() -> None:
    outcome = one(an_hpa(), pods(2), usage([70, 70]))
    told = conditions(outcome)
    assert told[ConditionType.ABLE_TO_SCALE] == (True, "ReadyForNewScale", "recommended size matches current size")
    assert told[ConditionType.SCALING_ACTIVE][:2] == (True, "ValidMetricFound")
    assert outcome.history.last_scale_ns is None
    assert conditions(one(an_hpa(), pods(2), []))[ConditionType.SCALING_ACTIVE][0] is False


def test_a_value_is_scaled_by_the_ready_pods() -> None:
    assert replicas.by_value(ground(0, []), 1500, 1000) == Proposal(2, 1500)
    assert replicas.by_value(ground(1), 2000, 1000) == Proposal(2, 2000)
    assert replicas.by_value(ground(3), 1050, 1000) == Proposal(3, 1050)
    ready = ground(3).pods[0]
    waits = [
        msgspec.structs.replace(ready, name="w", ready=False),
        msgspec.structs.replace(ready, phase=PodPhase.PENDING),
    ]
    assert replicas.by_value(ground(3, [ready, *waits]), 3000, 1000) == Proposal(3, 3000)
    with pytest.raises(MetricError) as error:
        replicas.by_value(ground(3, []), 3000, 1000)
    assert str(error.value) == f"unable to calculate ready pods: {SELECTS_NONE}"
