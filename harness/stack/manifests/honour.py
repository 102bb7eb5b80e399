"""What a folder asks for and a rung cannot give: said before the run, never swallowed.

A real cluster gives all of it, its API server refusing what it does not know. Pods that are processes of one machine
have no node, no user, no file system and no network of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.model.manifests import Manifests

_POD = {
    "securityContext": "its processes run as the user who runs the rehearsal",
    "topologySpreadConstraints": "there is one node",
    "affinity": "there is one node",
    "nodeSelector": "there is one node",
    "tolerations": "there is one node",
    "priorityClassName": "nothing is preempted",
    "volumes": "its processes see the machine's files",
    "hostNetwork": "every pod is on the machine's network",
}
_CONTAINER = {
    "securityContext": "its processes run as the user who runs the rehearsal",
    "volumeMounts": "its processes see the machine's files",
    "command": "the target's own command runs",
}
_KINDS = {
    "NetworkPolicy": "its pods have no network of their own",
    "Ingress": "there is no Ingress controller; users ask the Service",
    "Role": "nobody asks an API server",
    "RoleBinding": "nobody asks an API server",
    "PriorityClass": "nothing is preempted",
}
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_RESOURCES = ("cpu", "memory")


def not_honoured_by_processes(manifests: Manifests) -> tuple[str, ...]:
    """Sentences on what the rung ``local`` does not honour of ``manifests``, in their order; () when it does all."""
    return tuple(dict.fromkeys(_found(manifests.documents)))


def _found(documents: dict[str, dict[str, Any]]) -> Iterator[str]:
    for key, document in documents.items():
        kind = document["kind"]
        if kind in _KINDS:
            yield f"{key}: {_KINDS[kind]}"
        if kind == "Deployment":
            yield from _of_pod(key, document["spec"]["template"]["spec"])


def _of_pod(key: str, pod: dict[str, Any]) -> Iterator[str]:
    yield from (f"{key}: {name} of the pod: {why}" for name, why in _POD.items() if pod.get(name))
    for container in (*pod.get("containers", []), *pod.get("initContainers", [])):
        where = f"{key}: {{}} of container {container['name']}"
        yield from (f"{where.format(name)}: {why}" for name, why in _CONTAINER.items() if container.get(name))
        amounts = container.get("resources", {})
        others = {name for part in amounts.values() for name in part} - set(_RESOURCES)
        yield from (f"{where.format(f'resource {name}')}: only CPU and memory are limited" for name in sorted(others))
        yield from _of_life(where, container)
    for container in pod.get("initContainers", []):
        if container.get("restartPolicy") != "Always":
            yield f"{key}: init container {container['name']}: it is not run"
    for container in pod.get("containers", [])[1:]:
        probes = [name for name in _PROBES if "httpGet" in container.get(name, {})]
        yield from (f"{key}: {name} of container {container['name']}: only the target is probed" for name in probes)


def _of_life(where: str, container: dict[str, Any]) -> Iterator[str]:
    """Probes and lifecycle hooks that are no HTTP request and no sleep."""
    for name in _PROBES:
        if container.get(name) and "httpGet" not in container[name]:
            yield f"{where.format(name)}: only httpGet is probed"
    hooks = container.get("lifecycle", {})
    if "postStart" in hooks:
        yield f"{where.format('postStart')}: it is not run"
    if hooks.get("preStop") and "sleep" not in hooks["preStop"]:
        yield f"{where.format('preStop')}: only a sleep is kept"
