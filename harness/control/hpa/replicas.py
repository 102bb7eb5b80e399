"""How many replicas one metric asks for (``replica_calculator.go``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from harness.control.goint import int32, int64, quotient
from harness.control.hpa.grouping import Groups, MetricError, PodMetric, Settings, group, requests
from harness.model.autoscaling import PodPhase, ScaledPod


class Proposal(msgspec.Struct, frozen=True):
    """Replicas that a metric asks for; the average usage in milli-units and, of a utilization, in percent."""

    replicas: int
    average_m: int
    utilization: int | None = None


class ScaleInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What every calculation of one reconciliation reads. ``current`` is ``scale.spec.replicas``."""

    current: int
    pods: Sequence[ScaledPod]
    settings: Settings
    now_ns: int

    def holds(self, ratio: float) -> bool:
        """Whether ``ratio``, of usage to target, is near enough to 1 for no change."""
        return 1.0 - self.settings.tolerance <= ratio <= 1.0 + self.settings.tolerance


def by_utilization(
    ground: ScaleInputs, metrics: Mapping[str, PodMetric], resource: str, target: int, container: str = ""
) -> Proposal:
    """``GetResourceReplicas``: usage against ``target`` percent of the requests, both summed over the counted pods.

    The percentage is cut to a whole number before it is compared. Raises ``MetricError``.
    """
    groups, known = _grouped(ground, metrics, resource)
    asked = requests(ground.pods, resource, container)
    utilization, average = _utilization(known, asked)
    replicas = _replicas(
        ground,
        groups,
        known,
        ratio=utilization / target,
        missing_when_low={name: quotient(asked[name] * max(100, target), 100) for name in groups.missing},
        again=lambda all_known: _utilization(all_known, asked)[0] / target,
    )
    return Proposal(replicas, average, utilization)


def by_average(ground: ScaleInputs, metrics: Mapping[str, PodMetric], resource: str, target_m: int) -> Proposal:
    """``calcPlainMetricReplicas``: the mean over the counted pods against ``target_m``.

    ``resource`` is "" for a custom metric. Raises ``MetricError``.
    """
    groups, known = _grouped(ground, metrics, resource)
    average = _mean(known)
    replicas = _replicas(
        ground,
        groups,
        known,
        ratio=average / target_m,
        missing_when_low=dict.fromkeys(groups.missing, target_m),
        again=lambda all_known: _mean(all_known) / target_m,
    )
    return Proposal(replicas, average)


def by_value(ground: ScaleInputs, usage_m: int, target_m: int) -> Proposal:
    """``getUsageRatioReplicaCount``: one value of an object or an external system, scaled by the ready pods."""
    ratio = usage_m / target_m
    if ground.current == 0:
        return Proposal(int32(math.ceil(ratio)), usage_m)
    if ground.holds(ratio):
        return Proposal(ground.current, usage_m)
    if not ground.pods:
        raise MetricError(
            "unable to calculate ready pods: no pods returned by selector while calculating replica count"
        )
    ready = sum(pod.phase is PodPhase.RUNNING and pod.ready is True for pod in ground.pods)
    return Proposal(int32(math.ceil(ratio * ready)), usage_m)


def by_value_per_pod(ground: ScaleInputs, usage_m: int, target_m: int, status_replicas: int) -> Proposal:
    """``GetObjectPerPodMetricReplicas`` and the external one: one value shared by the pods that ``status`` counts."""
    whole = math.inf if status_replicas == 0 else usage_m / (target_m * status_replicas)
    replicas = status_replicas if ground.holds(whole) else min(math.ceil(usage_m / target_m), 2**31 - 1)
    return Proposal(replicas, math.ceil(usage_m / status_replicas) if status_replicas else 0)


def _grouped(ground: ScaleInputs, metrics: Mapping[str, PodMetric], resource: str) -> tuple[Groups, dict[str, int]]:
    if not ground.pods:
        raise MetricError("no pods returned by selector while calculating replica count")
    groups = group(ground.pods, metrics, resource, ground.settings, ground.now_ns)
    out = groups.ignored | groups.unready
    known = {name: metric.value_m for name, metric in metrics.items() if name not in out}
    if not known:
        raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
    return groups, known


def _replicas(
    ground: ScaleInputs,
    groups: Groups,
    known: Mapping[str, int],
    *,
    ratio: float,
    missing_when_low: Mapping[str, int],
    again: Callable[[Mapping[str, int]], float],
) -> int:
    """The part common to utilization and averages: when pods are missing or unready, the conservative second look.

    A pod without a metric is taken to use its whole target when the others are below theirs and nothing when they are
    above; an unready one uses nothing on the way up. If that turns the direction, nothing changes.
    """
    held, current = ground.holds, ground.current
    with_unready = bool(groups.unready) and ratio > 1.0
    if not with_unready and not groups.missing:
        return current if held(ratio) else int32(math.ceil(ratio * groups.ready))
    filled = dict(known)
    if ratio < 1.0:
        filled.update(missing_when_low)
    elif ratio > 1.0:
        filled.update(dict.fromkeys(groups.missing, 0))
    if with_unready:
        filled.update(dict.fromkeys(groups.unready, 0))
    second = again(filled)
    if held(second) or (ratio < 1.0 < second) or (second < 1.0 < ratio):
        return current
    wanted = int32(math.ceil(second * len(filled)))
    if (second < 1.0 and wanted > current) or (second > 1.0 and wanted < current):
        return current
    return wanted


def _utilization(known: Mapping[str, int], asked: Mapping[str, int]) -> tuple[int, int]:
    """(percent of the requests, mean usage) over the pods that have both; raises ``MetricError`` when none asks."""
    used = {name: value for name, value in known.items() if name in asked}
    total, asked_total = sum(used.values()), sum(asked[name] for name in used)
    if asked_total == 0:
        raise MetricError("no metrics returned matched known pods")
    return int32(quotient(int64(int64(total) * 100), asked_total)), quotient(int64(total), len(used))


def _mean(known: Mapping[str, int]) -> int:
    return quotient(int64(sum(known.values())), len(known))
