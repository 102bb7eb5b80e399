"""Faults of the local rung: in front of the pods by the fault proxy, all others by ``disturbances``."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

from harness.model.stack import PROXY_FAULTS, Address, Fault
from harness.stack.fault_proxy import FaultProxy
from harness.stack.feed import Feed
from harness.stack.injecting import begun, in_front, sane
from harness.stack.local.database import LocalDatabase
from harness.stack.local.deployment import DeploymentController
from harness.stack.local.disturbances import Disturbances
from harness.stack.local.parts import Parts
from harness.stack.local.pod import Pod
from harness.stack.protocol import Undo
from harness.stack.waiting import undone_if_broken


class Faults:
    """Injects and undoes; ``route`` sends the service's new connections to the pods or to the fault proxy before
    them."""

    def __init__(self, parts: Parts, feed: Feed, disturbances: Disturbances) -> None:
        self._parts = parts
        self._feed = feed
        self._disturbances = disturbances
        #: By pod: its own port, and the fault proxy's address before it.
        self._proxied: dict[str, tuple[int, Address]] = {}
        self._numbers = itertools.count()
        self._refusing: set[int] = set()  # numbers of the faults that refuse every connection
        self._turn = asyncio.Lock()  # of those that shut the service's port, or open it
        self.controller: DeploymentController | None = None

    def lead(self, controller: DeploymentController, database: LocalDatabase) -> None:
        """Told once the pods' controller exists."""
        self.controller = self._disturbances.controller = controller
        self._disturbances.database = database

    def route(self, pods: Sequence[Pod]) -> None:
        """Tells Envoy where the ready pods are. A pod that the fault proxy does not listen for yet is left out till
        then."""
        if self._parts.fault_proxy is None:
            self._parts.envoy.route([pod.address for pod in pods])
        else:
            self._parts.envoy.route([self._proxied[pod.name][1] for pod in pods if pod.name in self._proxied])

    async def follow(self) -> None:
        """Makes the fault proxy listen for the pods there are, and for no others; nothing without a fault proxy."""
        if self._parts.fault_proxy is not None and self.controller is not None:
            await self._listen(self._parts.fault_proxy, self.controller)

    async def _listen(self, fault_proxy: FaultProxy, controller: DeploymentController) -> None:
        pods = dict(controller.pods)
        fresh = [pod for pod in pods.values() if pod.name not in self._proxied and not pod.terminating]
        for pod in fresh:
            self._proxied[pod.name] = (pod.address.port, await fault_proxy.listen(pod.address.port))
        for name in self._proxied.keys() - pods.keys():
            await fault_proxy.unlisten(self._proxied.pop(name)[0])
        if fresh:
            controller.reroute()

    async def inject(self, fault: Fault) -> Undo:
        """Starts ``fault``. Raises ``BadInput`` when its numbers make no sense, or nothing is there to carry it."""
        sane(fault)
        if fault.kind in PROXY_FAULTS:
            fault_proxy = in_front(self._parts.fault_proxy, fault)
            begin = self._refuse(fault, fault_proxy) if fault.refuses else fault_proxy.inject(fault)
        else:
            begin = self._disturbances.inject(fault)
        return await begun(fault, begin, self._feed)

    async def _refuse(self, fault: Fault, fault_proxy: FaultProxy) -> Undo:
        """The service's port is shut before the fault proxy ends kept connections: nobody finds the fault proxy shut
        behind Envoy."""
        number = next(self._numbers)

        async def reopen() -> None:
            """Behind the last of them."""
            async with self._turn:
                self._refusing.discard(number)
                if not self._refusing and self._parts.envoy.running:
                    await self._parts.envoy.open()

        async with undone_if_broken(reopen):
            async with self._turn:
                self._refusing.add(number)
                if len(self._refusing) == 1:
                    await self._parts.envoy.shut()
            end = await fault_proxy.inject(fault)

        async def undo() -> None:
            await end()
            await reopen()

        return undo
