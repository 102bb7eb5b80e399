"""``KindStack``: the ``Stack`` protocol on a real Kubernetes cluster made by kind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from harness.base.clock import Clock
from harness.base.errors import BadInput, NotCapable, StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.command import Ran
from harness.model.disruption import Drained
from harness.model.entry import IngressEntry
from harness.model.manifests import Manifests
from harness.model.message import Tell, message
from harness.model.secrets import Credentials
from harness.model.stack import PROJECT_ID, Address, Capability, Endpoints, Fault, Rung, Target, Version
from harness.stack.kind import network, orphans, record
from harness.stack.kind.addon import Addon
from harness.stack.kind.around import Around
from harness.stack.kind.database import KindDatabase
from harness.stack.kind.disturbances import Disturbances
from harness.stack.kind.faults import Faults
from harness.stack.kind.ground import Ground, Images
from harness.stack.kind.images.load import load
from harness.stack.kind.ingress import KindIngress
from harness.stack.kind.kubectl_runner import run_kubectl
from harness.stack.kind.metrics_adapter import MetricsAdapter
from harness.stack.kind.secret_store import KindSecretStore, publish
from harness.stack.kind.secrets_driver import Driver
from harness.stack.kind.sidecars import Sidecars
from harness.stack.kubernetes import documents
from harness.stack.kubernetes.api_server import ApiServer
from harness.stack.kubernetes.compose import DATABASE
from harness.stack.kubernetes.documents import SECRET_MANAGER
from harness.stack.kubernetes.driven import Driven
from harness.stack.kubernetes.inside import Inside
from harness.stack.kubernetes.metrics import scraped
from harness.stack.kubernetes.password import new_password
from harness.stack.manifests.cpu import cpu_factor
from harness.stack.migrations import migrate
from harness.stack.protocol import SecretsPlan, Undo
from harness.stack.state import RunState
from harness.stack.waiting import together

A = TypeVar("A", bound=Addon)
DOWN_LIMIT_S = 240.0  # a whole cluster on a busy machine


class KindStack(Driven):
    """The target is a Deployment in a namespace of the run's own; kind leads the Service's NodePort to loopback.

    PostgreSQL and the Firebase parts are containers beside the cluster. ``folder/logs/<part>.log`` holds every part's
    output. ``fault_proxy`` puts the fault proxy in front of the service; without it only ``pod_crash`` can be
    injected. A kept cluster is used where one stands and stays; else the run has one of its own, deleted with the
    rest. With ``secrets`` the cluster has the Secrets Store CSI driver while the run lasts, and ``secret_store`` can
    be asked for.
    """

    rung = Rung.KIND

    def __init__(
        self,
        *,
        run_id: str,
        manifests: Manifests,
        target: Target,
        folder: Path,
        clock: Clock,
        service_port: int | None = None,
        fault_proxy: bool = False,
        peak_pods: int | None = None,
        use_kept: bool = True,
        secrets: SecretsPlan | None = None,
        progress: Tell,
    ) -> None:
        surge = manifests.deployment.strategy.max_surge
        pods = peak_pods or manifests.deployment.replicas + (surge if isinstance(surge, int) else 1)
        self.cpu_factor = cpu_factor(manifests, os.cpu_count() or 1, pods)
        limits = {Capability.CPU_LIMITS} if self.cpu_factor == 1 else set()
        self.capabilities = frozenset(
            {
                Capability.REAL_PROCESSES,
                Capability.REAL_POSTGRESQL,
                Capability.REAL_KUBERNETES,
                Capability.AUTOSCALING,
                Capability.EVICTION,
                Capability.ZONES,
                Capability.POD_SIGNALS,
                Capability.NODES,
                Capability.DATABASE_INSTANCES,
                Capability.VERSIONS,
                Capability.DOCUMENT_TEMPO,
                Capability.EXTERNAL_METRICS,
                *limits,
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
        self._with_fault_proxy = fault_proxy or service_port is not None
        self._versions: set[str] = set()  # images that were built for this run
        self._ground: Ground | None = None
        self._images: Images | None = None
        self._faults: Faults | None = None
        self._node_port = 0  # the Service's
        self._nodes: tuple[str, ...] = ()
        self._use_kept = use_kept
        self._secrets = secrets
        self._driver: Driver | None = None
        self._secret_store: KindSecretStore | None = None
        self._first: Credentials | None = None
        self._addons: dict[type[Addon], Addon] = {}  # what was asked for
        self._in_docker: list[str] = []  # what is left there once all is down

    async def up(self) -> None:
        """Starts every part. Raises ``StackNotStarted`` naming the part."""
        state = self._begin()
        self._ground = Ground(
            state,
            password=new_password(),
            logs=self._logs_folder,
            clock=self._clock,
            feed=self._feed,
            progress=self._progress,
            secrets=self._secrets is not None,
        )
        self._built: asyncio.Future[Images] = asyncio.get_running_loop().create_future()
        await self._unless_dead(self._bring_up(state, self._ground), self._ground.death)

    async def inject(self, fault: Fault) -> Undo:
        """``after_s`` is the caller's to wait. ``pod_crash`` kills one ready pod's target, and has nothing to undo."""
        self._running()
        assert self._faults is not None
        return await self._faults.inject(fault)

    def endpoints(self) -> Endpoints:
        """Valid after ``up``."""
        assert self._ground is not None and self._service is not None
        return self._ground.endpoints(self._service)

    async def build(self, *versions: Version) -> tuple[str, ...]:
        """By a layer on the target's image, loaded into the nodes as that is."""
        self._running()
        ground = self._ground
        assert ground is not None and ground.cluster is not None
        assert self._images is not None and self._state is not None
        tags = await ground.versions(self._images, versions)
        await load(ground.cluster.nodes[1:], tags, self._state.folder, self._progress)
        self._versions.update(tags)
        return tags

    async def set_image(self, image: str) -> Ran:
        """By kubectl, as the document's workflow writes it."""
        self._running()
        if image not in self._versions:
            raise BadInput(
                message("nobody built the image {image}", image=repr(image)),
                remedy="build() names the images there are",
            )
        return await self.kubectl("set", "image", self._deployment, f"{self._place.container}={image}")

    async def drain(self, node: str = "", *, limit_s: float = 300.0) -> Drained:
        """As ``kubectl drain``; the node takes pods again when it returns. "" is every pod, on whatever node."""
        return await self._running().evictions.drain(node, limit_s)

    def database(self) -> KindDatabase:
        """The run's PostgreSQL."""
        self._running()
        assert self._ground is not None
        return KindDatabase(self._ground, self._lead_pods)

    async def _lead_pods(self) -> None:
        """The pods follow the outside services' addresses as they are now, without a restart. Raises ``NotCapable``."""
        assert self._ground is not None
        if not self._place.sidecar:
            raise NotCapable(
                "pods that reach the database without a proxy cannot be led to another instance while they run",
                remedy="rehearse it with manifests that have a proxy, as Cloud SQL Proxy is one",
            )
        inside = self._running()
        told = [document for document in self._documents() if document["kind"] in ("ConfigMap", "Secret")]
        host, _, port = self._ground.services[DATABASE].inside.partition(":")
        await together(inside.workload.apply(told), self._sidecars.lead_to(host, port))

    def outside(self) -> dict[str, str]:
        """Where pods reach the outside services: ``host:port`` by part."""
        self._running()
        assert self._ground is not None
        return {name: service.inside for name, service in self._ground.services.items()}

    def secret_store(self) -> KindSecretStore:
        """Valid after ``up`` of a stack that was asked for one."""
        self._running()
        assert self._secret_store is not None, "the stack was made without secrets"
        return self._secret_store

    def first_credentials(self) -> Credentials:
        """The first version of the secret."""
        assert self._first is not None, "the stack was made without secrets"
        return self._first

    async def start_ingress(self, ingress_class: str, pod_labels: Mapping[str, str]) -> IngressEntry:
        """Contour and Envoy, in the run's namespace; built, where they are missing, when they are first asked for."""
        return await self._addon(KindIngress).start(ingress_class, pod_labels)

    async def put_certificate(self, name: str, chain: bytes, key: bytes) -> None:
        """Before ``start_ingress`` there is no controller that would read it."""
        await self._addon(KindIngress).put_certificate(name, chain, key)

    async def start_external_metrics(self) -> None:
        """Prometheus and its adapter, as the Ingress controller."""
        await self._addon(MetricsAdapter).start(scraped(self._manifests, self._target))

    async def stop_external_metrics(self) -> None:
        """With what is theirs in the whole cluster; their log is kept."""
        await self._addon(MetricsAdapter).stop(self._logs_folder)

    def _addon(self, kind: type[A]) -> A:
        """The run's own, which is there until ``down``."""
        inside = self._running()
        if kind not in self._addons:
            assert self._ground is not None and self._ground.cluster is not None and self._state is not None
            made, scratch = self._ground.cluster, self._state.folder
            self._addons[kind] = kind(made, inside, scratch=scratch, clock=self._clock, progress=self._progress)
        found = self._addons[kind]
        assert isinstance(found, kind)
        return found

    async def kubectl(self, *arguments: str, limit_s: float = 60.0, folder: Path | None = None) -> Ran:
        """Runs kubectl in the run's namespace, with a copy of ``folder`` at hand under its own name."""
        self._running()
        assert self._ground is not None and self._ground.cluster is not None
        place = (self._ground.cluster.control_plane, self._place.namespace)
        return await run_kubectl(*place, *arguments, limit_s=limit_s, folder=folder)

    def leaks(self) -> list[str]:
        """With what Docker and the cluster have of the run."""
        left = [*super().leaks(), *self._in_docker]
        if self._ground is None or self._ground.own_cluster:
            return left
        if self._driver is not None and self._driver.installed:
            left.append("the CSI driver is left in the cluster")
        return left + [f"left in the cluster: {each.wide.told}" for each in self._addons.values() if each.installed]

    # -- up ------------------------------------------------------------------------------------------------------

    async def _bring_up(self, state: RunState, ground: Ground) -> None:
        scaled = message(
            "CPU requests and limits are scaled by {factor} to fit the machine", factor=f"{self.cpu_factor:.2f}"
        )
        told = scaled if self.cpu_factor < 1 else message("CPU requests and limits are the manifests', on the machine")
        self._progress(told)
        self._feed.event("component", "cpu", told, factor=self.cpu_factor)
        # The cluster takes longest: images are built and the outside services start meanwhile.
        await together(ground.start_cluster(self._load, use_kept=self._use_kept), self._prepare(state, ground))
        made = ground.cluster
        assert made is not None
        api = await ApiServer.open(made.kubeconfig, made.context, state.folder, self._clock)
        self._nodes = tuple(node.address for node in await network.nodes(made.control_plane))
        self._inside = inside = Inside(
            api, self._place, logs=self._logs_folder, feed=self._feed, clock=self._clock, progress=self._progress
        )
        await together(
            ground.lead_the_cluster_to_the_services(made.network),
            self._lead_users_in(inside, state, ground, made),
            self._install_driver(ground, made),
        )
        await inside.workload.apply(self._documents())
        self._progress(message("the manifests are applied"))
        await inside.workload.settled(self._manifests.deployment)
        self._is_up = True
        assert self._service is not None
        probe = self._manifests.deployment.template.containers[0].readiness
        await inside.service_answers(self._service, probe.path if probe is not None else "/")
        await inside.metrics_flow()

    async def _prepare(self, state: RunState, ground: Ground) -> None:
        images = self._images = await ground.images(self._target, self._manifests.beside)
        self._built.set_result(images)
        await ground.start_services(images)
        endpoints = ground.endpoints(ground.services[DATABASE].address)  # the service's own is not known yet
        if self._secrets is not None:
            access = KindDatabase(ground, self._lead_pods).access()
            self._first = await self._secrets.first(access, new_password())
            await publish(ground.services[SECRET_MANAGER].address, endpoints.project_id, self._first)
        template = self._manifests.deployment.template
        await migrate(template, self._target, endpoints, state=state, feed=self._feed, logs=self._logs_folder)

    async def _load(self, made: record.Cluster) -> None:
        images = await asyncio.shield(self._built)
        assert self._state is not None
        wanted = [images.target, images.sidecar, *self._manifests.beside]
        wanted += [images.by_service[SECRET_MANAGER]] if self._secrets is not None else []
        await load(made.nodes[1:], wanted, self._state.folder, self._progress)

    async def _install_driver(self, ground: Ground, made: record.Cluster) -> None:
        """The CSI driver, and what the scenario asks of secrets."""
        if self._secrets is None:
            return
        assert self._images is not None and self._inside is not None and self._state is not None
        self._inside.workload.secret_comes_later = True
        self._driver = Driver(made, self._clock, self._progress)
        self._secret_store = KindSecretStore(
            self._inside.api,
            self._state.lease,
            address=ground.services[SECRET_MANAGER].address,
            control_plane=made.control_plane,
            project=PROJECT_ID,
            container=self._place.container,
            documents=self._documents_of,
            clock=self._clock,
        )
        await self._driver.install(self._images.by_service[SECRET_MANAGER], self._secrets.poll_s)

    async def _lead_users_in(self, inside: Inside, state: RunState, ground: Ground, made: record.Cluster) -> None:
        """The namespace, and the address that users will ask."""
        await inside.start(state.lease)
        for work in Around(inside.api, self._feed, self._clock).works():
            inside.keep(work)
        service = self._target_service()
        self._node_port = await inside.workload.take_node_port(list(made.ports), service, self._progress)
        self._service = Address(host="127.0.0.1", port=made.ports[self._node_port])
        if self._with_fault_proxy:
            self._service = await ground.start_fault_proxy(self._service.port, self._service_port)
        database = KindDatabase(ground, self._lead_pods)
        self._sidecars = Sidecars(self._place.sidecar, inside.watching)
        disturbances = Disturbances(
            ground, inside, database, sidecars=self._sidecars, feed=self._feed, clock=self._clock
        )
        self._faults = Faults(ground, disturbances, self._place.container, self._feed)

    def _documents(self) -> list[dict[str, Any]]:
        return self._documents_of(self._manifests)

    def _documents_of(self, manifests: Manifests) -> list[dict[str, Any]]:
        assert self._ground is not None and self._images is not None and self._inside is not None
        facts = documents.Facts(
            image=self._images.target,
            sidecar_image=self._images.sidecar,
            command=self._images.command,
            environment={} if self._target.bundled else self._target.environment,
            outside={name: service.inside for name, service in self._ground.services.items()},
            database_password=self._ground.password,
            node_port=self._node_port,
            cpu_factor=self.cpu_factor,
            instances=self._ground.instances,
            nodes=self._nodes,
            namespace=self._place.namespace,
            service=manifests.service,
            deployment=manifests.deployment.name,
        )
        return documents.prepared(manifests, facts)

    # -- down ----------------------------------------------------------------------------------------------------

    async def _take_down(self) -> None:
        try:
            await super()._take_down()
        finally:
            if self._ground is not None:
                self._in_docker = await orphans.leaks(self._run_id, self._ground.cluster, own=self._ground.own_cluster)

    async def _take_parts_down(self) -> None:
        """Each whatever became of the others. Raises ``StackNotStarted`` for the first that stays."""
        ground = self._ground
        if ground is None:
            return
        try:
            async with asyncio.timeout(DOWN_LIMIT_S):
                if self._inside is not None:
                    for addon in self._addons.values():
                        await self._noting(addon.keep_log(self._logs_folder))
                        await self._noting(addon.remove(whole_cluster_goes=ground.own_cluster))
                    if not ground.own_cluster:
                        await self._noting(self._inside.workload.remove())
                        await self._noting(self._remove_driver())
                    await self._inside.close()
                await ground.stop()
        except TimeoutError:
            remedy = message("`{program} stack down` takes away what is left", program=PROGRAM)
            raise StackNotStarted(
                message("the stack is not down after {down_limit_s} s", down_limit_s=f"{DOWN_LIMIT_S:g}"), remedy=remedy
            ) from None

    async def _remove_driver(self) -> None:
        """Once no pod of the run is left that has a volume of it."""
        if self._secret_store is not None:
            await self._secret_store.remove_trials()
        if self._driver is not None:
            await self._driver.remove()
