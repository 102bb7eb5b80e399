"""Pod networking for nodes of our own image: each node's pods behind ``ptp``, and a route to every other node's.

kindnet does this in the official image. Enforcing NetworkPolicies is kube-router's part (``kube-router.yaml``).
"""

from __future__ import annotations

import json
import time
from typing import NamedTuple

from offline_kind.running import Failed, docker

POD_SUBNET = "10.244.0.0/16"  # kind's default
SERVICE_SUBNET = "10.96.0.0/16"  # kind's default
_CIDR_LIMIT_S = 30.0
_POLL_S = 0.25
_CONFLIST = "/etc/cni/net.d/10-tekutoko.conflist"


class Node(NamedTuple):
    """A node with its address and the range of its pods; "" until the controller manager gave it one."""

    name: str
    address: str
    pod_cidr: str


def connect(control_plane: str, expected: int) -> None:
    """Give every node its CNI configuration and its routes. May be called again, and must be after a node restarted.

    Raises ``Failed`` when the ``expected`` nodes have no pod ranges after 30 s, or a node refuses.
    """
    until_s = time.monotonic() + _CIDR_LIMIT_S
    while len(ready := [node for node in nodes(control_plane) if node.pod_cidr]) < expected:
        if time.monotonic() > until_s:
            raise Failed(f"{len(ready)} of {expected} nodes have a pod range after {_CIDR_LIMIT_S:g} s", control_plane)
        time.sleep(_POLL_S)
    for node in ready:
        script = "\n".join(commands(node, [other for other in ready if other != node]))
        docker("exec", node.name, "sh", "-c", script, what=f"connecting {node.name}'s pods")


def nodes(control_plane: str) -> list[Node]:
    """Return the cluster's nodes as its API server knows them. Raises ``Failed``."""
    words = ("exec", control_plane, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "get", "nodes", "-o", "json")
    found = []
    for item in json.loads(docker(*words, what="listing the nodes"))["items"]:
        by_type = {each["type"]: each["address"] for each in item["status"].get("addresses", [])}
        address, cidr = by_type.get("InternalIP", ""), item["spec"].get("podCIDR", "")
        found.append(Node(item["metadata"]["name"], address, cidr))
    return found


def commands(node: Node, others: list[Node]) -> list[str]:
    """Return the script that connects the pods of ``node``."""
    rule = f"POSTROUTING -s {node.pod_cidr} ! -d {POD_SUBNET} -j MASQUERADE"
    inside = [f"{chain} -d {SERVICE_SUBNET} -j REJECT" for chain in ("OUTPUT", "FORWARD")]
    return [
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


def _conflist(pod_cidr: str) -> dict[str, object]:
    ipam = {"type": "host-local", "dataDir": "/run/cni-ipam-state", "ranges": [[{"subnet": pod_cidr}]]}
    ptp = {"type": "ptp", "ipMasq": False, "mtu": 1500, "ipam": {**ipam, "routes": [{"dst": "0.0.0.0/0"}]}}
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.3.1", "name": "tekutoko", "plugins": [ptp, portmap]}
