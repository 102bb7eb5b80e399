"""``KindStack``: the ``Stack`` protocol on a real Kubernetes cluster made by kind.

What the cluster tells beside the run's own namespace: its nodes with their zones, their events and their usage.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar, Unpack

import msgspec

from harness.base.clock import Clock
from harness.base.errors import BadInput, NotCapable
from harness.base.typed import PROGRAM
from harness.model.command import Ran
from harness.model.entry import IngressEntry
from harness.model.evidence import SampleRow
from harness.model.manifests import Manifests
from harness.model.message import Message, Told, message
from harness.model.secrets import Credentials
from harness.model.stack import PROJECT_ID, Address, Capability, EnvironmentKind, Fault, Version
from harness.stack.kind import network, orphans, record
from harness.stack.kind.addon import Addon
from harness.stack.kind.disturbances import KindDisturbances, Sidecars
from harness.stack.kind.ground import ClusterResources, KindDatabase
from harness.stack.kind.images import recipes
from harness.stack.kind.images.build import ensure
from harness.stack.kind.images.load import load
from harness.stack.kind.ingress import KindIngress
from harness.stack.kind.metrics_adapter import MetricsAdapter
from harness.stack.kind.network import is_ready, on_control_plane
from harness.stack.kind.secret_store import KindSecretStore, publish
from harness.stack.kind.secrets_driver import Driver
from harness.stack.kubernetes import documents
from harness.stack.kubernetes.api_server import ApiServer, ApiServerError
from harness.stack.kubernetes.compose import DATABASE, new_password
from harness.stack.kubernetes.documents import SECRET_MANAGER, Images
from harness.stack.kubernetes.labels import ZONE
from harness.stack.kubernetes.metrics import scraped
from harness.stack.kubernetes.namespace_session import NamespaceSession
from harness.stack.kubernetes.stack import KubernetesStack
from harness.stack.kubernetes.watching import FailureMonitor, News, monotonic_ns
from harness.stack.manifests import quantity
from harness.stack.manifests.quantity import cpu_factor
from harness.stack.process.base_stack import Common
from harness.stack.process.processes import Feed
from harness.stack.process.waiting import together
from harness.stack.protocol import SecretsPlan, Undo
from harness.stack.state import RunState

USAGE_EVERY_S = 5.0


class NodeWatcher:
    """Follows the nodes; ``works`` are run side by side until cancelled."""

    def __init__(self, api: ApiServer, feed: Feed, clock: Clock) -> None:
        self._api = api
        self._feed = feed
        self._clock = clock
        self._told: dict[str, Told] = {}
        self._measured: dict[str, str] = {}

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """Each is to run in a task of its own."""
        return [self._watch_nodes(), self._watch_events(), self._sample_usage()]

    async def _watch_nodes(self) -> None:
        async for change, item in self._api.watch("/api/v1/nodes"):
            name, zone = item["metadata"]["name"], item["metadata"]["labels"].get(ZONE, "")
            ready = change != "DELETED" and is_ready(item)
            taints = sorted(f"{taint['key']}:{taint['effect']}" for taint in item["spec"].get("taints") or [])
            said = node_told(zone, taints, ready=ready)
            if self._told.get(name) != said:
                # What is there at first is no news for the timeline.
                kind, subject = ("node", name) if name in self._told else ("component", f"node/{name}")
                self._told[name] = said
                self._feed.event(kind, subject, said, node=name, zone=zone, ready=ready, taints=taints)

    async def _watch_events(self) -> None:
        """Kubernetes' own events about nodes, from now on: they lie in the namespace default."""
        since_ns, is_news = self._clock.now_ns(), News()
        path = "/api/v1/namespaces/default/events"
        async for change, item in self._api.watch(path, fieldSelector="involvedObject.kind=Node"):
            stamp = item.get("lastTimestamp") or item.get("eventTime")
            if change == "DELETED" or not is_news(item):
                continue
            if not stamp or monotonic_ns(self._clock.anchor, stamp) < since_ns:
                continue
            reason = item.get("reason", "")
            said = f"{reason}: {item.get('message', '')}"
            subject = f"node/{item['involvedObject']['name']}"
            self._feed.event("kubernetes", subject, said, type=item.get("type", ""), reason=reason)

    async def _sample_usage(self) -> None:
        """As ``kubectl top node``, at the time that metrics-server says."""
        while True:
            try:
                listed = (await self._api.get("/apis/metrics.k8s.io/v1beta1/nodes")).get("items", [])
            except ApiServerError:  # metrics-server has nothing yet, or is busy: no figure is written
                listed = []
            for item in listed:
                name, stamp = item["metadata"]["name"], item["timestamp"]
                if self._measured.get(name) != stamp:
                    self._measured[name] = stamp
                    at_ns = monotonic_ns(self._clock.anchor, stamp)
                    for metric, resource in (("node_cpu_cores", "cpu"), ("node_memory_bytes", "memory")):
                        value = float(quantity.parse(item["usage"][resource]))
                        self._feed.publish(SampleRow(at_ns=at_ns, metric=metric, subject=f"node/{name}", value=value))
            await self._clock.sleep(USAGE_EVERY_S)


