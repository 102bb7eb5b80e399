"""The cluster's nodes, by the control plane's own kubectl.

kubectl on kind: the control plane's own, so that no version is another's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from harness.model.command import Ran
from harness.stack.kind.commands import run
from harness.stack.kind.docker import docker, execute
from harness.stack.kubernetes.kubectl_runner import run_kubectl
from harness.stack.kubernetes.labels import ZONE

_IN = "/root/rehearsal-by-hand"  # in the control plane's container, whose /tmp is a tmpfs that `docker cp` does not see
_CONFIG = "--kubeconfig=/etc/kubernetes/admin.conf"
_GRACE_S, _SLACK_S = 5, 30.0


async def on_control_plane(
    control_plane: str, namespace: str, *arguments: str, limit_s: float, folder: Path | None = None
) -> Ran:
    """Runs it where a copy of ``folder`` lies, if one is named. Ended after ``limit_s``: status -1, with what was said.

    Raises ``StackNotStarted`` when the folder cannot be copied.
    """
    at = f"{_IN}/{namespace}"
    place: tuple[str, ...] = ()
    if folder is not None:
        place = ("--workdir", at)
        await execute(control_plane, "mkdir", "-p", at, what="making a folder for kubectl")
        await docker("cp", folder, f"{control_plane}:{at}/", what="copying manifests for kubectl")
    # Ended inside the node: ending the client of `docker exec` leaves the program running there.
    bounded = ("timeout", f"--kill-after={_GRACE_S}", f"{limit_s:g}")
    program = ("docker", "exec", *place, control_plane, *bounded, "kubectl", _CONFIG)
    try:
        ran = await run_kubectl(program, namespace, *arguments, limit_s=limit_s + _GRACE_S + _SLACK_S)
    finally:
        if folder is not None:
            await execute(control_plane, "rm", "-rf", at, what="removing the copy for kubectl")
    return msgspec.structs.replace(ran, status=-1) if ran.status in (124, 137) else ran  # timeout's own


ASK_LIMIT_S = 30.0


class Node(msgspec.Struct, frozen=True):
    """A node of the running cluster."""

    name: str
    address: str
    ready: bool
    zone: str


async def kubectl(control_plane: str, *arguments: str, what: str, limit_s: float = ASK_LIMIT_S, stdin: str = "") -> str:
    """Runs the control plane's own kubectl: no client of this machine, no version skew. Raises ``StackNotStarted``."""
    command = ["docker", "exec", "--interactive", control_plane, "kubectl", _CONFIG, *arguments]
    return await run(command, what=what, limit_s=limit_s, stdin=stdin.encode())


async def nodes(control_plane: str) -> list[Node]:
    """The cluster's nodes as its API server knows them."""
    listed = json.loads(await kubectl(control_plane, "get", "nodes", "--output=json", what="listing the nodes"))
    return [_node(item) for item in listed["items"]]


def _node(item: dict[str, Any]) -> Node:
    addresses = {each["type"]: each["address"] for each in item["status"].get("addresses", [])}
    labels = item["metadata"].get("labels", {})
    return Node(item["metadata"]["name"], addresses.get("InternalIP", ""), is_ready(item), labels.get(ZONE, ""))


def is_ready(node: dict[str, Any]) -> bool:
    """The node's condition Ready (core/v1 Node)."""
    conditions = node.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
