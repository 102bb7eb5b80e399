"""The pods and the Service as the rung can have them: images, scheduling, identity, the way in."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from harness.base.errors import BadInput
from harness.model.message import message
from harness.model.stack import EnvironmentKind
from harness.stack.manifests import quantity
from harness.stack.manifests.forced import reasons
from harness.stack.manifests.forced.work import (
    BY_THE_RUNG,
    TARGET_IMAGE,
    TARGET_PROCESS,
    ForcedDocuments,
    Json,
    containers,
    is_proxy,
)

#: Labels that the rehearsal's nodes have.
_OF_NODES = ("kubernetes.io/", "topology.kubernetes.io/zone", "node-role.kubernetes.io/", "node.kubernetes.io/")
_FRONT = ("loadBalancerIP", "loadBalancerClass", "loadBalancerSourceRanges", "externalIPs", "clusterIP", "clusterIPs",
          "healthCheckNodePort", "ipFamilies", "ipFamilyPolicy", "externalName")  # fmt: skip
_IDENTITIES = ("iam.gke.io/gcp-service-account", "eks.amazonaws.com/role-arn", "azure.workload.identity/client-id")
_LEAST_MEMORY = 512 * 2**20
_OPEN = "rehearsal-outside"


def force(work: ForcedDocuments, *, fronted: bool) -> None:
    """Everything but the proxy and the variables. ``fronted`` leaves the Service to the Ingress before it."""
    _image(work)
    if not work.on_cluster:
        return
    for key, pod in work.pods():
        _places(work, key, pod)
        if pod.pop("imagePullSecrets", None):
            work.note(f"{key} imagePullSecrets", reasons.PULL)
    for key in work.of_kind("ServiceAccount"):
        _identity(work, key)
    for key in work.of_kind("Secret"):
        _base64(work, key)
    if not fronted:
        _front(work)
    _policy(work)


def _image(work: ForcedDocuments) -> None:
    container, target = work.container, work.target
    if not work.on_cluster:
        container["image"] = TARGET_PROCESS
        work.note("target-process", reasons.TARGET_PROCESS)
        return
    was = work.image
    container["image"], container["imagePullPolicy"] = TARGET_IMAGE, "Never"
    work.note("target-image", reasons.GIVEN_IMAGE if target.own_image else reasons.TARGET_IMAGE)
    if target.own_image:
        for _, pod in work.pods():
            for each in containers(pod):
                if each.get("image") == was and not is_proxy(each):
                    each["image"], each["imagePullPolicy"] = TARGET_IMAGE, "Never"
        return
    if gone := [key for key in ("command", "args") if container.pop(key, None)]:
        work.note(f"{container['name']} {', '.join(gone)}", reasons.COMMAND)
    if target.bundled:
        _memory(work, container)


def _memory(work: ForcedDocuments, container: Json) -> None:
    """Another program's limit may be too small for the bundled API."""
    limits = (container.get("resources") or {}).get("limits") or {}
    try:
        small = "memory" in limits and quantity.whole_bytes(limits["memory"]) < _LEAST_MEMORY
    except ValueError:
        return  # the reader says what is wrong with it
    if small:
        limits["memory"] = "512Mi"
        work.note(f"{container['name']} limits.memory", reasons.MEMORY)


