"""A load balancer's place on a cluster that has none: the Service gets a node's address, where kube-proxy listens.

As the controllers for clusters without a cloud do (k3s' ServiceLB): the type is the document's, the status is written,
and kube-proxy leads what comes to that address and port on to the pods.
"""

from __future__ import annotations

import json

from harness.base.errors import StackNotStarted
from harness.load.runtime import status_of
from harness.model.message import message
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
    """What a cloud's controller does within minutes. Raises ``StackNotStarted`` where one of its commands fails."""
    node = (await _done(stack, *_NODE, limit_s=limit_s)).strip()
    status = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": node}]}}})
    patch = ("patch", "service", SERVICE, "--type=merge", "-p")
    await _done(stack, *patch, _TYPE, limit_s=limit_s)
    await _done(stack, *patch, status, "--subresource=status", limit_s=limit_s)


async def _done(stack: ByKubectl, *words: str, limit_s: float) -> str:
    said = await stack.kubectl(*words, limit_s=limit_s)
    if said.status != 0:
        raise StackNotStarted(
            message(
                "the load balancer's place: {command}: status {status}", command=said.command, status=str(said.status)
            ),
            where=said.output.strip()[-200:],
        )
    return said.output


async def asked(stack: ByKubectl, limit_s: float) -> Balanced | None:
    """``/health`` at the address that the Service has; ``None`` where nobody said which that is."""
    said = await stack.kubectl(*_ADDRESS, limit_s=limit_s)
    if said.status != 0:
        return None
    address = said.output.strip()
    status = await status_of(Address(host=address, port=PORT), "/health", _ASK_LIMIT_S) if address else 0
    return Balanced(address=address, status=status)
