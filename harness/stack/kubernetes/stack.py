"""``KubernetesStack``: the ``Stack`` protocol on any cluster, as far as clusters are alike."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

from harness.base.errors import BadInput, NotCapable, RehearsalError, StackNotStarted
from harness.model.command import Ran
from harness.model.manifests import DrainEnd, Eviction, Manifests
from harness.model.message import Message, message
from harness.model.stack import (
    PARTS,
    PROJECT_ID,
    PROXY_FAULTS,
    Address,
    Capability,
    Endpoints,
    EnvironmentKind,
    Fault,
    FaultKind,
)
from harness.stack.faults.injecting import FaultProxy, begun, in_front, lock_tables, nothing, sane
from harness.stack.kubernetes import documents, labels, load_job, metrics
from harness.stack.kubernetes.api_server import ApiServer, Json
from harness.stack.kubernetes.compose import DATABASE, new_password
from harness.stack.kubernetes.documents import Images
from harness.stack.kubernetes.namespace_session import NamespaceSession
from harness.stack.kubernetes.watching import FailureMonitor, TargetPlace
from harness.stack.process.base_stack import BaseStack, Common
from harness.stack.protocol import Database, LoadPod, Undo
from harness.stack.state import RunState
from harness.stack.target.scraping import ClientCertificate, PodMetrics
from harness.stack.target.variables import migrate

DOWN_LIMIT_S = 240.0  # a whole cluster on a busy machine
KUBECTL_SLACK_S = 10.0  # beyond the limit that kubectl keeps itself
#: What every cluster can.
CAPABILITIES = (
    Capability.REAL_PROCESSES,
    Capability.REAL_POSTGRESQL,
    Capability.REAL_KUBERNETES,
    Capability.EVICTION,
    Capability.DOCUMENT_TEMPO,
)
#: The grace period that a deletion gives, by fault; none is the pod's own.
_DELETIONS: Mapping[FaultKind, dict[str, int]] = {
    FaultKind.POD_KILL: {"gracePeriodSeconds": 0},
    FaultKind.POD_DELETE: {},
}


class KubernetesStack(BaseStack):
    """The target is a Deployment in a namespace of the run's own, and is driven through the API server.

    Who inherits makes or takes the cluster, and what stands beside the target; says where that answers; and takes it
    away again.
    """

    rung: EnvironmentKind
    _inside: NamespaceSession | None = None
    _service: Address | None = None
    _fault_proxy: FaultProxy | None = None
    _ends: FailureMonitor | None = None
    _is_up = False
    _images: Images  # once they are known

    def __init__(
        self, *, capabilities: Iterable[Capability], cpu_factor: float = 1.0, **common: Unpack[Common]
    ) -> None:
        super().__init__(**common)
        self.cpu_factor = cpu_factor
        self.capabilities = frozenset({*CAPABILITIES, *capabilities})
        self._password = new_password()

    # -- what differs --------------------------------------------------------------------------------------------

    @abstractmethod
    async def _bring_up(self, state: RunState, ends: FailureMonitor) -> None:
        """Everything; the parts that are no pod of the target are guarded by ``ends``."""

    @abstractmethod
    def _on_loopback(self) -> dict[str, Address]:
        """Where the parts beside the target answer, by name."""

    @abstractmethod
    def _in_cluster(self) -> dict[str, str]:
        """Where pods reach them, ``host:port`` by name."""

    @abstractmethod
    async def _take_away(self) -> None:
        """Everything that ``_bring_up`` made, as far as it came; a part's end is no surprise any more."""

    @abstractmethod
    def _what_takes_the_rest(self) -> Message:
        """What a person does about what is left."""

    @abstractmethod
    def database(self) -> Database:
        """The run's PostgreSQL."""

    @abstractmethod
    async def kubectl(self, *arguments: str, limit_s: float = 60.0, folder: Path | None = None) -> Ran:
        """kubectl in the run's namespace, with a copy of ``folder`` at hand under its own name."""

    # -- up and down ---------------------------------------------------------------------------------------------

    async def up(self) -> None:
        """Starts every part. Raises ``StackNotStarted``, and ``BadInput`` before the namespace is made."""
        state = self._begin()
        self._ends = ends = FailureMonitor(self._feed)
        try:
            await self._unless_dead(self._bring_up(state, ends), ends.death)
        except RehearsalError as error:
            if self._inside is None or error.exit is StackNotStarted.exit:
                raise
            what, where, remedy = error.given
            raise StackNotStarted(what, where=where, remedy=remedy) from error

    def _enter(self, api: ApiServer) -> NamespaceSession:
        """What the run has in the cluster, from now on."""
        self._inside = NamespaceSession(
            api, self._place, logs=self._logs_folder, feed=self._feed, clock=self._clock, progress=self._progress
        )
        return self._inside

    async def _front(self, state: RunState, ends: FailureMonitor, port: int) -> Address:
        """What users ask: ``port`` of loopback, or the fault proxy before it."""
        if not self._with_fault_proxy:
            return Address(host="127.0.0.1", port=port)
        self._fault_proxy = FaultProxy(state, self._logs_folder, self._clock)
        ends.guard(await self._fault_proxy.start())
        self._feed.event("component", "fault_proxy", message("in front of the service"))
        return await self._fault_proxy.listen(port, self._service_port)

    async def _migrate(self, state: RunState, endpoints: Endpoints) -> None:
        """The target's migrations, before any pod is there."""
        template = self._manifests.deployment.template
        await migrate(template, self._target, endpoints, state=state, feed=self._feed, logs=self._logs_folder)

    async def _deploy(self, inside: NamespaceSession) -> None:
        """Returns when the manifests' pods are ready and the service answers."""
        await inside.workload.apply(self._documents_of(self._manifests))
        self._progress(message("the manifests are applied"))
        await inside.workload.settled(self._manifests.deployment)
        self._is_up = True
        assert self._service is not None
        probe = self._manifests.deployment.template.containers[0].readiness
        await inside.service_answers(self._service, probe.path if probe is not None else "/")
        if Capability.AUTOSCALING in self.capabilities:
            await inside.metrics_flow()

    async def _take_parts_down(self) -> None:
        """Each whatever became of the others. Raises ``StackNotStarted`` when it takes too long."""
        if self._ends is None:
            return
        try:
            async with asyncio.timeout(DOWN_LIMIT_S):
                await self._ends.close()
                await self._take_away()
        except TimeoutError:
            late = message("the stack is not down after {down_limit_s} s", down_limit_s=f"{DOWN_LIMIT_S:g}")
            raise StackNotStarted(late, remedy=self._what_takes_the_rest()) from None

    # -- what is applied -----------------------------------------------------------------------------------------

    @cached_property
    def _place(self) -> TargetPlace:
        """Where the target is, from before the first ``apply``."""
        found = self._manifests
        target = found.deployment.template.containers[0].name
        return TargetPlace(labels.namespace(self._run_id), found.deployment.name, target, found.sidecar)

    def _target_service(self) -> dict[str, Any]:
        """The Service that leads to the target, as it is written."""
        return self._manifests.documents[f"Service/{self._manifests.service}"]

    @property
    def _deployment(self) -> str:
        return f"deployment/{self._manifests.deployment.name}"

    def _documents_of(self, manifests: Manifests) -> list[Json]:
        """``manifests`` as they are applied."""
        return documents.prepared(manifests, self._facts(manifests))

    def _facts(self, manifests: Manifests) -> documents.ClusterFacts:
        """What only the stack knows of them."""
        return documents.ClusterFacts(
            image=self._images.target,
            sidecar_image=self._images.sidecar,
            command=self._images.command,
            environment={} if self._target.bundled else self._target.environment,
            outside=self._in_cluster(),
            database_password=self._password,
            cpu_factor=self.cpu_factor,
            namespace=self._place.namespace,
            service=manifests.service,
            deployment=manifests.deployment.name,
        )

    # -- driven --------------------------------------------------------------------------------------------------

    def endpoints(self) -> Endpoints:
        """Valid after ``up``."""
        assert self._service is not None
        return self._endpoints(self._service)

    def _endpoints(self, service: Address) -> Endpoints:
        at = self._on_loopback()
        return Endpoints(
            service=service,
            auth=at["auth"],
            firestore=at["firestore"],
            remote_config=at["remote_config"],
            storage=at["storage"],
            database=at[DATABASE],
            project_id=PROJECT_ID,
            database_password=self._password,
        )

    @abstractmethod
    async def _to_load(self) -> tuple[str, str, str, str]:
        """The image of the load's pods, where nodes find it now, its pull policy, and kubeconfig and context."""

    async def start_load(self, workers: int) -> tuple[LoadPod, ...]:
        """Their load goes to the Service's own address: kube-proxy chooses the pod, as for anybody in the cluster."""
        inside = self._running()
        self._progress(message("starting {count} pods that make the load", count=str(workers)))
        image, pull, kubeconfig, context = await self._to_load()
        found = await inside.api.get(f"/api/v1/namespaces/{inside.namespace}/services/{self._manifests.service}")
        where = {name: at.rpartition(":") for name, at in self._in_cluster().items() if name in PARTS}
        own = {name: Address(host=host.strip("[]"), port=int(port)) for name, (host, _, port) in where.items()}
        own["service"] = Address(host=found["spec"]["clusterIP"], port=self._manifests.service_port)
        job = load_job.document(image, pull, own, workers)
        names = await load_job.start(inside.api, inside.namespace, job, self._clock)
        return tuple(LoadPod(kubeconfig, context, inside.namespace, name, load_job.PORT) for name in names)

    async def inject(self, fault: Fault) -> Undo:
        """``after_s`` is the caller's to wait. Raises ``BadInput`` when its numbers make no sense, or nothing is there
        to carry it; ``NotCapable``."""
        self._running()
        sane(fault)
        in_proxy = fault.kind in PROXY_FAULTS
        begin = in_front(self._fault_proxy, fault).inject(fault) if in_proxy else self._disturb(fault)
        return await begun(fault, begin, self._feed)

    async def _disturb(self, fault: Fault) -> Undo:
        """What the API server and PostgreSQL's operator can; of the ready pods the first by name is taken."""
        inside = self._running()
        if fault.kind is FaultKind.DATABASE_LOCKED:
            return await lock_tables(self.database().access(), fault.delay_ms / 1000, self._clock)
        if fault.kind not in _DELETIONS:
            raise NotCapable(
                message("the environment {rung} cannot make the fault {kind}", rung=self.rung, kind=str(fault.kind)),
                remedy="run it with --on kind or --on local",
            )
        if not (ready := inside.watching.pods.ready()):
            raise BadInput("no pod is ready, so none can be deleted")
        path = f"/api/v1/namespaces/{inside.namespace}/pods/{ready[0].name}"
        await inside.api.delete(path, **_DELETIONS[fault.kind])
        return nothing

    async def apply(self, manifests: Manifests) -> None:
        """As ``kubectl apply`` of the folder; returns when the rollout is complete and the old pods are gone."""
        workload = self._running().workload
        self._manifests = manifests
        await workload.apply(self._documents_of(manifests))
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

    async def drain(self, node: str = "", *, limit_s: float = 300.0) -> DrainEnd:
        """As ``kubectl drain``; the node takes pods again when it returns. "" is every pod, on whatever node."""
        return await self._running().evictions.drain(node, limit_s)

    def metrics(self) -> list[PodMetrics]:
        """By the API server's proxy, which takes the verb get of pods/proxy."""
        inside = self._running()
        pods = [pod.name for pod in inside.watching.pods.ready()]
        found = metrics.by_proxy(inside.api.server, inside.namespace, pods, self._manifests, self._target)
        return [*found]

    def credentials(self) -> ClientCertificate:
        """Those of the kubeconfig, which has a certificate where anything is scraped: kind's."""
        return self._running().api.credentials()

    def _running(self) -> NamespaceSession:
        if self._inside is None or not self._is_up or self._down is not None:
            raise StackNotStarted("the stack is not up", remedy="call up() first, and nothing after down()")
        return self._inside
