"""The controllers of the local rung, wired: Deployment, HPA with metrics-server, PodDisruptionBudget."""

from __future__ import annotations

import hashlib
from collections.abc import Coroutine
from typing import Any

import msgspec

from harness.model.manifests import Manifests
from harness.model.stack import Capability
from harness.stack.local.autoscaler import Autoscaler, MetricsServer
from harness.stack.local.budgets import Budgets
from harness.stack.local.deployment import DeploymentController, Service
from harness.stack.local.pod import Ground
from harness.stack.state import cgroups


def capabilities(*, signals_at_once: bool = False) -> frozenset[Capability]:
    """What this rung can do on this machine; ``signals_at_once`` gives up that endpoints come before signals."""
    can = {
        Capability.REAL_PROCESSES,
        Capability.REAL_POSTGRESQL,
        Capability.DOCUMENT_TEMPO,
        Capability.AUTOSCALING,
        Capability.EVICTION,
        Capability.DATABASE_INSTANCES,
        Capability.VERSIONS,
        Capability.POD_SIGNALS,
    }
    can |= set() if signals_at_once else {Capability.ENDPOINTS_BEFORE_SIGNALS}
    can |= {Capability.CPU_LIMITS} if cgroups.usable() else set()
    return frozenset(can)


class Controllers:
    """What people ask a cluster for, as kubectl does, on the pods of this machine."""

    def __init__(self, manifests: Manifests, ground: Ground, service: Service) -> None:
        self.deployment = DeploymentController(manifests.deployment, ground, service)
        self.budgets = Budgets(manifests.pdb, self.deployment, ground.feed, ground.clock)
        metrics = MetricsServer(self.deployment, ground.clock)
        self.autoscaler = Autoscaler(manifests.hpa, self.deployment, metrics, ground.feed, ground.clock)
        self._restarts = 0

    def loops(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """What runs until cancelled."""
        return (self.deployment.run(), self.autoscaler.run())

    async def apply(self, manifests: Manifests) -> None:
        """As ``kubectl apply``; ``replicas`` of the manifest counts, whatever the HPA had set."""
        self.deployment.follow(manifests.deployment)
        self.autoscaler.hpa, self.budgets.budget = manifests.hpa, manifests.pdb
        await self.deployment.settled()

    async def scale(self, replicas: int) -> None:
        """As ``kubectl scale``: the template stays."""
        self.deployment.follow(msgspec.structs.replace(self.deployment.deployment, replicas=replicas))
        await self.deployment.settled()

    def set_image(self, image: str) -> None:
        """As ``kubectl set image`` of the first container."""
        deployment, template = self.deployment.deployment, self.deployment.deployment.template
        first, *others = template.containers
        renewed = msgspec.structs.replace(
            template,
            containers=(msgspec.structs.replace(first, image=image), *others),
            digest=hashlib.sha256(f"{template.digest}\n{image}".encode()).hexdigest()[:16],
        )
        self.deployment.follow(msgspec.structs.replace(deployment, template=renewed))

    def undo(self) -> bool:
        """As ``kubectl rollout undo``: the template before, as the newest; whether there was one."""
        before = self.deployment.before()
        if before is not None:
            self.deployment.follow(msgspec.structs.replace(self.deployment.deployment, template=before))
        return before is not None

    async def restart(self) -> None:
        """As ``kubectl rollout restart``: the pod template gets another annotation, and so another digest."""
        self._restarts += 1
        deployment = self.deployment.deployment
        digest = f"{deployment.template.digest[:8]}-restart{self._restarts}"
        renewed = msgspec.structs.replace(deployment.template, digest=digest)
        self.deployment.follow(msgspec.structs.replace(deployment, template=renewed))
        await self.deployment.settled()
