"""Which pods receive traffic (the EndpointSlice controller)."""

from __future__ import annotations

from collections.abc import Iterable

from harness.model.cluster import PodView


def ready_endpoints(pods: Iterable[PodView]) -> tuple[str, ...]:
    """Names of the pods behind the service, sorted.

    Kubernetes: an endpoint's ``ready`` is the pod's Ready condition, and always false once the pod is terminating
    (discovery/v1 ``EndpointConditions``; ``publishNotReadyAddresses`` is off, as in the document's Service).
    """
    return tuple(sorted(pod.name for pod in pods if pod.ready and not pod.terminating))
