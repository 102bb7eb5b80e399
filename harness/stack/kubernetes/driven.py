"""What a ``Stack`` on any cluster does alike once it is up: the target driven through the API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from harness.firebase import admin
from harness.model.disruption import Eviction
from harness.model.errors import StackNotStarted
from harness.model.evidence import EventRow, SampleRow
from harness.model.flag import Template
from harness.model.manifests import Manifests
from harness.model.stack import Endpoints
from harness.stack.feed import Feed
from harness.stack.kubernetes.inside import Inside


class Driven:
    """Half of a stack; the other half makes what these stand on, and says where it answers."""

    _manifests: Manifests
    _feed: Feed

    def endpoints(self) -> Endpoints:
        """Valid after ``up``."""
        raise NotImplementedError

    def _documents(self) -> list[dict[str, Any]]:
        """The manifests as the rung applies them."""
        raise NotImplementedError

    def _running(self) -> Inside:
        """Raises ``StackNotStarted`` before ``up`` and after ``down``."""
        raise NotImplementedError

    async def apply(self, manifests: Manifests) -> None:
        """As ``kubectl apply`` of the folder; returns when the rollout is complete and the old pods are gone."""
        workload = self._running().workload
        self._manifests = manifests
        await workload.apply(self._documents())
        await workload.settled()

    async def scale(self, replicas: int) -> None:
        """As ``kubectl scale``: the template stays. Raises ``StackNotStarted`` when the pods do not become ready."""
        workload = self._running().workload
        await workload.scale(replicas)
        await workload.settled()

    async def restart(self) -> None:
        """As ``kubectl rollout restart``."""
        workload = self._running().workload
        await workload.restart()
        await workload.settled()

    async def evict(self, pod: str) -> Eviction:
        """The API server's own answer, under the manifests' PodDisruptionBudget."""
        return await self._running().evictions.evict(pod)

    def watch(self) -> AsyncIterator[EventRow | SampleRow]:
        """Every event and sample from the first moment of ``up``; ends after ``down``; raises ``PartDied``."""
        return self._feed.follow()

    async def set_flag(self, template: Template) -> int:
        """Publishes to the Remote Config emulator."""
        endpoints = self.endpoints()
        return await admin.publish(endpoints.remote_config, endpoints.project_id, template)


def not_up() -> StackNotStarted:
    """A stack was asked for something before ``up`` or after ``down``."""
    return StackNotStarted("the stack is not up", remedy="call up() first, and nothing after down()")
