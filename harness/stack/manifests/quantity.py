"""Kubernetes quantities ("500m", "512Mi") as integers. Source: apimachinery ``resource.Quantity``.

One CPU factor for requests and limits where the machine is small (design: interfaces, CPU).
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from typing import Any

import msgspec

from harness.model.autoscaling import Hpa, MetricKind, MetricSpec
from harness.model.manifests import Container, Manifests
from harness.model.message import message

_MILLI = 1000
_OF_PODS = (MetricKind.RESOURCE, MetricKind.CONTAINER_RESOURCE)


def cpu_factor(manifests: Manifests, cores: float, pods: int) -> float:
    """What CPU requests and limits are multiplied by so that ``pods`` of them fit ``cores``; 1 when they do.

    One factor for both, and for an autoscaler's target in cores, so that their ratio, and an autoscaler's percentage of
    the request, stay the document's.
    """
    requested = sum(container.request_cpu_m or 0 for container in manifests.deployment.template.containers) * pods
    return min(1.0, cores * _MILLI / requested) if requested else 1.0


def limits_factor(manifests: Manifests, cores: float, pods: int) -> float:
    """The same, so that not the requests but the limits of ``pods`` fit ``cores``: none can then take more than its
    share. A container without a limit counts with its request.
    """
    containers = manifests.deployment.template.containers
    limited = sum(each.limit_cpu_m or each.request_cpu_m or 0 for each in containers) * pods
    return min(1.0, cores * _MILLI / limited) if limited else 1.0


def scaled(manifests: Manifests, factor: float, *, raw: bool = False) -> Manifests:
    """The typed manifests with CPU requests, limits and an autoscaler's target times ``factor``: other pods, so another
    digest.

    With ``raw`` the documents too, which a stack multiplies once more by its own factor.
    """
    if factor == 1:
        return manifests
    template = manifests.deployment.template
    digest = hashlib.sha256(f"{template.digest}\ncpu x {factor!r}".encode()).hexdigest()[: len(template.digest)]
    containers = tuple(_scaled(container, factor) for container in template.containers)
    template = msgspec.structs.replace(template, containers=containers, digest=digest)
    deployment = msgspec.structs.replace(manifests.deployment, template=template)
    documents = copy.deepcopy(manifests.documents)
    for amounts in _amounts(documents) if raw else ():
        amounts["cpu"] = f"{_times(millicores(amounts['cpu']), factor)}m"
    for document in documents.values() if raw else ():
        scale_targets(document, factor)
    hpa = None if manifests.hpa is None else _targeted(manifests.hpa, factor)
    return msgspec.structs.replace(manifests, deployment=deployment, documents=documents, hpa=hpa)


def scale_targets(document: dict[str, Any], factor: float) -> None:
    """Multiplies the targets in cores of an HPA's document; a percentage, and any other kind, stays as it is."""
    for metric in document["spec"].get("metrics") or () if document["kind"] == "HorizontalPodAutoscaler" else ():
        source = metric.get("resource") or metric.get("containerResource") or {}
        if source.get("name") == "cpu" and (amount := source["target"].get("averageValue")) is not None:
            source["target"]["averageValue"] = f"{_times(millicores(amount), factor)}m"


def _amounts(documents: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The requests and limits of every Deployment's containers that name CPU."""
    for document in documents.values():
        if document["kind"] == "Deployment":
            spec = document["spec"]["template"]["spec"]
            for container in (*spec["containers"], *spec.get("initContainers", [])):
                yield from (each for each in container.get("resources", {}).values() if "cpu" in each)


def _targeted(hpa: Hpa, factor: float) -> Hpa:
    def metric(each: MetricSpec) -> MetricSpec:
        if each.kind not in _OF_PODS or each.name != "cpu" or each.average_value_m is None:
            return each
        return msgspec.structs.replace(each, average_value_m=_times(each.average_value_m, factor))

    return msgspec.structs.replace(hpa, metrics=tuple(map(metric, hpa.metrics)))


def _scaled(container: Container, factor: float) -> Container:
    request, limit = (
        None if amount is None else _times(amount, factor)
        for amount in (container.request_cpu_m, container.limit_cpu_m)
    )
    return msgspec.structs.replace(container, request_cpu_m=request, limit_cpu_m=limit)


def _times(amount_m: int, factor: float) -> int:
    return max(1, round(amount_m * factor))


_QUANTITY = re.compile(r"^([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([eE][+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i)?)$")
_SCALE = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}


def parse(text: str | float) -> Decimal:
    """The number a quantity stands for. Raises ``ValueError`` naming the text and an example."""
    match = _QUANTITY.match(str(text)) if not isinstance(text, bool) else None
    if match is None:
        raise ValueError(
            message("{value} is not a Kubernetes quantity; write for example '500m' or '512Mi'", value=repr(text))
        )
    number = Decimal(match[1] + (match[2] or ""))
    return number * _SCALE.get(match[3] or "", Decimal(1))


def millicores(text: str | float) -> int:
    """CPU in millicores, rounded up as Kubernetes does; ``ValueError`` when negative or no quantity."""
    return _whole(parse(text) * 1000, text)


def whole_bytes(text: str | float) -> int:
    """Memory in bytes, rounded up as Kubernetes does; ``ValueError`` when negative or no quantity."""
    return _whole(parse(text), text)


def _whole(number: Decimal, text: str | float) -> int:
    if number < 0:
        raise ValueError(message("{value} is negative", value=repr(text)))
    return int(number.to_integral_value(rounding=ROUND_CEILING))
