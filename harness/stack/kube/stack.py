"""``KubeStack``: the ``Stack`` protocol on somebody's own cluster, in a namespace that the run makes and deletes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from harness.base.clock import Clock
from harness.base.errors import BadInput, NotCapable, RehearsalError, StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.command import Ran
from harness.model.disruption import Drained
from harness.model.manifests import Manifests
from harness.model.message import Tell, message
from harness.model.stack import (
    DATABASE_NAME,
    PROJECT_ID,
    Address,
    Capability,
    Endpoints,
    Fault,
    OwnCluster,
    Rung,
    Target,
    Version,
)
from harness.stack.fault_proxy import FaultProxy
from harness.stack.kube import faults, kubectl_runner, orphans, preflight
from harness.stack.kube.beside import Beside
from harness.stack.kube.database import KubeDatabase
from harness.stack.kube.parts import SERVICE, Images
from harness.stack.kube.tunnel import Tunnel
from harness.stack.kubernetes import documents
from harness.stack.kubernetes.api_server import ApiServer, Json, Refused
from harness.stack.kubernetes.compose import DATABASE, OUTSIDE
from harness.stack.kubernetes.driven import Driven
from harness.stack.kubernetes.ends import Ends
from harness.stack.kubernetes.inside import Inside
from harness.stack.kubernetes.password import new_password
from harness.stack.kubernetes.workload import BUSY
from harness.stack.migrations import migrate
from harness.stack.protocol import Undo
from harness.stack.ready import CHECKS, logs_in
from harness.stack.state import RunState
from harness.stack.waiting import together, until

DOWN_LIMIT_S = 240.0
GONE_LIMIT_S = 180.0  # of the namespace: its controllers may be busy with others
READY_LIMIT_S = 90.0
LOOKS = 3  # after the tear down, at a server that may be too busy to answer
#: What a Service may say only while it has a port of the nodes or a load balancer.
_OF_A_FRONT = (
    "allocateLoadBalancerNodePorts",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
)


class KubeStack(Driven):
    """Everything is in one namespace: the target, PostgreSQL, the Firebase parts, the gateway that leads to them.

    The harness reaches all by loopback ports, through port-forwards of the API server. ``capabilities`` has
    ``AUTOSCALING`` once ``up`` has found the metrics API.
    """

    rung = Rung.KUBE

    def __init__(
        self,
        *,
        run_id: str,
        manifests: Manifests,
        target: Target,
        cluster: OwnCluster,
        images: Images,
        folder: Path,
        clock: Clock,
        service_port: int | None = None,
        fault_proxy: bool = False,
        progress: Tell,
    ) -> None:
        self.cpu_factor = 1.0
        self.capabilities = frozenset(
            {
                Capability.REAL_PROCESSES,
                Capability.REAL_POSTGRESQL,
                Capability.REAL_KUBERNETES,
                Capability.CPU_LIMITS,
                Capability.EVICTION,
                Capability.DOCUMENT_TEMPO,
            }
        )
        super().__init__(
            run_id=run_id,
            manifests=manifests,
            target=target,
            folder=folder,
            clock=clock,
            service_port=service_port,
            progress=progress,
        )
        self._cluster = cluster
        self._images = images
        self._with_fault_proxy = fault_proxy
        self._ends: Ends | None = None
        self._api: ApiServer | None = None
        self._beside: Beside | None = None
        self._tunnel: Tunnel | None = None
        self._fault_proxy: FaultProxy | None = None
        self._ports: dict[str, int] = {}  # on loopback, by the gateway's names
        self._left: list[str] = []

    async def up(self) -> None:
        """Looks, then makes. Raises ``StackNotStarted``, ``BadInput`` before anything is made where it can."""
        state = self._begin()
        self._ends = ends = Ends(self._feed)
        try:
            await ends.until(self._bring_up(state, ends))
        except RehearsalError as error:
            if error.exit is StackNotStarted.exit or self._inside is None:
                raise
            what, where, remedy = error.given
            raise StackNotStarted(what, where=where, remedy=remedy) from error

    async def inject(self, fault: Fault) -> Undo:
        """``after_s`` is the caller's to wait. Raises ``NotCapable`` for what takes a node, or a process of a pod."""
        return await faults.inject(
            fault,
            fault_proxy=self._fault_proxy,
            inside=self._running(),
            database=self.database(),
            feed=self._feed,
            clock=self._clock,
        )

    def endpoints(self) -> Endpoints:
        """Valid after ``up``."""
        assert self._service is not None and self._beside is not None
        at = {name: Address(host="127.0.0.1", port=port) for name, port in self._ports.items()}
        return Endpoints(
            service=self._service,
            auth=at["auth"],
            firestore=at["firestore"],
            remote_config=at["remote_config"],
            storage=at["storage"],
            database=at[DATABASE],
            project_id=PROJECT_ID,
            database_password=self._beside.password,
        )

    async def drain(self, node: str = "", *, limit_s: float = 300.0) -> Drained:
        """Evicts every pod of the target in turn. Raises ``NotCapable`` for a node: it is not the run's to cordon."""
        inside = self._running()
        if node:
            raise NotCapable(
                message("the node {node} is not this run's: it must not be cordoned", node=node),
                where="drain",
                remedy="evict the target's own pods (no node named), or drain a node with --on kind",
            )
        return await inside.evictions.drain("", limit_s)

    def database(self) -> KubeDatabase:
        """The run's PostgreSQL."""
        self._running()
        assert self._beside is not None
        return KubeDatabase(self._beside, self.endpoints().database)

    async def build(self, *versions: Version) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's
        """Raises ``NotCapable``: nothing is pushed to somebody's registry."""
        raise NotCapable(
            "the environment kube builds no images for somebody's cluster", remedy="rehearse it with --on kind"
        )

    async def set_image(self, image: str) -> Ran:
        """Raises ``BadInput``: ``build`` names none."""
        raise BadInput(
            message("nobody built the image {image}", image=repr(image)), remedy="rehearse it with --on kind"
        )

    async def kubectl(self, *arguments: str, limit_s: float = 60.0, folder: Path | None = None) -> Ran:
        """This machine's kubectl in the run's namespace. Raises ``NotCapable`` where it has none."""
        self._running()
        assert self._state is not None
        place, scratch = self._place.namespace, self._state.folder
        return await kubectl_runner.run_kubectl(
            self._cluster, place, *arguments, limit_s=limit_s, scratch=scratch, folder=folder
        )

    def leaks(self) -> list[str]:
        """With what the cluster has of the run."""
        return super().leaks() + self._left

    # -- up ------------------------------------------------------------------------------------------------------

    async def _bring_up(self, state: RunState, ends: Ends) -> None:
        files = Path(self._cluster.kubeconfig)
        self._api = api = await ApiServer.open(files, self._cluster.context, state.folder, self._clock)
        found = await preflight.examine(api, self._place.namespace, self._manifests.documents)
        if found.metrics:
            self.capabilities |= {Capability.AUTOSCALING}
        else:
            self._progress(message("the cluster serves no metrics API: an HPA stands still, usage is unknown"))
        about = message(
            "Kubernetes {version} of context {context}", version=found.version, context=self._cluster.context
        )
        self._progress(message("{cluster}, namespace {namespace}", cluster=about, namespace=self._place.namespace))
        self._feed.event("component", "cluster", about, version=found.version, metrics=found.metrics)
        await orphans.sweep(api, self._progress)
        self._inside = inside = Inside(
            api, self._place, logs=self._logs_folder, feed=self._feed, clock=self._clock, progress=self._progress
        )
        await inside.start(state.lease)
        await self._make_beside(api, ends)
        await self._lead_in(state, ends)
        await self._prepare(state)
        await inside.workload.apply(self._documents())
        self._progress(message("the manifests are applied"))
        await inside.workload.settled(self._manifests.deployment)
        self._is_up = True
        assert self._service is not None
        probe = self._manifests.deployment.template.containers[0].readiness
        await inside.service_answers(self._service, probe.path if probe is not None else "/")
        if found.metrics:
            await inside.metrics_flow()

    async def _make_beside(self, api: ApiServer, ends: Ends) -> None:
        """The parts, and first the target's Service: the gateway is told its address."""
        self._beside = beside = Beside(
            api,
            self._place.namespace,
            images=self._images,
            logs=self._logs_folder,
            feed=self._feed,
            clock=self._clock,
        )
        ends.keep(beside.follow())
        made = await api.apply(closed(self._target_service()), self._place.namespace)
        await beside.make(self._manifests, made, new_password())
        self._progress(message("PostgreSQL, the Firebase parts and the gateway run in the namespace"))

    async def _lead_in(self, state: RunState, ends: Ends) -> None:
        """The loopback ports, and the fault proxy in front of the service's."""
        fixed = None if self._with_fault_proxy else self._service_port
        self._ports = {name: state.take_port() for name in OUTSIDE}
        self._ports[SERVICE] = state.take_port() if fixed is None else state.note_port(fixed)
        self._tunnel = Tunnel(state, self._logs_folder, self._feed, self._clock)
        ends.guard(self._tunnel.start(self._cluster, self._place.namespace, self._ports))
        ends.keep(self._tunnel.follow())
        self._service = Address(host="127.0.0.1", port=self._ports[SERVICE])
        if self._with_fault_proxy:
            self._fault_proxy = FaultProxy(state, self._logs_folder, self._clock)
            ends.guard(await self._fault_proxy.start())
            self._service = await self._fault_proxy.listen(self._service.port, self._service_port)

    async def _prepare(self, state: RunState) -> None:
        """The parts answer, and the target's migrations are done."""
        assert self._tunnel is not None and self._tunnel.process is not None
        endpoints, process = self.endpoints(), self._tunnel.process
        password = endpoints.database_password
        checks = {name: CHECKS[name] for name in OUTSIDE if name != DATABASE}
        checks[DATABASE] = lambda address: logs_in(address, DATABASE_NAME, DATABASE_NAME, password)

        async def ready(name: str) -> None:
            address = Address(host="127.0.0.1", port=self._ports[name])
            await until(
                lambda: checks[name](address), process, self._clock, limit_s=READY_LIMIT_S, what=f"answered for {name}"
            )
            self._feed.event(
                "component", name, message("answers on {address}", address=str(address)), port=address.port
            )

        await together(*(ready(name) for name in OUTSIDE))
        template = self._manifests.deployment.template
        await migrate(template, self._target, endpoints, state=state, feed=self._feed, logs=self._logs_folder)

    def _documents(self) -> list[dict[str, Any]]:
        assert self._beside is not None
        facts = documents.Facts(
            image=self._images.target,
            sidecar_image=self._images.sidecar,
            command=self._images.command,
            environment={} if self._target.bundled else self._target.environment,
            outside=self._beside.inside,
            database_password=self._beside.password,
            cpu_factor=self.cpu_factor,
            namespace=self._place.namespace,
            service=self._manifests.service,
            deployment=self._manifests.deployment.name,
        )
        return [closed(self._pulled(each)) for each in documents.prepared(self._manifests, facts)]

    def _pulled(self, document: Json) -> Json:
        """With the pull policies of this cluster in place of the overlay's."""
        if document["kind"] in ("Deployment", "Job"):
            pod = document["spec"]["template"]["spec"]
            for container in [*pod["containers"], *pod.get("initContainers", [])]:
                if container["image"] == self._images.target:
                    container["imagePullPolicy"] = self._images.target_pull
                elif container["image"] == self._images.sidecar:
                    container["imagePullPolicy"] = self._images.pull
        return document

    # -- down ----------------------------------------------------------------------------------------------------

    async def _take_parts_down(self) -> None:
        """Each whatever became of the others. Raises ``StackNotStarted`` when it takes too long."""
        if self._inside is not None:  # until they are, whatever ends this before
            self._left = [f"namespaces of {self._cluster.context} could not be looked at"]
        if self._ends is not None:
            self._ends.ending()
        try:
            async with asyncio.timeout(DOWN_LIMIT_S):
                if self._fault_proxy is not None:
                    await self._noting(self._fault_proxy.stop())
                if self._tunnel is not None:
                    await self._noting(self._tunnel.stop())
                if self._beside is not None:
                    await self._beside.close()
                if self._ends is not None:
                    await self._ends.close()
                if self._inside is not None:
                    await self._noting(self._inside.workload.remove(GONE_LIMIT_S))
                if self._api is not None:
                    await self._noting(self._look(self._api))
        except TimeoutError:
            remedy = message("`{program} stack down --on kube --context NAME` takes away what is left", program=PROGRAM)
            raise StackNotStarted(
                message("the stack is not down after {down_limit_s} s", down_limit_s=f"{DOWN_LIMIT_S:g}"), remedy=remedy
            ) from None
        finally:
            if self._inside is not None:
                await self._inside.close()
            elif self._api is not None:
                await self._api.close()

    async def _look(self, api: ApiServer) -> None:
        if self._inside is None:
            return
        for _ in range(LOOKS):
            try:
                self._left = await orphans.of_run(api, self._run_id)
            except Refused as error:
                if error.status not in BUSY:
                    raise
            else:
                return


def closed(document: Json) -> Json:
    """A Service that takes no port of the nodes and no load balancer, whatever the manifests say."""
    if document["kind"] != "Service":
        return document
    if document["spec"].get("clusterIP") == "None":
        return document
    spec = {key: value for key, value in document["spec"].items() if key not in _OF_A_FRONT}
    ports = [{key: value for key, value in port.items() if key != "nodePort"} for port in spec["ports"]]
    return {**document, "spec": {**spec, "type": "ClusterIP", "ports": ports}}