def _places(work: ForcedDocuments, key: str, pod: Json) -> None:
    """Takes away what no node of the rehearsal's has; on somebody's own cluster it is theirs to have."""
    if work.rung is not EnvironmentKind.KIND:
        _classes_left_out(work, key, pod)
        return
    gone = [name for name in ("runtimeClassName", "schedulerName") if pod.pop(name, "default-scheduler")
            not in ("default-scheduler",)]  # fmt: skip
    if not str(pod.get("priorityClassName", "system-")).startswith("system-"):
        del pod["priorityClassName"]
        pod.pop("priority", None)
        gone.append("priorityClassName")
    if any(not name.startswith(_OF_NODES) for name in pod.get("nodeSelector") or {}):
        del pod["nodeSelector"]
        gone.append("nodeSelector")
    required = ((pod.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if required and _foreign(required):
        del pod["affinity"]["nodeAffinity"]
        gone.append("nodeAffinity")
    spread = pod.get("topologySpreadConstraints") or []
    kept = [each for each in spread if each.get("topologyKey", "").startswith(_OF_NODES)]
    if len(kept) != len(spread):
        pod["topologySpreadConstraints"] = kept
        gone.append("topologySpreadConstraints")
    if gone:
        work.note(f"{key} {', '.join(gone)}", reasons.PLACES)


def _classes_left_out(work: ForcedDocuments, key: str, pod: Json) -> None:
    """Without a class that the folder itself brings no pod could be made: it is not made with them."""
    left_out = {note.name for note in work.notes}
    kinds = {"priorityClassName": "PriorityClass", "runtimeClassName": "RuntimeClass"}
    for name, kind in kinds.items():
        if f"{kind}/{pod.get(name)}" in left_out:
            del pod[name]
            work.note(f"{key} {name}", reasons.CLASS)


def _foreign(required: Json) -> bool:
    terms = required.get("nodeSelectorTerms") or []
    named = [each.get("key", "") for term in terms for each in term.get("matchExpressions") or []]
    return any(not name.startswith(_OF_NODES) for name in named)


def _identity(work: ForcedDocuments, key: str) -> None:
    annotations = work.documents[key]["metadata"].get("annotations") or {}
    if gone := [name for name in _IDENTITIES if annotations.pop(name, None) is not None]:
        work.note(f"{key} {', '.join(gone)}", reasons.IDENTITY)


def _base64(work: ForcedDocuments, key: str) -> None:
    """Raises ``BadInput`` for a value that the API server would refuse."""
    for name, value in (work.documents[key].get("data") or {}).items():
        try:
            base64.b64decode("".join(str(value).split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadInput(
                message("the value of {name} is no base64", name=repr(name)),
                where=f"{work.folder}: {key}.data.{name}",
                remedy="write it under stringData as it is, or encode it: printf %s VALUE | base64",
            ) from error


def _front(work: ForcedDocuments) -> None:
    spec = work.documents[work.service]["spec"]
    wanted = "NodePort" if work.rung is EnvironmentKind.KIND else "ClusterIP"
    for name in _FRONT:
        spec.pop(name, None)
    for port in spec["ports"]:
        port.pop("nodePort", None)
    if wanted == "ClusterIP":
        for name in ("externalTrafficPolicy", "allocateLoadBalancerNodePorts"):
            spec.pop(name, None)
    if spec.get("type", "ClusterIP") != wanted:
        spec["type"] = wanted
        work.note("node-port" if wanted == "NodePort" else "cluster-ip",
                  reasons.NODE_PORT if wanted == "NodePort" else reasons.CLUSTER_IP)  # fmt: skip


def _policy(work: ForcedDocuments) -> None:
    """Where policies isolate the target's pods, one more lets through what the rehearsal puts in the place of theirs:
    policies add up. Folders that say ``set-by-the-rung`` know the rehearsal's addresses themselves."""
    policies = [work.documents[key] for key in work.of_kind("NetworkPolicy")]
    if not policies or any(BY_THE_RUNG in str(each) for each in policies):
        return
    parts: list[Json] = [
        {"podSelector": {"matchExpressions": [{"key": "tekutoko-rehearsal.part", "operator": "Exists"}]}}
    ]
    if work.rung is EnvironmentKind.KIND:
        parts = [{"ipBlock": {"cidr": f"{BY_THE_RUNG}{part}"}} for part in ("postgres", "auth", "firestore", "storage")]
    users: list[Any] = [{"ipBlock": {"cidr": f"{BY_THE_RUNG}nodes"}}] if work.rung is EnvironmentKind.KIND else parts
    work.documents[f"NetworkPolicy/{_OPEN}"] = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": _OPEN},
        "spec": {
            "podSelector": {"matchLabels": dict(work.labels)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": users, "ports": [{"protocol": "TCP", "port": work.port}]}],
            "egress": [{"to": parts}],
        },
    }
    work.note(f"NetworkPolicy/{_OPEN}", reasons.POLICY)
