"""Pod networking for nodes of our own image: each node's pods behind ``ptp``, and a route to every other node's.

kindnet does this in the official image. Enforcing NetworkPolicies is kube-router's part (``addons/``).
"""

from __future__ import annotations

import asyncio
import json

import msgspec

from harness.base.clock import Clock, polling
from harness.base.errors import StackNotStarted
from harness.model.message import message
from harness.stack.kind.commands import run
from harness.stack.kind.docker import execute

POD_SUBNET = "10.244.0.0/16"  # kind's default
SERVICE_SUBNET = "10.96.0.0/16"  # kind's default
ASK_LIMIT_S = 30.0
_CIDR_LIMIT_S = 30.0
_POLL_S = 0.25
_CONFLIST = "/etc/cni/net.d/10-tekutoko.conflist"


class Node(msgspec.Struct, frozen=True):
    """A node of the running cluster; ``pod_cidr`` is "" until the controller manager gave it one."""

    name: str
    address: str
    pod_cidr: str
    ready: bool
    zone: str


async def kubectl(control_plane: str, *arguments: str, what: str, limit_s: float = ASK_LIMIT_S, stdin: str = "") -> str:
    """Runs the control plane's own kubectl: no client of this machine, no version skew. Raises ``StackNotStarted``."""
    command = ["docker", "exec", "--interactive", control_plane, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"]
    return await run([*command, *arguments], what=what, limit_s=limit_s, stdin=stdin.encode())


async def nodes(control_plane: str) -> list[Node]:
    """The cluster's nodes as its API server knows them."""
    listed = json.loads(await kubectl(control_plane, "get", "nodes", "--output=json", what="listing the nodes"))
    return [_node(item) for item in listed["items"]]


async def connect(control_plane: str, expected: int, clock: Clock) -> None:
    """Gives every node its CNI configuration and its routes. May be called again, and must be after a node restarted.

    Raises ``StackNotStarted`` when the ``expected`` nodes have no pod ranges after 30 s, or a node refuses.
    """
    again = polling(clock, limit_s=_CIDR_LIMIT_S, every_s=_POLL_S)
    while len(ready := [node for node in await nodes(control_plane) if node.pod_cidr]) < expected:
        if not await again():
            raise StackNotStarted(
                message(
                    "{count} of {expected} nodes have a pod range after {cidr_limit_s} s",
                    count=str(len(ready)),
                    expected=str(expected),
                    cidr_limit_s=f"{_CIDR_LIMIT_S:g}",
                )
            )
    await asyncio.gather(*(_connect(node, [other for other in ready if other.name != node.name]) for node in ready))


async def _connect(node: Node, others: list[Node]) -> None:
    rule = f"POSTROUTING -s {node.pod_cidr} ! -d {POD_SUBNET} -j MASQUERADE"
    inside = [f"{chain} -d {SERVICE_SUBNET} -j REJECT" for chain in ("OUTPUT", "FORWARD")]
    lines = [
        "set -e",
        *(f"ip route replace {other.pod_cidr} via {other.address}" for other in others),
        f"iptables -w -t nat -C {rule} 2>/dev/null || iptables -w -t nat -A {rule}",
        # A service's address that kube-proxy does not know yet must not leave the node: what answers outside would
        # stay the API server's connection to metrics-server.
        *(f"iptables -w -C {kept} 2>/dev/null || iptables -w -A {kept}" for kept in inside),
        f"mkdir -p {_CONFLIST.rpartition('/')[0]}",
        f"printf '%s' '{json.dumps(_conflist(node.pod_cidr))}' >{_CONFLIST}.half",
        f"mv {_CONFLIST}.half {_CONFLIST}",
    ]
    await execute(node.name, "sh", "-c", "\n".join(lines), what=f"connecting {node.name}'s pods")


def _conflist(pod_cidr: str) -> dict[str, object]:
    ipam = {"type": "host-local", "dataDir": "/run/cni-ipam-state", "ranges": [[{"subnet": pod_cidr}]]}
    ptp = {"type": "ptp", "ipMasq": False, "mtu": 1500, "ipam": {**ipam, "routes": [{"dst": "0.0.0.0/0"}]}}
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.3.1", "name": "tekutoko", "plugins": [ptp, portmap]}


def _node(item: dict[str, object]) -> Node:
    found = msgspec.convert(item, _Item)
    addresses = {address.type: address.address for address in found.status.addresses}
    ready = any(condition.type == "Ready" and condition.status == "True" for condition in found.status.conditions)
    zone = found.metadata.labels.get("topology.kubernetes.io/zone", "")
    return Node(found.metadata.name, addresses.get("InternalIP", ""), found.spec.podCIDR, ready, zone)


class _Metadata(msgspec.Struct):
    name: str
    labels: dict[str, str] = {}


class _Spec(msgspec.Struct):
    podCIDR: str = ""  # noqa: N815 - Kubernetes' name


class _Address(msgspec.Struct):
    type: str
    address: str


class _Condition(msgspec.Struct):
    type: str
    status: str


class _Status(msgspec.Struct):
    addresses: list[_Address] = []
    conditions: list[_Condition] = []


class _Item(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec
    status: _Status
