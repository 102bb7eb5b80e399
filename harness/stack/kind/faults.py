"""Faults of the kind rung: in front of the Service by the fault proxy, all others by ``disturbances``.

The fault proxy stands on this machine before the NodePort, where a load balancer in front of the cluster would: one of
its connections is one connection to the Service, so that kube-proxy still chooses the pod and endpoints, iptables and
pods stay untouched. A fault proxy inside the cluster would be one more pod, one more Service and a changed selector.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from harness.base.errors import BadInput, RehearsalError
from harness.model.message import message
from harness.model.stack import PROXY_FAULTS, Fault, FaultKind
from harness.stack.feed import Feed
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
        if not 0 < fault.share <= 1:
            raise BadInput(f"a fault's share is {fault.share}, not above 0 and at most 1")
        if fault.kind is FaultKind.LATENCY and fault.delay_ms <= 0:
            raise BadInput("a latency fault needs a delay above 0 ms")
        if fault.kind not in PROXY_FAULTS:
            self._tell(fault)  # before: what takes seconds to begin breaks things from its first moment on
            try:
                undo = await self._disturbances.inject(fault, self._target)
            except RehearsalError:
                self._feed.event("fault", fault.kind, message("undone: {fault}", fault=fault.told))
                raise
            return self._once(fault, undo)
        fault_proxy = self._ground.fault_proxy
        if fault_proxy is None:
            raise BadInput(
                f"the fault {fault.kind} needs the fault proxy in front of the service, and this stack has none",
                remedy="name the fault when the run starts (--fault); on kind the fault proxy cannot be put in later",
            )
        self._tell(fault)
        number = await fault_proxy.inject(fault)
        return self._once(fault, lambda: fault_proxy.undo(number))

    def _once(self, fault: Fault, end: Callable[[], Awaitable[None]]) -> Undo:
        undone = False

        async def undo() -> None:
            nonlocal undone
            if not undone:
                undone = True
                await end()
                self._feed.event("fault", fault.kind, message("undone: {fault}", fault=fault.told))

        return undo

    def _tell(self, fault: Fault) -> None:
        told = message("injected: {fault}", fault=fault.told)
        self._feed.event("fault", fault.kind, told, share=fault.share, delay_ms=fault.delay_ms)
