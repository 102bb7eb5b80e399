"""What metrics-server makes of the kubelets' counters (kubernetes-sigs/metrics-server, pkg/storage, v0.8).

Every 15 s it keeps each container's last two readings: CPU is the rate between them, over a window that ends at the
later one; memory is the later one's. A container that started within the last 15 s, at least 10 s ago, is measured
from its start; a younger or restarted one has no value, and then neither has its pod.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from harness.model.autoscaling import PodUsage

RESOLUTION_S = 15.0  # ``--metric-resolution``
_NS = 10**9
_FRESH_NS = (10 * _NS, 15 * _NS)  # ``freshContainerMinMetricsResolution``, and the resolution


class ContainerCounters(msgspec.Struct, frozen=True):
    """A container's counters at ``at_ns``: CPU seconds since it started at ``started_ns``, and memory now."""

    at_ns: int
    started_ns: int
    cpu_s: float
    memory_bytes: int


#: By pod, by container; a container that does not run is left out.
Scrape = Mapping[str, Mapping[str, ContainerCounters]]


def usage(before: Scrape, last: Scrape) -> list[PodUsage]:
    """Usage of the pods in ``last``, in milli-units, by name."""
    found = []
    for name, containers in sorted(last.items()):
        values: dict[str, dict[str, int]] = {}
        spans: list[tuple[int, int]] = []
        for container, reading in containers.items():
            earlier = _earlier(before.get(name, {}).get(container), reading)
            if earlier is None:
                continue
            span_ns = reading.at_ns - earlier.at_ns
            cores = max(0.0, reading.cpu_s - earlier.cpu_s) / (span_ns / _NS)
            values[container] = {"cpu": _up(cores * 1000), "memory": reading.memory_bytes * 1000}
            spans.append((reading.at_ns, span_ns))
        if spans and len(values) == len(containers):
            at_ns, window_ns = min(spans)
            found.append(PodUsage(name=name, at_ns=at_ns, window_ns=window_ns, containers_m=values))
    return found


def _earlier(before: ContainerCounters | None, last: ContainerCounters) -> ContainerCounters | None:
    if before is not None and before.started_ns == last.started_ns and before.at_ns < last.at_ns:
        return before
    age_ns = last.at_ns - last.started_ns
    if _FRESH_NS[0] <= age_ns < _FRESH_NS[1]:
        return ContainerCounters(last.started_ns, last.started_ns, 0.0, 0)
    return None


def _up(number: float) -> int:
    """Quantities round up to a milli-unit."""
    return -int(-number // 1)
