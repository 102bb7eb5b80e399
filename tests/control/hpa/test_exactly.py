"""What one metric, and all together, ask for and say, to the word and the milli-unit (``replica_calculator.go``)."""

from __future__ import annotations

import msgspec
import pytest

from harness.control.hpa import replicas
from harness.control.hpa.grouping import Measured, MetricError, Settings, of_containers
from harness.control.hpa.history import History, Recommendation
from harness.control.hpa.proposal import Readings, Verdict, propose
from harness.control.hpa.replicas import Ground, Proposal
from harness.control.hpa.sync import Outcome, sync
from harness.model.autoscaling import ConditionType, MetricKind, MetricSpec, PodPhase, PodUsage, ScaledPod, ScalingEvent
from tests.control.hpa.cases import an_hpa, look, one, pods, usage

NO_API = "unable to get metric rate: no metrics returned"
SELECTS_NONE = "no pods returned by selector while calculating replica count"


def external(value_m: int | None = None, average_value_m: int | None = None) -> MetricSpec:
    return MetricSpec(kind=MetricKind.EXTERNAL, name="rate", value_m=value_m, average_value_m=average_value_m)


def ground(current: int = 2, of: list[ScaledPod] | None = None) -> Ground:
    return Ground(current=current, pods=pods(current) if of is None else of, settings=Settings(), now_ns=0)


def found(custom: dict[str, list[int]], *specs: MetricSpec, current: int = 2) -> Verdict:
    return propose(an_hpa(metrics=list(specs)), ground(current), Readings(custom=custom), current)


def test_a_metric_that_is_found_is_named() -> None:
    assert found({"rate": [1000]}, external(500)) == Verdict(
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
    assert found({}, external(500), other) == Verdict(
        replicas=None,
        metric="",
        reason="FailedGetExternalMetric",
        message=f"the HPA was unable to compute the replica count: {NO_API}",
        error=f"invalid metrics (2 invalid out of 2), first error is: {NO_API}",
        events=(first, second),
    )


def test_one_that_fails_lets_another_scale_up_and_hold_but_not_down() -> None:
    other = msgspec.structs.replace(external(500), name="other")

    def beside(value_m: int) -> Verdict:
        return found({"other": [value_m]}, external(500), other)

    for value_m, wanted in ((1000, 4), (500, 2)):
        assert (beside(value_m).replicas, beside(value_m).reason) == (wanted, "ValidMetricFound")
        assert beside(value_m).error == f"invalid metrics (1 invalid out of 2), first error is: {NO_API}"
        assert [event.reason for event in beside(value_m).events] == ["FailedGetExternalMetric"]
    assert beside(200).replicas is None and beside(200).reason == "FailedGetExternalMetric"


@pytest.mark.parametrize(
    ("values", "metric"),
    [((1000, 1500), "b"), ((1500, 1000), "a"), ((1000, 1000), "a")],  # of two that ask for as many, the first
)
def test_the_most_wins_and_of_equals_the_first(values: tuple[int, int], metric: str) -> None:
    specs = [msgspec.structs.replace(external(500), name=name) for name in "ab"]
    verdict = found({"a": [values[0]], "b": [values[1]]}, *specs)
    assert verdict.metric == f"external metric {metric}" and verdict.replicas == max(values) // 250


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
    assert of_containers(used, "cpu", "api") == {"a": Measured(5, 7, 9)}


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
    used = {f"api-{i}": Measured(value, 0, 0) for i, value in enumerate((150, 51))}
    assert replicas.by_average(ground(), used, "", 100) == Proposal(2, 100)
    assert replicas.by_utilization(ground(), used, "cpu", 50) == Proposal(4, 100, 100)  # 100.5 percent, cut


def test_without_pods_or_metrics_it_says_which() -> None:
    with pytest.raises(MetricError) as error:
        replicas.by_average(ground(2, []), {}, "", 100)
    assert str(error.value) == SELECTS_NONE
    with pytest.raises(MetricError) as error:
        replicas.by_average(ground(), {}, "", 100)
    assert str(error.value) == "did not receive metrics for targeted pods (pods might be unready)"


@pytest.mark.parametrize(
    ("low", "high", "current", "percent", "reason"),
    [
        (1, 100, 4, 10, "All metrics below target"),
        (1, 100, 2, 70, ""),
        (1, 100, 2, 140, "cpu resource utilization (percentage of request) above target"),
        (3, 5, 7, 10, "Current number of replicas above Spec.MaxReplicas"),
        (3, 5, 2, 10, "Current number of replicas below Spec.MinReplicas"),
    ],
)
def test_the_reason_of_a_reconciliation(low: int, high: int, current: int, percent: int, reason: str) -> None:
    outcome = one(an_hpa(low, high), pods(current), usage([percent] * current))
    assert outcome.reason == reason
    assert [event.message for event in outcome.events] == (
        [f"New size: {outcome.replicas}; reason: {reason}"] if outcome.replicas != current else []
    )


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


@pytest.mark.parametrize(("used_m", "replicas_"), [(900, 50), (0, 50)])
def test_a_missing_pod_counts_exactly_what_it_asked_for(used_m: int, replicas_: int) -> None:
    """50 of 100 pods at 1000m each are 50 %, with 900m more still: a percent is cut, and none is lost or added."""
    known = {f"api-{i}": Measured(0, 0, 0) for i in range(50)} | {"api-0": Measured(used_m, 0, 0)}
    of = ground(100, pods(100, request=1000))
    assert replicas.by_utilization(of, known, "cpu", 100).replicas == replicas_


def test_pods_that_ask_for_nothing_match_no_metric() -> None:
    with pytest.raises(MetricError) as error:
        replicas.by_utilization(ground(1, pods(1, request=0)), {"api-0": Measured(50, 0, 0)}, "cpu", 70)
    assert str(error.value) == "no metrics returned matched known pods"


def test_a_metric_that_asks_for_none_is_found_too() -> None:
    assert found({"rate": [0]}, external(500)).metric == "external metric rate"


def test_without_a_metric_nothing_begins_at_zero_replicas() -> None:
    assert found({}, external(500), current=0).replicas is None


def conditions(outcome: Outcome) -> dict[ConditionType, tuple[bool, str, str]]:
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


def test_fewer_than_the_range_are_brought_into_it() -> None:
    assert one(an_hpa(3, 5), pods(2), usage([10, 10])).replicas == 3


def test_no_load_asks_for_fewer_than_there_may_be() -> None:
    kept = History(recommendations=(Recommendation(0, 0),))
    outcome = sync(look(an_hpa(1, 9), pods(2), usage([0, 0]), at_s=400), kept)
    assert (outcome.replicas, conditions(outcome)[ConditionType.SCALING_LIMITED][1]) == (1, "TooFewReplicas")