def node_told(zone: str, taints: list[str], *, ready: bool) -> Told:
    """A node's state, as an event says it."""
    if zone:
        state = message("ready in {zone}", zone=zone) if ready else message("not ready in {zone}", zone=zone)
    else:
        state = message("ready") if ready else message("not ready")
    return (state, message("taints: {taints}", taints=", ".join(taints))) if taints else (state,)


A = TypeVar("A", bound=Addon)
#: Beyond what every cluster can: the nodes are containers of this machine.
CAPABILITIES = (
    Capability.AUTOSCALING,
    Capability.ZONES,
    Capability.POD_SIGNALS,
    Capability.NODES,
    Capability.DATABASE_INSTANCES,
    Capability.VERSIONS,
    Capability.EXTERNAL_METRICS,
)


class KindStack(KubernetesStack):
    """The target is a Deployment in a namespace of the run's own; kind leads the Service's NodePort to loopback.

    PostgreSQL and the Firebase parts are containers beside the cluster. ``folder/logs/<part>.log`` holds every part's
    output. ``fault_proxy`` puts the fault proxy in front of the service; without it only ``pod_crash`` can be
    injected. A kept cluster is used where one stands and stays; else the run has one of its own, deleted with the
    rest. With ``secrets`` the cluster has the Secrets Store CSI driver while the run lasts, and ``secret_store`` can
    be asked for.
    """

    rung = EnvironmentKind.KIND

    def __init__(
        self,
        *,
        peak_pods: int | None = None,
        use_kept: bool = True,
        secrets: SecretsPlan | None = None,
        **common: Unpack[Common],
    ) -> None:
        manifests = common["manifests"]
        surge = manifests.deployment.strategy.max_surge
        pods = peak_pods or manifests.deployment.replicas + (surge if isinstance(surge, int) else 1)
        factor = cpu_factor(manifests, os.cpu_count() or 1, pods)
        capabilities = (*CAPABILITIES, *((Capability.CPU_LIMITS,) if factor == 1 else ()))
        super().__init__(capabilities=capabilities, cpu_factor=factor, **common)
        self._with_fault_proxy |= self._service_port is not None
        self._versions: set[str] = set()  # images that were built for this run
        self._ground: ClusterResources | None = None
        self._disturbances: KindDisturbances | None = None
        self._node_port = 0  # the Service's
        self._nodes: tuple[str, ...] = ()
        self._use_kept = use_kept
        self._secrets = secrets
        self._driver: Driver | None = None
        self._secret_store: KindSecretStore | None = None
        self._first: Credentials | None = None
        self._addons: dict[type[Addon], Addon] = {}  # what was asked for
        self._in_docker: list[str] = []  # what is left there once all is down

    def _on_loopback(self) -> dict[str, Address]:
        return {name: service.address for name, service in self._below.services.items()}

    def _in_cluster(self) -> dict[str, str]:
        return {name: service.inside for name, service in self._below.services.items()}

    @property
    def _below(self) -> ClusterResources:
        assert self._ground is not None
        return self._ground

    async def _disturb(self, fault: Fault) -> Undo:
        """Of the ready pods the first by name is taken, unless the fault names one."""
        assert self._disturbances is not None
        return await self._disturbances.inject(fault, self._place.container, super()._disturb)

    async def build(self, *versions: Version) -> tuple[str, ...]:
        """By a layer on the target's image, loaded into the nodes as that is."""
        self._running()
        ground = self._below
        assert ground.cluster is not None and self._state is not None
        tags = await ground.versions(self._images, versions)
        await load(ground.cluster.nodes[1:], tags, self._state.folder, self._progress)
        self._versions.update(tags)
        return tags

    async def _to_load(self) -> tuple[str, str, str, str]:
        """Built once, and copied into the nodes."""
        made, state = self._below.cluster, self._state
        assert made is not None and state is not None
        tag = await ensure(recipes.load(self._clock), self._clock, self._progress)
        await load(made.nodes[1:], [tag], state.folder, self._progress)
        return tag, "Never", str(made.kubeconfig), made.context

    async def set_image(self, image: str) -> Ran:
        """By kubectl, as the document's workflow writes it."""
        self._running()
        if image not in self._versions:
            raise BadInput(
                message("nobody built the image {image}", image=repr(image)),
                remedy="build() names the images there are",
            )
        return await self.kubectl("set", "image", self._deployment, f"{self._place.container}={image}")

    def database(self) -> KindDatabase:
        """The run's PostgreSQL."""
        self._running()
        return KindDatabase(self._below, self._lead_pods)

    async def _lead_pods(self) -> None:
        """The pods follow the outside services' addresses as they are now, without a restart. Raises ``NotCapable``."""
        if not self._place.sidecar:
            raise NotCapable(
                "pods that reach the database without a proxy cannot be led to another instance while they run",
                remedy="rehearse it with manifests that have a proxy, as Cloud SQL Proxy is one",
            )
        inside = self._running()
        told = [each for each in self._documents_of(self._manifests) if each["kind"] in ("ConfigMap", "Secret")]
        host, _, port = self._below.services[DATABASE].inside.partition(":")
        await together(inside.workload.apply(told), self._sidecars.lead_to(host, port))

    def outside(self) -> dict[str, str]:
        """Where pods reach the outside services: ``host:port`` by part."""
        self._running()
        return self._in_cluster()

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
            assert self._below.cluster is not None and self._state is not None
            made, scratch = self._below.cluster, self._state.folder
            self._addons[kind] = kind(made, inside, scratch=scratch, clock=self._clock, progress=self._progress)
        found = self._addons[kind]
        assert isinstance(found, kind)
        return found

    async def kubectl(self, *arguments: str, limit_s: float = 60.0, folder: Path | None = None) -> Ran:
        """Runs kubectl in the run's namespace, with a copy of ``folder`` at hand under its own name."""
        self._running()
        assert self._below.cluster is not None
        place = (self._below.cluster.control_plane, self._place.namespace)
        return await on_control_plane(*place, *arguments, limit_s=limit_s, folder=folder)

    def leaks(self) -> list[str]:
        """With what Docker and the cluster have of the run."""
        left = [*super().leaks(), *self._in_docker]
        if self._ground is None or self._ground.own_cluster:
            return left
        brought = (*self._addons.values(), *([self._driver] if self._driver is not None else []))
        return left + [f"left in the cluster: {each.wide.told}" for each in brought if each.installed]

    # -- up ------------------------------------------------------------------------------------------------------

    async def _bring_up(self, state: RunState, ends: FailureMonitor) -> None:
        ground = self._ground = ClusterResources(
            state,
            ends,
            password=self._password,
            logs=self._logs_folder,
            clock=self._clock,
            feed=self._feed,
            progress=self._progress,
            secrets=self._secrets is not None,
        )
        self._built: asyncio.Future[Images] = asyncio.get_running_loop().create_future()
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
        inside = self._enter(api)
        await together(
            ground.lead_the_cluster_to_the_services(made.network),
            self._lead_users_in(inside, state, ends, made),
            self._install_driver(ground, made),
        )
        await self._deploy(inside)

    async def _prepare(self, state: RunState, ground: ClusterResources) -> None:
        images = self._images = await ground.images(self._target, self._manifests.beside)
        self._built.set_result(images)
        await ground.start_services(images)
        endpoints = self._endpoints(ground.services[DATABASE].address)  # the service's own is not known yet
        if self._secrets is not None:
            access = KindDatabase(ground, self._lead_pods).access()
            self._first = await self._secrets.first(access, new_password())
            await publish(ground.services[SECRET_MANAGER].address, endpoints.project_id, self._first)
        await self._migrate(state, endpoints)

    async def _load(self, made: record.Cluster) -> None:
        images = await asyncio.shield(self._built)
        assert self._state is not None
        wanted = [images.target, images.sidecar, *self._manifests.beside]
        wanted += [images.by_service[SECRET_MANAGER]] if self._secrets is not None else []
        await load(made.nodes[1:], wanted, self._state.folder, self._progress)

    async def _install_driver(self, ground: ClusterResources, made: record.Cluster) -> None:
        """The CSI driver, and what the scenario asks of secrets."""
        if self._secrets is None:
            return
        assert self._inside is not None and self._state is not None
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

    async def _lead_users_in(
        self, inside: NamespaceSession, state: RunState, ends: FailureMonitor, made: record.Cluster
    ) -> None:
        """The namespace, and the address that users will ask."""
        await inside.start(state.lease)
        for work in NodeWatcher(inside.api, self._feed, self._clock).works():
            inside.keep(work)
        ground, service = self._below, self._target_service()
        self._node_port = await inside.workload.take_node_port(list(made.ports), service, self._progress)
        self._service = await self._front(state, ends, made.ports[self._node_port])
        database = KindDatabase(ground, self._lead_pods)
        self._sidecars = Sidecars(self._place.sidecar, inside.watching)
        self._disturbances = KindDisturbances(
            ground, inside, database, sidecars=self._sidecars, feed=self._feed, clock=self._clock
        )

    def _facts(self, manifests: Manifests) -> documents.ClusterFacts:
        found = super()._facts(manifests)
        instances = self._below.instances
        return msgspec.structs.replace(found, node_port=self._node_port, instances=instances, nodes=self._nodes)

    # -- down ----------------------------------------------------------------------------------------------------

    async def _take_down(self) -> None:
        try:
            await super()._take_down()
        finally:
            if self._ground is not None:
                self._in_docker = await orphans.leaks(self._run_id, self._ground.cluster, own=self._ground.own_cluster)

    async def _take_away(self) -> None:
        """Raises ``StackNotStarted`` for the first that stays."""
        ground = self._ground
        if self._fault_proxy is not None:
            await self._noting(self._fault_proxy.stop())
        if self._inside is not None:
            whole = ground is not None and ground.own_cluster
            for addon in self._addons.values():
                await self._noting(addon.keep_log(self._logs_folder))
                await self._noting(addon.remove(whole_cluster_goes=whole))
            if not whole:
                await self._noting(self._inside.workload.remove())
                await self._noting(self._remove_driver())
            await self._inside.close()
        if ground is not None:
            await ground.stop()

    def _what_takes_the_rest(self) -> Message:
        return message("`{program} stack down` takes away what is left", program=PROGRAM)

    async def _remove_driver(self) -> None:
        """Once no pod of the run is left that has a volume of it."""
        if self._secret_store is not None:
            await self._secret_store.remove_trials()
        if self._driver is not None:
            await self._driver.remove()
