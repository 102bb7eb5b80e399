"""What a ``Stack`` on any cluster does alike: its state, the target driven through the API server, the tear down."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from harness.checks.leaks import Traces, shared_files
from harness.clock import Clock
from harness.firebase import admin
from harness.model.disruption import Eviction
from harness.model.errors import RehearsalError, StackNotStarted
from harness.model.evidence import EventRow, SampleRow
from harness.model.flag import Template
from harness.model.manifests import Manifests
from harness.model.scaling import Ran
from harness.model.stack import Address, Endpoints, Target
from harness.stack.feed import Feed
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.inside import Inside
from harness.stack.kubernetes.watching import Place
from harness.state import RunState, holder_of
from harness.state.ports import can_bind

KUBECTL_SLACK_S = 10.0  # beyond the limit that kubectl keeps itself


class Driven(ABC):
    """Half of a stack; the other half makes what these stand on, says where it answers, and takes it away again."""

    def __init__(
        self,
        *,
        run_id: str,
        manifests: Manifests,
        target: Target,
        folder: Path,
        clock: Clock,
        service_port: int | None,
        progress: Callable[[str], None],
    ) -> None:
        self._run_id = run_id
        self._manifests = manifests
        self._target = target
        self._logs_folder = folder / "logs"
        self._clock = clock
        self._service_port = service_port
        self._progress = progress
        self._feed = Feed(clock)
        names = [container.name for container in manifests.deployment.template.containers[:2]]
        self._place = Place(labels.namespace(run_id), manifests.deployment.name, *names)
        self._deployment = f"deployment/{manifests.deployment.name}"
        self._state: RunState | None = None
        self._inside: Inside | None = None
        self._service: Address | None = None
        self._is_up = False
        self._down: asyncio.Task[None] | None = None
        self._shared_before: frozenset[str] = frozenset()
        self._traces: Traces | None = None

    @abstractmethod
    def endpoints(self) -> Endpoints:
        """Valid after ``up``."""

    @abstractmethod
    def _documents(self) -> list[dict[str, Any]]:
        """The manifests as the rung applies them."""

    @abstractmethod
    async def _take_parts_down(self) -> None:
        """Everything that ``up`` made, as far as it came."""

    @abstractmethod
    async def kubectl(self, *arguments: str, limit_s: float = 60.0, folder: Path | None = None) -> Ran:
        """kubectl in the run's namespace, with a copy of ``folder`` at hand under its own name."""

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

    def watch(self) -> AsyncIterator[EventRow | SampleRow]:
        """Every event and sample from the first moment of ``up``; ends after ``down``; raises ``PartDied``."""
        return self._feed.follow()

    async def set_flag(self, template: Template) -> int:
        """Publishes to the Remote Config emulator."""
        endpoints = self.endpoints()
        return await admin.publish(endpoints.remote_config, endpoints.project_id, template)

    async def down(self) -> None:
        """Bounded, whatever state the stack is in. When cancelled it goes on; a second call waits for the first."""
        if self._down is None:
            self._down = asyncio.ensure_future(self._take_down())
        await asyncio.shield(self._down)

    def _begin(self) -> RunState:
        """The run's state on this machine. Raises ``StackNotStarted`` the second time, or when its port is taken."""
        if self._state is not None or self._down is not None:
            raise StackNotStarted("a stack is brought up once", remedy="make a new one")
        self._refuse_taken_port()
        self._shared_before = shared_files()
        self._state = RunState.begin(self._run_id)
        self._logs_folder.mkdir(parents=True, exist_ok=True)
        return self._state

    def _refuse_taken_port(self) -> None:
        port = self._service_port
        if port is None or can_bind(port):
            return
        holder = holder_of(port)
        raise StackNotStarted(
            f"the service's port {port} is taken" + (f" by {holder}" if holder else " or may not be bound"),
            where=f"127.0.0.1:{port}",
            remedy="end that process, or choose another port with --service-port (by default a free one is taken)",
        )

    def _running(self) -> Inside:
        if self._inside is None or not self._is_up or self._down is not None:
            raise StackNotStarted("the stack is not up", remedy="call up() first, and nothing after down()")
        return self._inside

    async def _take_down(self) -> None:
        state = self._state
        if state is None:
            self._feed.close()
            return
        await self._noting(self._take_parts_down())
        self._traces = Traces(
            run_id=self._run_id,
            folder=state.folder,
            processes=tuple(part.identity for part in state.lease.parts),
            ports=tuple(state.lease.ports),
            shared_files_before=self._shared_before,
        )
        with contextlib.suppress(OSError):  # then the leak check names the folder
            state.end()
        self._feed.close()

    async def _noting(self, work: Coroutine[Any, Any, None]) -> None:
        """What could not be taken down is told, and found again by the leak check."""
        try:
            await work
        except RehearsalError as error:
            self._progress(f"tear down: {error.what}")
