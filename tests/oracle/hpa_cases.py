"""Random HPAs, pods and usage for the comparison, drawn from one seed, and how each is written for the API server."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime

import msgspec

from harness.model.autoscaling import (
    DEFAULT_DOWN,
    DEFAULT_UP,
    Behavior,
    ContainerRequests,
    Hpa,
    MetricKind,
    MetricSpec,
    PodPhase,
    PodUsage,
    PolicyKind,
    ScaledPod,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from tests.oracle.control_plane import Json

S = 10**9
MI = 2**20
CONTAINERS = ("api", "proxy", "native")  # the last is an init container with restartPolicy Always


def an_hpa(dice: random.Random, name: str) -> Hpa:
    low = dice.randint(1, 3)
    of_pods = (("cpu",), ("memory",), ("cpu", "memory"), ("memory", "cpu"))
    metrics = dice.choice((*of_pods, *of_pods, ("external",), ("cpu", "external"), ("external", "memory")))
    return Hpa(
        name=name,
        min_replicas=low,
        max_replicas=low + dice.randint(1, 20),
        metrics=tuple(_external(dice, name) if each == "external" else _metric(dice, each) for each in metrics),
        behavior=None if dice.random() < 0.4 else Behavior(up=_rules(dice, True), down=_rules(dice, False)),
    )


def _metric(dice: random.Random, resource: str) -> MetricSpec:
    if dice.random() < 0.25:
        value = dice.randint(100, 900) if resource == "cpu" else dice.randint(50, 600) * MI * 1000
        return MetricSpec(kind=MetricKind.RESOURCE, name=resource, average_value_m=value)
    percent = dice.choice((50, 70, 80, 100, 130))
    if dice.random() < 0.2:
        container = dice.choice(CONTAINERS)
        return MetricSpec(
            kind=MetricKind.CONTAINER_RESOURCE, name=resource, container=container, average_utilization=percent
        )
    return MetricSpec(kind=MetricKind.RESOURCE, name=resource, average_utilization=percent)


def _external(dice: random.Random, app: str) -> MetricSpec:
    """As the document's: a value of its own, in seconds; or one for each pod."""
    per_pod, wanted_m = dice.random() < 0.25, dice.randint(100, 900)
    return MetricSpec(
        kind=MetricKind.EXTERNAL,
        name=f"{app}|latency_p95",
        average_value_m=wanted_m if per_pod else None,
        value_m=None if per_pod else wanted_m,
    )


def _rules(dice: random.Random, up: bool) -> ScalingRules:
    default = DEFAULT_UP if up else DEFAULT_DOWN
    if dice.random() < 0.2:
        return default
    policies = tuple(
        ScalingPolicy(kind=dice.choice(list(PolicyKind)), value=dice.randint(1, 120), period_s=dice.randint(1, 20))
        for _ in range(dice.randint(1, 3))
    )
    select = dice.choices(list(SelectPolicy), weights=(6, 4, 1))[0]
    return ScalingRules(policies=policies, select=select, stabilization_s=dice.choice((0, 0, 2, 5, 10)))


def a_pod(dice: random.Random, name: str, now_s: int) -> ScaledPod:
    """Started long or little ago, ready or not, sometimes pending, failed or terminating. Whole seconds, as the API."""
    kind = dice.random()
    started_s = now_s - (dice.randint(400, 4000) if dice.random() < 0.6 else dice.randint(5, 200))
    changed_s = started_s + dice.randint(0, 60)
    containers = tuple(
        ContainerRequests(
            name=each, requests_m={"cpu": dice.randint(50, 800), "memory": dice.randint(32, 600) * MI * 1000}
        )
        for each in CONTAINERS
    )
    phase = PodPhase.RUNNING
    if kind < 0.05:
        phase = PodPhase.PENDING
    elif kind < 0.08:
        phase = PodPhase.FAILED
    return ScaledPod(
        name=name,
        containers=containers,
        phase=phase,
        terminating=0.08 <= kind < 0.13,
        started_ns=started_s * S,
        ready=dice.random() < 0.85,
        ready_changed_ns=min(changed_s, now_s) * S,
    )


def usage(dice: random.Random, pods: list[ScaledPod], hpa: Hpa) -> list[PodUsage]:
    """Around the target, or far from it; some pods are missing."""
    level = _level(dice)
    missing = dice.choice((0.0, 0.0, 0.15, 0.5))
    found = []
    now_s = int(time.time())
    for pod in pods:
        if dice.random() < missing:
            continue
        containers = {
            each.name: {
                resource: round(asked * level * 0.7 * dice.uniform(0.8, 1.2))
                for resource, asked in each.requests_m.items()
            }
            for each in pod.containers
        }
        containers = {name: _whole(values) for name, values in containers.items()}
        if dice.random() < 0.03:
            containers["proxy"].pop("cpu")
        found.append(
            PodUsage(name=pod.name, at_ns=(now_s - dice.randint(0, 40)) * S, window_ns=15 * S, containers_m=containers)
        )
    return found


