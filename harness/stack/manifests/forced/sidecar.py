"""The proxy to the database: recognised by its image, whatever its name, and led to the run's own database."""

from __future__ import annotations

import re
from typing import Any

from harness.stack.manifests.forced import reasons
from harness.stack.manifests.forced.work import (
    OUTSIDE,
    SIDECAR_IMAGE,
    SIDECAR_PROCESS,
    Json,
    Work,
    instance_of,
    proxies,
)

CONTROL = "/tmp/sidecar.control"  # noqa: S108 - inside its own container
USUAL_PORT = 5432
_ALONE = ("livenessProbe", "readinessProbe", "lifecycle", "envFrom", "volumeMounts", "command")
_PORT = re.compile(r"(?:--port|-p)[= ](\d+)|[?&]port=(\d+)|=tcp:(?:[\w.]+:)?(\d+)")


def force(work: Work) -> int:
    """Puts the rehearsal's TCP proxy in the place of the first one. Its port in the pod; 0 without a proxy."""
    found = proxies(work.pod)
    if not found:
        return 0
    proxy = found[0]
    port = port_of(proxy)
    if not work.on_cluster:
        proxy["image"] = SIDECAR_PROCESS
        work.note("sidecar-process", reasons.SIDECAR_PROCESS)
        return port
    instance = instance_of([*proxy.get("command", []), *proxy.get("args", []), _named(proxy)])
    for key in _ALONE:
        proxy.pop(key, None)
    proxy["image"], proxy["imagePullPolicy"] = SIDECAR_IMAGE, "Never"
    proxy["args"] = [str(port), "$(DATABASE_HOST)", "$(DATABASE_PORT)", CONTROL, *([instance] if instance else [])]
    proxy["env"] = [_address("DATABASE_HOST", "database_host"), _address("DATABASE_PORT", "database_port")]
    if "startupProbe" in proxy:
        kept = {key: value for key, value in proxy["startupProbe"].items() if key not in ("httpGet", "exec", "grpc")}
        # From inside: like Cloud SQL Proxy it listens on the pod's loopback alone, which the kubelet does not reach.
        ask = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1).close()"
        proxy["startupProbe"] = {**kept, "exec": {"command": ["python3", "-I", "-S", "-c", ask]}}
        work.note(f"{proxy['name']} startupProbe", reasons.PROBE)
    _writable(work, proxy)
    work.note("sidecar-image", reasons.SIDECAR_IMAGE)
    return port


def port_of(proxy: Json) -> int:
    """The port that it listens on in the pod, as its arguments or its variables say it."""
    words = " ".join(str(each) for each in (*proxy.get("command", []), *proxy.get("args", [])))
    for found in _PORT.finditer(words):
        return int(next(filter(None, found.groups())))
    said = next((each.get("value", "") for each in proxy.get("env", []) if each["name"] == "CSQL_PROXY_PORT"), "")
    return int(said) if str(said).isdigit() else USUAL_PORT


def _named(proxy: Json) -> str:
    """The instance as a variable of the proxy says it."""
    return " ".join(
        str(each.get("value", ""))
        for each in proxy.get("env", [])
        if each["name"].startswith("CSQL_PROXY_INSTANCE_CONNECTION_NAME")
    )


def _address(name: str, key: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"configMapKeyRef": {"name": OUTSIDE, "key": key}}}


def _writable(work: Work, proxy: Json) -> None:
    """It reads what a fault asks for from a file: it needs a folder of its own below a read-only root."""
    if proxy.get("securityContext", {}).get("readOnlyRootFilesystem"):
        name = "rehearsal-sidecar"
        proxy["volumeMounts"] = [{"name": name, "mountPath": "/tmp"}]  # noqa: S108 - of its own container
        work.pod.setdefault("volumes", []).append({"name": name, "emptyDir": {}})
