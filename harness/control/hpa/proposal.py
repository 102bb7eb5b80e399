"""What all metrics of an HPA together ask for (``computeReplicasForMetrics``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harness.control.hpa import replicas
from harness.control.hpa.grouping import MetricError, PodMetric, of_containers, of_pods
from harness.control.hpa.replicas import Proposal, ScaleInputs
from harness.model.autoscaling import Hpa, MetricKind, MetricSpec, PodUsage, ScalingEvent


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """What the metrics APIs answered. A metric that is absent from ``custom`` could not be read.

    ``pods`` is the list of metrics.k8s.io for the selector; ``custom`` has, by metric name, each pod's value
    (``Pods``) or the values in milli-units (``Object`` with one, ``External`` with any number).
    """

    pods: Sequence[PodUsage] = ()
    custom: Mapping[str, Mapping[str, PodMetric] | Sequence[int]] = {}


class MetricVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """``replicas`` is ``None`` when nothing may be decided. ``error`` may stand beside replicas: some metrics failed.

    ``reason`` and ``message`` are of the condition ScalingActive; ``metric`` is the one that asked for most.
    """

    replicas: int | None
    metric: str
    reason: str
    message: str
    error: str = ""
    events: tuple[ScalingEvent, ...] = ()


def propose(hpa: Hpa, ground: ScaleInputs, readings: Readings, status_replicas: int) -> MetricVerdict:
    """The most that any metric asks for. One that cannot be read forbids scaling down, all of them any change."""
    best, metric = 0, ""
    failures: list[tuple[str, str]] = []
    events: list[ScalingEvent] = []
    for spec in hpa.metrics:
        try:
            proposal = _one(spec, ground, readings, status_replicas)
        except MetricError as error:
            events.append(ScalingEvent(warning=True, reason=_reason(spec), message=str(error)))
            failures.append((_reason(spec), str(error)))
            continue
        if best == 0 or proposal.replicas > best:
            best, metric = proposal.replicas, _words(spec)
    invalid = _invalid(hpa, failures)
    if len(failures) >= len(hpa.metrics) or (failures and best < ground.current):
        reason, text = failures[0]
        message = f"the HPA was unable to compute the replica count: {text}"
        return MetricVerdict(
            replicas=None, metric="", reason=reason, message=message, error=invalid, events=tuple(events)
        )
    message = f"the HPA was able to successfully calculate a replica count from {metric}"
    found = ("ValidMetricFound", message)
    return MetricVerdict(
        replicas=best, metric=metric, reason=found[0], message=found[1], error=invalid, events=tuple(events)
    )


def _invalid(hpa: Hpa, failures: list[tuple[str, str]]) -> str:
    if not failures:
        return ""
    return f"invalid metrics ({len(failures)} invalid out of {len(hpa.metrics)}), first error is: {failures[0][1]}"


def _one(spec: MetricSpec, ground: ScaleInputs, readings: Readings, status_replicas: int) -> Proposal:
    if spec.kind in (MetricKind.RESOURCE, MetricKind.CONTAINER_RESOURCE):
        return _resource(spec, ground, readings)
    found = readings.custom.get(spec.name)
    if found is None or not len(found):
        raise MetricError(f"unable to get metric {spec.name}: no metrics returned")
    if isinstance(found, Mapping):
        assert spec.average_value_m is not None
        return replicas.by_average(ground, found, "", spec.average_value_m)
    usage_m = sum(found)
    if spec.average_value_m is not None:
        return replicas.by_value_per_pod(ground, usage_m, spec.average_value_m, status_replicas)
    assert spec.value_m is not None
    return replicas.by_value(ground, usage_m, spec.value_m)


def _resource(spec: MetricSpec, ground: ScaleInputs, readings: Readings) -> Proposal:
    what = "usage" if spec.average_value_m is not None else "utilization"
    try:
        if not readings.pods:
            text = f"unable to get metrics for resource {spec.name}: no metrics returned from resource metrics API"
            raise MetricError(text)
        if spec.kind is MetricKind.CONTAINER_RESOURCE:
            metrics = of_containers(readings.pods, spec.name, spec.container)
        else:
            metrics = of_pods(readings.pods, spec.name)
        if spec.average_value_m is not None:
            return replicas.by_average(ground, metrics, spec.name, spec.average_value_m)
        assert spec.average_utilization is not None
        return replicas.by_utilization(ground, metrics, spec.name, spec.average_utilization, spec.container)
    except MetricError as error:
        raise MetricError(f"failed to get {spec.name} {what}: {error}") from error


def _reason(spec: MetricSpec) -> str:
    return f"FailedGet{spec.kind.value}Metric"


def _words(spec: MetricSpec) -> str:
    """The metric's name in events and conditions."""
    if spec.kind in (MetricKind.RESOURCE, MetricKind.CONTAINER_RESOURCE):
        if spec.average_value_m is not None:
            return f"{spec.name} resource"
        middle = "container resource" if spec.kind is MetricKind.CONTAINER_RESOURCE else "resource"
        return f"{spec.name} {middle} utilization (percentage of request)"
    return f"{spec.kind.value.lower()} metric {spec.name}"
