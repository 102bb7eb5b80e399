"""The proxy to the database: recognised by its image, whatever its name, and led to the run's own database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from harness.stack.database.sidecar import ACCEPT, DRAIN
from harness.stack.manifests.forced import reasons
from harness.stack.manifests.forced.work import (
    OUTSIDE,
    SIDECAR_IMAGE,
    SIDECAR_PROCESS,
    ForcedDocuments,
    Json,
    accepts_s,
    drain_s,
    instance_of,
    proxies,
)

CONTROL = "/tmp/sidecar.control"  # noqa: S108 - inside its own container
USUAL_PORT = 5432
#: Of its metrics, in the pod: the port of Cloud SQL Proxy's own examples on Kubernetes, where the manifests name none.
#: Its default is what the API's image has for the API's metrics, and the containers of a pod share their ports.
METRICS_PORT, _TAKEN = 9801, "9090"
_ALONE = ("livenessProbe", "readinessProbe", "lifecycle", "envFrom", "volumeMounts", "command")
_PORT = re.compile(r"(?:--port|-p)[= ](\d+)|[?&]port=(\d+)|=tcp:(?:[\w.]+:)?(\d+)")
_METRICS = re.compile(r"--http-port[= ](\d+)")


def force(work: ForcedDocuments) -> int:
    """Puts the rehearsal's TCP proxy in the place of the first one. Its port in the pod; 0 without a proxy."""
    found = proxies(work.pod)
    if not found:
        return 0
    proxy = found[0]
    port = port_of(proxy)
    given = {ACCEPT: accepts_s(proxy), DRAIN: drain_s(proxy)}
    ends = [{"name": name, "value": f"{seconds:g}"} for name, seconds in given.items() if seconds]
    if not work.on_cluster:
        if ends:
            proxy["env"] = [*(proxy.get("env") or ()), *ends]
        proxy["image"] = SIDECAR_PROCESS
        work.note("sidecar-process", reasons.SIDECAR_PROCESS)
        return port
    instance = instance_of([*proxy.get("command", []), *proxy.get("args", []), _named(proxy)])
    pre_stop = (proxy.get("lifecycle") or {}).get("preStop") or {}
    for key in _ALONE:
        proxy.pop(key, None)
    if "sleep" in pre_stop:  # the kubelet's own; a command or a request is for the program that is not here
        proxy["lifecycle"] = {"preStop": {"sleep": pre_stop["sleep"]}}
    proxy["image"], proxy["imagePullPolicy"] = SIDECAR_IMAGE, "Never"
    words = [str(port), "$(DATABASE_HOST)", "$(DATABASE_PORT)", CONTROL, f"0.0.0.0:{_metrics_port_of(proxy)}"]
    proxy["args"] = [*words, *([instance] if instance else [])]
    proxy["env"] = [_address("DATABASE_HOST", "database_host"), _address("DATABASE_PORT", "database_port"), *ends]
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
    return int(_said(proxy, _PORT, "CSQL_PROXY_PORT") or USUAL_PORT)


def _metrics_port_of(proxy: Json) -> str:
    """As the folder has it, by an argument or a variable."""
    said = _said(proxy, _METRICS, "CSQL_PROXY_HTTP_PORT")
    return str(METRICS_PORT) if said in ("", _TAKEN) else said


def metrics_port(arguments: Sequence[str]) -> int:
    """Where the stand-in with these arguments answers ``/metrics`` in its pod."""
    return int(arguments[4].rpartition(":")[2])


def _said(proxy: Json, argument: re.Pattern[str], variable: str) -> str:
    """The number that an argument of the proxy says, else a variable; "" where neither does."""
    words = " ".join(str(each) for each in (*proxy.get("command", []), *proxy.get("args", [])))
    if (found := argument.search(words)) is not None:
        return str(next(filter(None, found.groups())))
    said = str(next((each.get("value", "") for each in proxy.get("env", []) if each["name"] == variable), ""))
    return said if said.isdigit() else ""


def _named(proxy: Json) -> str:
    """The instance as a variable of the proxy says it."""
    return " ".join(
        str(each.get("value", ""))
        for each in proxy.get("env", [])
        if each["name"].startswith("CSQL_PROXY_INSTANCE_CONNECTION_NAME")
    )


def _address(name: str, key: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"configMapKeyRef": {"name": OUTSIDE, "key": key}}}


def _writable(work: ForcedDocuments, proxy: Json) -> None:
    """It reads what a fault asks for from a file: it needs a folder of its own below a read-only root."""
    if proxy.get("securityContext", {}).get("readOnlyRootFilesystem"):
        name = "rehearsal-sidecar"
        proxy["volumeMounts"] = [{"name": name, "mountPath": "/tmp"}]  # noqa: S108 - of its own container
        work.pod.setdefault("volumes", []).append({"name": name, "emptyDir": {}})
