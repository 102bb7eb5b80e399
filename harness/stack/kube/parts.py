"""What a run puts beside the target in its namespace: PostgreSQL, the Firebase parts, the gateway. As documents.

Pods of their own and no Deployments: a database that were started anew elsewhere would be an empty one, so an end is an
end. Everything carries the label ``labels.PART``, which keeps it out of what the target's watchers count.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness.stack.kube import mux
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import Json
from harness.stack.kubernetes.compose import DATABASE, Definition

GATEWAY = "gateway"
SERVICE = "service"  # the target's, as the gateway knows it
ACCOUNT = "parts"
GATEWAY_PORT = 9000
CONTAINER = "part"
_MOUNT = "/etc/rehearsal"
_NUMBERED_USER: Json = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532}
_MEMORY = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}}


class Images(msgspec.Struct, frozen=True, kw_only=True):
    """Names as the nodes know them. ``command`` is what the target's container runs, () for the image's own.

    ``pull`` is the pull policy of our images, ``target_pull`` the target's: ``Never`` where no registry is named, so
    that nobody's image of the same name is fetched from a public one.
    """

    target: str
    command: tuple[str, ...]
    sidecar: str
    postgres: str
    firebase: str
    pull: str
    target_pull: str


def name_of(part: str) -> str:
    """The name of a part's pod and Service."""
    return f"rehearsal-{part.replace('_', '-')}"


def account() -> Json:
    """The parts' own service account, without a right: the namespace's default one comes a moment after it."""
    metadata = _metadata(ACCOUNT)
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False}


def service(part: str, port: int) -> Json:
    """The Service of an outside service."""
    spec = {"selector": {labels.PART: name_of(part)}, "ports": [{"port": port, "targetPort": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(part), "spec": spec}


def outside_pod(part: str, definition: Definition, images: Images, password: str) -> Json:
    """The pod of an outside service, as compose.yaml has it."""
    database = part == DATABASE
    variables = {**definition.environment, **({"POSTGRES_PASSWORD": password} if database else {})}
    container = {
        "image": images.postgres if database else images.firebase,
        "args": definition.command,
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "ports": [{"containerPort": definition.port}],
    }
    if not database:  # PostgreSQL's image names its user, and a kubelet cannot tell that a name is not root's
        return _pod(part, container, images, user=_NUMBERED_USER)
    container["volumeMounts"] = [{"name": "shm", "mountPath": "/dev/shm"}]  # noqa: S108 - the pod's
    shm = {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "128Mi"}}
    return _pod(part, container, images, volumes=[shm])


def gateway_script() -> Json:
    """The gateway's program as a ConfigMap, so that it needs no image but the sidecar's, which has Python."""
    program = Path(mux.__file__)
    data = {program.name: program.read_text()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(GATEWAY), "data": data}


def gateway_pod(addresses: dict[str, str], images: Images) -> Json:
    """The gateway, which leads to ``addresses`` (``host:port`` by name) and nowhere else."""
    named = [f"{name}={address}" for name, address in addresses.items()]
    container = {
        "image": images.sidecar,
        "command": ["python3", "-I", "-S", f"{_MOUNT}/{Path(mux.__file__).name}", str(GATEWAY_PORT), *named],
        "volumeMounts": [{"name": "script", "mountPath": _MOUNT}],
    }
    script = {"name": "script", "configMap": {"name": name_of(GATEWAY)}}
    return _pod(GATEWAY, container, images, volumes=[script], user=_NUMBERED_USER)


def hosted(address: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _metadata(part: str) -> Json:
    return {"name": name_of(part), "labels": {labels.MANAGED: labels.MANAGER, labels.PART: name_of(part)}}


def _pod(
    part: str, container: Json, images: Images, *, volumes: list[Any] | None = None, user: Json | None = None
) -> Json:
    closed = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    spec = {
        "containers": [
            {
                "name": CONTAINER,
                "imagePullPolicy": images.pull,
                "resources": _MEMORY,
                "securityContext": closed,
                **container,
            }
        ],
        "restartPolicy": "Never",
        "serviceAccountName": name_of(ACCOUNT),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, **(user or {})},
        "volumes": volumes or [],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(part), "spec": spec}
