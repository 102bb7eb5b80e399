"""Builders of pods, usage and looks for the HPA's tests. CPU in millicores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.control.hpa.grouping import Settings
from harness.control.hpa.history import History
from harness.control.hpa.proposal import Readings
from harness.control.hpa.sync import Look, ScaleOutcome, ScaleSubresource, sync
from harness.model.autoscaling import Behavior, ContainerRequests, Hpa, MetricKind, MetricSpec, PodUsage, ScaledPod

S = 10**9
OLD_S = -10_000  # pods started long before anything a test looks at


def cpu(percent: int = 70) -> MetricSpec:
    return MetricSpec(kind=MetricKind.RESOURCE, name="cpu", average_utilization=percent)


def memory(percent: int = 80) -> MetricSpec:
    return MetricSpec(kind=MetricKind.RESOURCE, name="memory", average_utilization=percent)


def an_hpa(
    low: int = 1, high: int = 100, *, metrics: Sequence[MetricSpec] = (), behavior: Behavior | None = None
) -> Hpa:
    return Hpa(name="api", min_replicas=low, max_replicas=high, metrics=tuple(metrics) or (cpu(),), behavior=behavior)


def a_pod(name: str, *, request: int = 100, started_s: float = OLD_S, ready: bool | None = True) -> ScaledPod:
    return ScaledPod(
        name=name,
        containers=(ContainerRequests(name="api", requests_m={"cpu": request, "memory": request * 1000}),),
        started_ns=round(started_s * S),
        ready=ready,
        ready_changed_ns=round((started_s + 5) * S),
    )


def pods(count: int, **kwargs: float) -> list[ScaledPod]:
    return [a_pod(f"api-{i}", **kwargs) for i in range(count)]  # type: ignore[arg-type]


def usage(values: Mapping[str, int] | Sequence[int], at_s: float = 0, resource: str = "cpu") -> list[PodUsage]:
    named = values if isinstance(values, Mapping) else {f"api-{i}": value for i, value in enumerate(values)}
    return [
        PodUsage(name=name, at_ns=round(at_s * S), window_ns=15 * S, containers_m={"api": {resource: value}})
        for name, value in named.items()
    ]


def look(
    hpa: Hpa,
    of: Sequence[ScaledPod],
    used: Sequence[PodUsage],
    *,
    current: int | None = None,
    at_s: float = 0,
    settings: Settings | None = None,
) -> Look:
    replicas = len(of) if current is None else current
    return Look(
        hpa=hpa,
        scale=ScaleSubresource(replicas, len(of)),
        pods=of,
        readings=Readings(pods=used),
        now_ns=round(at_s * S),
        settings=settings or Settings(),
    )


def one(hpa: Hpa, of: Sequence[ScaledPod], used: Sequence[PodUsage], *, current: int | None = None) -> ScaleOutcome:
    """A first reconciliation."""
    return sync(look(hpa, of, used, current=current), History())


def wanted(hpa: Hpa, of: Sequence[ScaledPod], used: Sequence[PodUsage], *, current: int | None = None) -> int | None:
    """What the metrics ask for, before any limit."""
    return one(hpa, of, used, current=current).metric_replicas


def run(hpa: Hpa, steps: Sequence[tuple[float, int]], *, begin: int, request: int = 100) -> list[int]:
    """Replicas after each step (time in s, percent of every pod's request used), the target following at once."""
    replicas, history, seen = begin, History(), []
    for at_s, percent in steps:
        used = usage([percent * request // 100] * replicas)
        outcome = sync(look(hpa, pods(replicas, request=request), used, at_s=at_s), history)
        replicas, history = outcome.replicas, outcome.history
        seen.append(replicas)
    return seen
