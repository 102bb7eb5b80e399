"""Manifests changed as people change them: another environment, a fixed number of pods."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from typing import Any

import msgspec

from harness.model.autoscaling import Hpa, MetricKind, MetricSpec
from harness.model.manifests import Container, EnvVar, Manifests
from harness.model.message import message
from harness.model.variables import PRODUCTION
from harness.stack.manifests.forced import reasons

# Kubernetes quantities ("500m", "512Mi") as integers. Source: apimachinery ``resource.Quantity``.
# One CPU factor for requests and limits where the machine is small (design: interfaces, CPU).

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


ALLOW_HTTP = "kubernetes.io/ingress.allow-http"


def with_env(manifests: Manifests, **variables: str) -> Manifests:
    """The first container's environment with ``variables`` set; a change makes the pods due for replacement."""
    deployment, template = manifests.deployment, manifests.deployment.template
    first = template.containers[0]
    if variables.items() <= {each.name: each.value for each in first.env}.items():
        return manifests
    kept = tuple(each for each in first.env if each.name not in variables)
    env = (*kept, *(EnvVar(name=name, value=value, source="value") for name, value in sorted(variables.items())))
    text = template.digest + "".join(f"\n{each.name}={each.value}" for each in env)
    template = msgspec.structs.replace(
        template,
        containers=(msgspec.structs.replace(first, env=env), *template.containers[1:]),
        digest=hashlib.sha256(text.encode()).hexdigest()[:16],
    )
    return msgspec.structs.replace(manifests, deployment=msgspec.structs.replace(deployment, template=template))


def environment_as_written(manifests: Manifests) -> str:
    """Return what the folder tells its pods to be, before the patch that tells them otherwise for a rehearsal: that one
    takes the place of production alone."""
    taken = any(each.reason.startswith(reasons.ENVIRONMENT) for each in manifests.patches)
    return PRODUCTION[0] if taken else manifests.config.get("environment", "")


def without_autoscaler(manifests: Manifests, replicas: int) -> Manifests:
    """With a fixed number of pods and no HPA: what is measured a pod must not stand on a number that changes."""
    documents = {name: doc for name, doc in manifests.documents.items() if not name.startswith("HorizontalPodAuto")}
    deployment = msgspec.structs.replace(manifests.deployment, replicas=replicas)
    return msgspec.structs.replace(manifests, documents=documents, hpa=None, deployment=deployment)


def without_policies(manifests: Manifests) -> Manifests:
    """Without NetworkPolicies: every pod reaches every other, as by default."""
    documents = {name: doc for name, doc in manifests.documents.items() if not name.startswith("NetworkPolicy/")}
    return msgspec.structs.replace(manifests, documents=documents)


def policies(manifests: Manifests) -> tuple[str, ...]:
    """The NetworkPolicies by name."""
    return tuple(key.partition("/")[2] for key in manifests.documents if key.startswith("NetworkPolicy/"))


def ingresses(manifests: Manifests) -> tuple[str, ...]:
    """The Ingresses by name."""
    return tuple(key.partition("/")[2] for key in manifests.documents if key.startswith("Ingress/"))


def without_ingress(manifests: Manifests) -> Manifests:
    """Without Ingresses: users come to the Service, which has a way in of its own again."""
    documents = {name: doc for name, doc in _reachable(manifests).documents.items() if not name.startswith("Ingress/")}
    return msgspec.structs.replace(manifests, documents=documents)


def http_allowed(manifests: Manifests) -> Manifests:
    """With Ingresses that do not forbid plain HTTP, and the Service reachable beside them: on the way from one to the
    other."""
    documents = copy.deepcopy(_reachable(manifests).documents)
    for key, document in documents.items():
        if key.startswith("Ingress/"):
            document["metadata"].get("annotations", {}).pop(ALLOW_HTTP, None)
    return msgspec.structs.replace(manifests, documents=documents)


def _reachable(manifests: Manifests) -> Manifests:
    """A Service that only an Ingress leads to gets the rung's way in, a NodePort."""
    documents = dict(manifests.documents)
    if ingresses(manifests):
        for key, document in manifests.documents.items():
            if key.startswith("Service/") and document["spec"].get("type") == "ClusterIP":
                documents[key] = {**document, "spec": {**document["spec"], "type": "NodePort"}}
    return msgspec.structs.replace(manifests, documents=documents)


def spreads_over_zones(manifests: Manifests) -> bool:
    """Whether the Deployment asks that its pods be spread over zones (topologySpreadConstraints)."""
    spec = manifests.documents[f"Deployment/{manifests.deployment.name}"]["spec"]["template"]["spec"]
    keys = (each.get("topologyKey") for each in spec.get("topologySpreadConstraints", ()))
    return "topology.kubernetes.io/zone" in keys
