"""One CPU factor for requests and limits where the machine is small (design: interfaces, CPU)."""

from __future__ import annotations

import msgspec

from harness.model.manifests import Container, Manifests

_MILLI = 1000


def cpu_factor(manifests: Manifests, cores: float, pods: int) -> float:
    """What CPU requests and limits are multiplied by so that ``pods`` of them fit ``cores``; 1 when they do.

    One factor for both, so that their ratio, and an autoscaler's percentage of the request, stay the document's.
    """
    requested = sum(container.request_cpu_m or 0 for container in manifests.deployment.template.containers) * pods
    return min(1.0, cores * _MILLI / requested) if requested else 1.0


def scaled(manifests: Manifests, factor: float) -> Manifests:
    """The typed manifests with CPU requests and limits times ``factor``; the raw documents stay."""
    template = manifests.deployment.template
    containers = tuple(_scaled(container, factor) for container in template.containers)
    template = msgspec.structs.replace(template, containers=containers)
    deployment = msgspec.structs.replace(manifests.deployment, template=template)
    return msgspec.structs.replace(manifests, deployment=deployment)


def _scaled(container: Container, factor: float) -> Container:
    request, limit = (
        None if amount is None else max(1, round(amount * factor))
        for amount in (container.request_cpu_m, container.limit_cpu_m)
    )
    return msgspec.structs.replace(container, request_cpu_m=request, limit_cpu_m=limit)
