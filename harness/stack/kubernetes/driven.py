"""What a ``Stack`` on any cluster does alike: the target driven through the API server."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.base.errors import StackNotStarted
from harness.model.command import Ran
from harness.model.disruption import Eviction
from harness.model.manifests import Manifests
from harness.model.stack import Address
from harness.stack.begun import Begun
from harness.stack.kubernetes import labels, metrics
from harness.stack.kubernetes.inside import Inside
from harness.stack.kubernetes.watching import Place
from harness.stack.scraping import ClientCertificate, PodMetrics

KUBECTL_SLACK_S = 10.0  # beyond the limit that kubectl keeps itself


class Driven(Begun):
    """Half of a stack; the other half makes what these stand on, says where it answers, and takes it away again."""

    _inside: Inside | None = None
    _service: Address | None = None
    _is_up = False

    @cached_property
    def _place(self) -> Place:
        """Where the target is, from before the first ``apply``."""
        found = self._manifests
        target = found.deployment.template.containers[0].name
        return Place(labels.namespace(self._run_id), found.deployment.name, target, found.sidecar)

    def _target_service(self) -> dict[str, Any]:
        """The Service that leads to the target, as it is written."""
        return self._manifests.documents[f"Service/{self._manifests.service}"]

    @property
    def _deployment(self) -> str:
        return f"deployment/{self._manifests.deployment.name}"

    @abstractmethod
    def _documents(self) -> list[dict[str, Any]]:
        """The manifests as the rung applies them."""

    @abstractmethod
    async def kubectl(self, *arguments: str, limit_s: float = 60.0, folder: Path | None = None) -> Ran:
        """kubectl in the run's namespace, with a copy of ``folder`` at hand under its own name."""

    async def apply(self, manifests: Manifests) -> None:
        """As ``kubectl apply`` of the folder; returns when the rollout is complete and the old pods are gone."""
        workload = self._running().workload
        self._manifests = manifests
        await workload.apply(self._documents())
        await workload.settled(self._manifests.deployment)

    async def scale(self, replicas: int) -> None:
        """As ``kubectl scale``: the template stays. Raises ``StackNotStarted`` when the pods do not become ready."""
        workload = self._running().workload
        await workload.scale(replicas)
        await workload.settled(self._manifests.deployment)

    async def restart(self) -> None:
        """As ``kubectl rollout restart``."""
        workload = self._running().workload
        await workload.restart()
        await workload.settled(self._manifests.deployment)

    async def rollout_status(self, *, limit_s: float) -> Ran:
        """By kubectl."""
        words = ("rollout", "status", self._deployment, f"--timeout={limit_s:g}s")
        return await self.kubectl(*words, limit_s=limit_s + KUBECTL_SLACK_S)

    async def rollout_undo(self) -> Ran:
        """By kubectl."""
        return await self.kubectl("rollout", "undo", self._deployment)

    async def evict(self, pod: str) -> Eviction:
        """The API server's own answer, under the manifests' PodDisruptionBudget."""
        return await self._running().evictions.evict(pod)

    def metrics(self) -> list[PodMetrics]:
        """By the API server's proxy, which takes the verb get of pods/proxy."""
        inside = self._running()
        pods = [pod.name for pod in inside.watching.pods.ready()]
        found = metrics.by_proxy(inside.api.server, inside.namespace, pods, self._manifests, self._target)
        return [*found]

    def credentials(self) -> ClientCertificate:
        """Those of the kubeconfig, which has a certificate where anything is scraped: kind's."""
        return self._running().api.credentials()

    def _running(self) -> Inside:
        if self._inside is None or not self._is_up or self._down is not None:
            raise StackNotStarted("the stack is not up", remedy="call up() first, and nothing after down()")
        return self._inside
