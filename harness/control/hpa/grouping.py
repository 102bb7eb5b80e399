"""Which pods a metric counts, which not yet, and what each asked for (``groupPods``, ``calculateRequests``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from harness.model.autoscaling import PodPhase, PodUsage, ScaledPod

CPU = "cpu"


class MetricError(Exception):
    """A metric that gives no number of replicas; the text is Kubernetes' own, and ends up in events and conditions."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of kube-controller-manager that the rule reads, with their defaults.

    ``--horizontal-pod-autoscaler-tolerance``, ``-cpu-initialization-period``, ``-initial-readiness-delay`` and
    ``-downscale-stabilization``. A tolerance in ``behavior`` is not read: its gate, HPAConfigurableTolerance, is
    alpha and off in 1.34.
    """

    tolerance: float = 0.1
    cpu_initialization_ns: int = 300 * 10**9
    initial_readiness_delay_ns: int = 30 * 10**9
    downscale_stabilization_ns: int = 300 * 10**9


class PodMetric(msgspec.Struct, frozen=True):
    """A pod's metric: ``value_m`` over ``window_ns`` until ``at_ns``."""

    value_m: int
    at_ns: int
    window_ns: int


class Groups(msgspec.Struct, frozen=True):
    """How many pods count, and the names of those that count for nothing yet, have no metric, or are on their way out.

    A pod that is neither in a set nor ready does not exist: the four parts cover all pods.
    """

    ready: int
    unready: frozenset[str]
    missing: frozenset[str]
    ignored: frozenset[str]


def of_pods(usages: Iterable[PodUsage], resource: str) -> dict[str, PodMetric]:
    """Each pod's sum over its containers; a pod of which one container has no value is left out."""
    found: dict[str, PodMetric] = {}
    for usage in usages:
        values = [container.get(resource) for container in usage.containers_m.values()]
        if values and None not in values:
            total = sum(value for value in values if value is not None)
            found[usage.name] = PodMetric(total, usage.at_ns, usage.window_ns)
    return found


def of_containers(usages: Iterable[PodUsage], resource: str, container: str) -> dict[str, PodMetric]:
    """One container's value in each pod (``ContainerResource``)."""
    found: dict[str, PodMetric] = {}
    for usage in usages:
        value = usage.containers_m.get(container, {}).get(resource)
        if value is not None:
            found[usage.name] = PodMetric(value, usage.at_ns, usage.window_ns)
    return found


def group(
    pods: Iterable[ScaledPod], metrics: Mapping[str, PodMetric], resource: str, settings: Settings, now_ns: int
) -> Groups:
    """Sorts the pods. Only for CPU does readiness matter: a starting process burns CPU that no user asked for."""
    ready = 0
    unready, missing, ignored = set(), set(), set()
    for pod in pods:
        if pod.terminating or pod.phase is PodPhase.FAILED:
            ignored.add(pod.name)
        elif pod.phase is PodPhase.PENDING:
            unready.add(pod.name)
        elif pod.name not in metrics:
            missing.add(pod.name)
        elif resource == CPU and _is_starting(pod, metrics[pod.name], settings, now_ns):
            unready.add(pod.name)
        else:
            ready += 1
    return Groups(ready, frozenset(unready), frozenset(missing), frozenset(ignored))


def _is_starting(pod: ScaledPod, metric: PodMetric, settings: Settings, now_ns: int) -> bool:
    """Within the CPU initialization period: not ready, or its window began before it became ready. Later: never ready.

    "Never ready" is told by the condition's last change lying within the initial readiness delay of the start.
    """
    if pod.ready_changed_ns is None or pod.started_ns is None:
        return True
    if pod.started_ns + settings.cpu_initialization_ns > now_ns:
        return pod.ready is False or metric.at_ns < pod.ready_changed_ns + metric.window_ns
    return pod.ready is False and pod.started_ns + settings.initial_readiness_delay_ns > pod.ready_changed_ns


def requests(pods: Iterable[ScaledPod], resource: str, container: str) -> dict[str, int]:
    """Milli-units asked for by each pod: summed over its containers, sidecars included, or of one ``container``.

    Raises ``MetricError`` when any pod, terminating ones too, has a container without a request; of a pod with requests
    of its own level, when neither it nor any of its containers has one.
    """
    return {pod.name: _request(pod, resource, container) for pod in pods}


def _request(pod: ScaledPod, resource: str, container: str) -> int:
    if pod.pod_requests_m and not container:
        return _of_pod_level(pod, pod.pod_requests_m, resource)
    total = 0
    for each in pod.containers:
        if container in ("", each.name):
            if resource not in each.requests_m:
                raise MetricError(f"missing request for {resource} in container {each.name} of Pod {pod.name}")
            total += each.requests_m[resource]
    return total


def _of_pod_level(pod: ScaledPod, own_m: Mapping[str, int], resource: str) -> int:
    """``resourcehelpers.PodRequests``: the containers' sum, in which one may be missing, under the pod's own value.

    Init containers that end, and ``spec.overhead``, which it counts too, are no part of a ``ScaledPod``.
    """
    if resource in own_m:
        return own_m[resource]
    asked = [each.requests_m[resource] for each in pod.containers if resource in each.requests_m]
    if not asked:
        raise MetricError(f"missing pod-level request for {resource} in Pod {pod.name}")
    return sum(asked)
