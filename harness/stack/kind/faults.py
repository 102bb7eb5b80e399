"""Faults of the kind rung: in front of the Service by the fault proxy, all others by ``disturbances``.

The fault proxy stands on this machine before the NodePort, where a load balancer in front of the cluster would: one of
its connections is one connection to the Service, so that kube-proxy still chooses the pod and endpoints, iptables and
pods stay untouched. A fault proxy inside the cluster would be one more pod, one more Service and a changed selector.
"""

from __future__ import annotations

from harness.model.stack import PROXY_FAULTS, Fault
from harness.stack.feed import Feed
from harness.stack.injecting import begun, in_front, sane
from harness.stack.kind.disturbances import Disturbances
from harness.stack.kind.ground import Ground
from harness.stack.protocol import Undo


class Faults:
    """Injects and undoes."""

    def __init__(self, ground: Ground, disturbances: Disturbances, target: str, feed: Feed) -> None:
        """``target`` is the name of the pods' first container."""
        self._ground = ground
        self._disturbances = disturbances
        self._target = target
        self._feed = feed

    async def inject(self, fault: Fault) -> Undo:
        """Starts ``fault``. Raises ``BadInput`` when its numbers make no sense, or nothing is there to carry it."""
        sane(fault)
        if fault.kind in PROXY_FAULTS:
            begin = in_front(self._ground.fault_proxy, fault).inject(fault)
        else:
            begin = self._disturbances.inject(fault, self._target)
        return await begun(fault, begin, self._feed)
