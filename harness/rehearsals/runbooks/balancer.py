"""A load balancer's place on a cluster that has none: the Service gets a node's address, where kube-proxy listens.

As the controllers for clusters without a cloud do (k3s' ServiceLB): the type is the document's, the status is written,
and kube-proxy leads what comes to that address and port on to the pods.
"""

from __future__ import annotations

import json

from harness.load.http1 import status_of
from harness.model.stack import Address
from harness.rehearsals.runbooks.types import Balanced
from harness.stack.protocol import ByKubectl

SERVICE = "tekutoko-api"
PORT = 80
_NODE = ("get", "nodes", "-l", "!node-role.kubernetes.io/control-plane", "-o",
         'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}')  # fmt: skip
_ADDRESS = ("get", "service", SERVICE, "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")
_TYPE = json.dumps({"spec": {"type": "LoadBalancer"}})
_ASK_LIMIT_S = 10.0


async def give_address(stack: ByKubectl, limit_s: float) -> None:
    """What a cloud's controller does within minutes. A command that fails leaves the Service without an address."""
    node = (await stack.kubectl(*_NODE, limit_s=limit_s)).output.strip()
    status = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": node}]}}})
    await stack.kubectl("patch", "service", SERVICE, "--type=merge", "-p", _TYPE, limit_s=limit_s)
    await stack.kubectl(
        "patch", "service", SERVICE, "--subresource=status", "--type=merge", "-p", status, limit_s=limit_s
    )


async def asked(stack: ByKubectl, limit_s: float) -> Balanced:
    """``/health`` at the address that the Service has."""
    said = await stack.kubectl(*_ADDRESS, limit_s=limit_s)
    address = said.output.strip() if said.status == 0 else ""
    status = await status_of(Address(host=address, port=PORT), "/health", _ASK_LIMIT_S) if address else 0
    return Balanced(address=address, status=status)
