"""What a folder asks for and a rung cannot give: said before the run, never swallowed.

A real cluster gives all of it, its API server refusing what it does not know. Pods that are processes of one machine
have no node, no user, no file system and no network of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.model.manifests import Manifests
from harness.model.message import Message, gettext_noop, message

_POD = {
    "securityContext": gettext_noop("its processes run as the user who runs the rehearsal"),
    "topologySpreadConstraints": gettext_noop("there is one node"),
    "affinity": gettext_noop("there is one node"),
    "nodeSelector": gettext_noop("there is one node"),
    "tolerations": gettext_noop("there is one node"),
    "priorityClassName": gettext_noop("nothing is preempted"),
    "volumes": gettext_noop("its processes see the machine's files"),
    "hostNetwork": gettext_noop("every pod is on the machine's network"),
}
_CONTAINER = {
    "securityContext": gettext_noop("its processes run as the user who runs the rehearsal"),
    "volumeMounts": gettext_noop("its processes see the machine's files"),
    "command": gettext_noop("the target's own command runs"),
}
_KINDS = {
    "NetworkPolicy": gettext_noop("its pods have no network of their own"),
    "Ingress": gettext_noop("there is no Ingress controller; users ask the Service"),
    "Role": gettext_noop("nobody asks an API server"),
    "RoleBinding": gettext_noop("nobody asks an API server"),
    "PriorityClass": gettext_noop("nothing is preempted"),
}
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_RESOURCES = ("cpu", "memory")


_ONLY_CPU, _NOT_RUN = gettext_noop("only CPU and memory are limited"), gettext_noop("it is not run")
_TARGET_ALONE, _ONLY_GET = gettext_noop("only the target is probed"), gettext_noop("only httpGet is probed")
_PLAINLY = gettext_noop("it is asked by plain HTTP, without headers of its own")
_ONE_PORT = gettext_noop("it is asked at the port of the target's first, which is the one that it is told")
_ONLY_SLEEP = gettext_noop("only a sleep is kept")


def not_honoured_by_processes(manifests: Manifests) -> tuple[Message, ...]:
    """What the rung ``local`` does not honour of ``manifests``, and why, in their order; () when it does all."""
    found = dict.fromkeys(_found(manifests.documents))
    return tuple(message("{what}: {why}", what=what, why=Message(text=why)) for what, why in found)


def _found(documents: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """What is not honoured, and the message id of why."""
    for key, document in documents.items():
        kind = document["kind"]
        if kind in _KINDS:
            yield key, _KINDS[kind]
        if kind == "Deployment":
            yield from _of_pod(key, document["spec"]["template"]["spec"])


def _of_pod(key: str, pod: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((f"{key}: {name} of the pod", why) for name, why in _POD.items() if pod.get(name))
    for container in (*pod.get("containers", []), *pod.get("initContainers", [])):
        where = f"{key}: {{}} of container {container['name']}"
        yield from ((where.format(name), why) for name, why in _CONTAINER.items() if container.get(name))
        amounts = container.get("resources", {})
        others = {name for part in amounts.values() for name in part} - set(_RESOURCES)
        yield from ((where.format(f"resource {name}"), _ONLY_CPU) for name in sorted(others))
        yield from _of_life(where, container)
    for container in pod.get("initContainers", []):
        if container.get("restartPolicy") != "Always":
            yield f"{key}: init container {container['name']}", _NOT_RUN
    for container in pod.get("containers", [])[1:]:
        probes = [name for name in _PROBES if "httpGet" in container.get(name, {})]
        yield from ((f"{key}: {name} of container {container['name']}", _TARGET_ALONE) for name in probes)


def _of_life(where: str, container: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Probes and lifecycle hooks that are no HTTP request and no sleep."""
    for name in _PROBES:
        if container.get(name) and "httpGet" not in container[name]:
            yield where.format(name), _ONLY_GET
        asked = (container.get(name) or {}).get("httpGet") or {}
        if str(asked.get("scheme", "HTTP")).upper() != "HTTP" or asked.get("httpHeaders"):
            yield where.format(name), _PLAINLY
        if asked and (ports := container.get("ports")) and _elsewhere(asked.get("port"), ports):
            yield where.format(name), _ONE_PORT
    hooks = container.get("lifecycle", {})
    if "postStart" in hooks:
        yield where.format("postStart"), _NOT_RUN
    if hooks.get("preStop") and "sleep" not in hooks["preStop"]:
        yield where.format("preStop"), _ONLY_SLEEP


def _elsewhere(port: Any, ports: list[dict[str, Any]]) -> bool:
    """Whether a probe's port, by number or name, is another than the container's first."""
    first = ports[0]
    return port not in (first.get("containerPort"), str(first.get("containerPort")), first.get("name"))