def _level(dice: random.Random) -> float:
    return dice.choice((1.0, 1.0, 0.95, 1.12)) * dice.lognormvariate(0, dice.choice((0.02, 0.3, 0.8)))


def external(dice: random.Random, hpa: Hpa) -> dict[str, list[int]]:
    """Of each external metric its values, around the target or far from it; now and then there is none."""
    found = {}
    for metric in hpa.metrics:
        if metric.kind is MetricKind.EXTERNAL:
            target_m = metric.value_m or metric.average_value_m or 0
            count = dice.choices((0, 1, 2), weights=(1, 12, 3))[0]
            found[metric.name] = [round(target_m / count * _level(dice)) for _ in range(count)]
    return found


def _whole(values: dict[str, int]) -> dict[str, int]:
    return {"cpu": values["cpu"], "memory": values["memory"] // 1000 * 1000}


def when(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def written_hpa(hpa: Hpa) -> Json:
    spec: Json = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": hpa.name},
        "minReplicas": hpa.min_replicas,
        "maxReplicas": hpa.max_replicas,
        "metrics": [_written_metric(each) for each in hpa.metrics],
    }
    if hpa.behavior is not None:
        spec["behavior"] = {"scaleUp": _written_rules(hpa.behavior.up), "scaleDown": _written_rules(hpa.behavior.down)}
    return {"metadata": {"name": hpa.name}, "spec": spec}


def _written_metric(metric: MetricSpec) -> Json:
    if metric.kind is MetricKind.EXTERNAL:
        kind, amount_m = ("Value", metric.value_m) if metric.value_m else ("AverageValue", metric.average_value_m)
        wanted = {"type": kind, kind[0].lower() + kind[1:]: f"{amount_m}m"}
        return {"type": "External", "external": {"metric": {"name": metric.name}, "target": wanted}}
    target: Json = {"type": "Utilization", "averageUtilization": metric.average_utilization}
    if metric.average_value_m is not None:
        target = {"type": "AverageValue", "averageValue": _quantity(metric.name, metric.average_value_m)}
    source: Json = {"name": metric.name, "target": target}
    if metric.kind is MetricKind.CONTAINER_RESOURCE:
        return {"type": "ContainerResource", "containerResource": source | {"container": metric.container}}
    return {"type": "Resource", "resource": source}


def _written_rules(rules: ScalingRules) -> Json:
    policies = [
        {"type": each.kind.value, "value": each.value, "periodSeconds": each.period_s} for each in rules.policies
    ]
    window = {} if rules.stabilization_s is None else {"stabilizationWindowSeconds": rules.stabilization_s}
    return {"policies": policies, "selectPolicy": rules.select.value} | window


def written_pod(pod: ScaledPod, app: str) -> Json:
    containers = [
        {"name": each.name, "image": "none", "resources": {"requests": _quantities(each.requests_m)}}
        for each in pod.containers
    ]
    native = [each | {"restartPolicy": "Always"} for each in containers[2:]]
    return {
        "metadata": {"name": pod.name, "labels": {"app": app}, "finalizers": ["oracle/keep"]},
        "spec": {"containers": containers[:2], "initContainers": native, "terminationGracePeriodSeconds": 0},
    }


def written_status(pod: ScaledPod) -> Json:
    assert pod.started_ns is not None and pod.ready_changed_ns is not None
    ready = {"type": "Ready", "status": str(pod.ready), "lastTransitionTime": when(pod.ready_changed_ns)}
    return {"status": {"phase": pod.phase.value, "startTime": when(pod.started_ns), "conditions": [ready]}}


def written_usage(usages: list[PodUsage]) -> list[Json]:
    return [
        {
            "metadata": {"name": each.name, "namespace": "default"},
            "timestamp": when(each.at_ns),
            "window": f"{each.window_ns // S}s",
            "containers": [{"name": name, "usage": _quantities(values)} for name, values in each.containers_m.items()],
        }
        for each in usages
    ]


def written_external(values_m: list[int], metric: str) -> list[Json]:
    now = when(time.time_ns())
    return [{"metricName": metric, "metricLabels": {}, "timestamp": now, "value": f"{each}m"} for each in values_m]


def _quantities(amounts: dict[str, int]) -> Json:
    return {resource: _quantity(resource, amount) for resource, amount in amounts.items()}


def _quantity(resource: str, amount_m: int) -> str:
    return f"{amount_m}m" if resource == "cpu" else str(amount_m // 1000)


def changed_pod(dice: random.Random, pod: ScaledPod, now_s: int) -> ScaledPod:
    """The same pod, its readiness turned a moment ago."""
    return msgspec.structs.replace(pod, ready=not pod.ready, ready_changed_ns=(now_s - dice.randint(0, 20)) * S)
