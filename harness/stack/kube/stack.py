"""``KubeStack``: the ``Stack`` protocol on somebody's own cluster, in a namespace that the run makes and deletes.

Whether a run can be on the cluster, asked before anything is made: version, permissions, metrics, kinds.
The way from loopback into the namespace as the stack drives it; the way itself is ``tunnel_process.py``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Unpack

import msgspec

from harness.base.clock import Clock
from harness.base.data import ROOT
from harness.base.errors import BadInput, NotCapable, PartDied, StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.command import Ran
from harness.model.evidence import SampleRow
from harness.model.manifests import DrainEnd, Manifests
from harness.model.message import Message, message, of_error
from harness.model.stack import DATABASE_NAME, Address, Capability, EnvironmentKind, OwnCluster, Version
from harness.stack.kube import access, beside
from harness.stack.kube.beside import SERVICE, KubeBeside, KubeDatabase
from harness.stack.kubernetes import kubectl_runner
from harness.stack.kubernetes.api_server import ApiServer, ApiServerError, Json
from harness.stack.kubernetes.compose import DATABASE, OUTSIDE
from harness.stack.kubernetes.documents import Images
from harness.stack.kubernetes.stack import KubernetesStack
from harness.stack.kubernetes.watching import FailureMonitor
from harness.stack.kubernetes.workload import BUSY
from harness.stack.process.base_stack import Common
from harness.stack.process.processes import Feed, Process, Spec, spawn
from harness.stack.process.waiting import CHECKS, logs_in, together, until
from harness.stack.state import RunState

OLDEST = 27  # of Kubernetes 1.x: autoscaling/v2, policy/v1 and discovery.k8s.io/v1 are older, sidecars a little younger
METRICS = "/apis/metrics.k8s.io/v1beta1"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_UNAUTHORIZED, _FORBIDDEN = 401, 403
#: What the harness itself does: (API group, resource, verbs). A port-forward by WebSocket is a GET for older servers.
NEEDED = (
    ("", "namespaces", "create get list delete"),
    ("", "pods", "create get list watch delete deletecollection"),
    ("", "pods/log", "get"),
    ("", "pods/portforward", "create get"),
    ("", "pods/eviction", "create"),
    ("", "services", "create get"),
    ("", "configmaps", "create"),
    ("", "serviceaccounts", "create"),
    ("", "events", "list watch"),
    ("apps", "deployments", "get patch"),
    ("apps", "deployments/scale", "patch"),
    ("autoscaling", "horizontalpodautoscalers", "list watch"),
    ("discovery.k8s.io", "endpointslices", "list watch"),
)
#: Kinds that reach beyond the namespace although they lie in it.
_REACHING_OUT = ("Ingress", "Gateway")


class ClusterFound(msgspec.Struct, frozen=True, kw_only=True):
    """What the cluster is: ``version`` as it says it; ``metrics`` is whether the metrics API is served."""

    version: str
    metrics: bool


async def examine(
    api: ApiServer, namespace: str, documents: Mapping[str, Json], *, with_load: bool = False
) -> ClusterFound:
    """Makes nothing. Raises ``StackNotStarted`` (silent, too old, a permission refused) and ``BadInput`` (kinds)."""
    version = await _version(api)
    jobs = [("batch", "jobs", "get")] if any(each["kind"] == "Job" for each in documents.values()) else []
    jobs += [("batch", "jobs", "create")] if with_load else []
    wanted = [*NEEDED, *jobs, *[await _of(api, document) for document in documents.values()]]
    verbs = sorted({(group, resource, verb) for group, resource, all_ in wanted for verb in all_.split()})
    answers = await asyncio.gather(*(_allowed(api, namespace, *each) for each in verbs))
    if refused := [each for each, allowed in zip(verbs, answers, strict=True) if not allowed]:
        raise StackNotStarted(
            "these credentials may not do what a run needs: " + ", ".join(_said(refused)),
            where=message("namespace {namespace}", namespace=namespace),
            remedy="ask for a role with these verbs, or use another context; nothing was created",
        )
    return ClusterFound(version=version, metrics=await _serves(api, METRICS))


async def _version(api: ApiServer) -> str:
    try:
        said = await api.get("/version")
    except ApiServerError as error:
        if error.status in (_UNAUTHORIZED, _FORBIDDEN):
            raise StackNotStarted(
                message("the cluster refuses these credentials: {message}", message=error.message),
                remedy="log in again (kubectl get namespaces with the same context), or use another context",
            ) from error
        raise StackNotStarted(
            message("the cluster cannot be reached: {what}", what=of_error(error)),
            where=error.given[1],
            remedy="is it up, and its network reachable from here? kubectl version with the same context",
        ) from error
    minor = int("".join(filter(str.isdigit, said["minor"])) or 0)
    if said["major"] != "1" or minor < OLDEST:
        what = message(
            "the cluster is Kubernetes {version}; 1.{oldest} is the oldest",
            version=said["gitVersion"],
            oldest=str(OLDEST),
        )
        raise StackNotStarted(what, remedy="use a newer cluster")
    return str(said["gitVersion"])


async def _of(api: ApiServer, document: Json) -> tuple[str, str, str]:
    """What applying a document takes. Raises ``BadInput`` for what is not of the namespace alone."""
    kind, name = document["kind"], document["metadata"]["name"]
    group, _, _ = document["apiVersion"].rpartition("/")
    try:
        path = await api.path_of(document, "default")
    except ApiServerError as error:
        raise BadInput(f"{error.message}", where=f"{kind}/{name}", remedy="install it, or leave it out") from error
    if "/namespaces/default/" not in path or kind in _REACHING_OUT:
        raise BadInput(
            message("{kind}/{name} reaches beyond the run's namespace", kind=kind, name=name),
            where="--manifests",
            remedy="on somebody's cluster a run makes only what lies in its own namespace; leave it out",
        )
    return group, path.split("/")[-2], "create patch"


async def _allowed(api: ApiServer, namespace: str, group: str, resource: str, verb: str) -> bool:
    """A SelfSubjectAccessReview, which is answered and not stored."""
    name, _, subresource = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": name, "subresource": subresource}
    if resource != "namespaces":
        attributes["namespace"] = namespace
    review: dict[str, Any] = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    return bool((await api.post(_REVIEWS, review))["status"].get("allowed"))


async def _serves(api: ApiServer, path: str) -> bool:
    try:
        await api.get(path)
    except ApiServerError:
        return False
    return True


def _said(refused: Iterable[tuple[str, str, str]]) -> list[str]:
    """``verb, verb`` of ``resource.group`` as RBAC writes them."""
    by_resource: dict[str, list[str]] = {}
    for group, resource, verb in refused:
        by_resource.setdefault(f"{resource}.{group}" if group else resource, []).append(verb)
    return [f"{'/'.join(verbs)} {resource}" for resource, verbs in by_resource.items()]


SLOW_MS = 2000.0
SLOW_IN_A_ROW = 2


class RoundTrip(msgspec.Struct, frozen=True):
    """What the process says each few seconds of each way."""

    name: str
    round_trip_ms: float


class Patience:
    """How long the way to the service may take. A probe has 2 s: a way that takes them itself measures nothing else.

    One slow round trip may be chance; ``SLOW_IN_A_ROW`` are an error of the measurement, which is neither a pass nor a
    fail and ends the run.
    """

    def __init__(self) -> None:
        self._slow = 0

    def heard(self, trip: RoundTrip) -> None:
        """Raises ``PartDied`` when it is at its end. The other ways carry no probe."""
        if trip.name != beside.SERVICE:
            return
        self._slow = self._slow + 1 if trip.round_trip_ms > SLOW_MS else 0
        if self._slow >= SLOW_IN_A_ROW:
            raise PartDied(
                message(
                    "tunnel: the way to the service is too slow: {seconds} s for a round trip, {times} times in a row; "
                    "what is measured through it says nothing of the target",
                    seconds=f"{trip.round_trip_ms / 1000:.1f}",
                    times=str(self._slow),
                ),
                where="way_round_trip_ms in the evidence",
                remedy="run from a machine that is nearer to the cluster or less busy",
            )


class Tunnel:
    """``start`` once the gateway runs; it listens when the way stands."""

    def __init__(self, state: RunState, logs: Path, feed: Feed, clock: Clock) -> None:
        self._state = state
        self._log = logs / "tunnel.log"
        self._feed = feed
        self._clock = clock
        self.process: Process | None = None

    def start(self, cluster: OwnCluster, namespace: str, ways: Mapping[str, int]) -> Process:
        """``ways`` are the loopback ports by the gateway's name for where they lead."""
        command = [sys.executable, "-m", "harness.stack.kube.tunnel_process"]
        command += ["--kubeconfig", cluster.kubeconfig, "--context", cluster.context, "--namespace", namespace]
        command += ["--pod", beside.name_of(beside.GATEWAY), "--port", str(beside.GATEWAY_PORT)]
        command += ["--scratch", str(self._state.folder)]
        spec = Spec(
            part="tunnel",
            command=[*command, *(f"{name}={port}" for name, port in ways.items())],
            environment={**os.environ, "PYTHONPATH": str(ROOT)},  # whole: a credential plugin may need any of it
            log=self._log,
            folder=Path.cwd(),  # a kubeconfig may be named from here
            piped=True,
        )
        self.process = spawn(spec, self._state)
        return self.process

    async def follow(self) -> None:
        """Makes samples of the round trips, which every measured latency contains, until the process ends.

        Raises ``PartDied`` when they are too long.
        """
        assert self.process is not None
        loop = asyncio.get_running_loop()
        said, patience = asyncio.StreamReader(), Patience()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(said), self.process.popen.stdout)
        while line := await said.readline():
            trip = msgspec.json.decode(line, type=RoundTrip)
            at_ns = self._clock.now_ns()
            row = SampleRow(at_ns=at_ns, metric="way_round_trip_ms", subject=trip.name, value=trip.round_trip_ms)
            self._feed.publish(row)
            patience.heard(trip)

    async def stop(self) -> None:
        """Ends it at once; bounded."""
        if self.process is not None:
            await self.process.stop(signal.SIGTERM, 1.0)
            if self.process.popen.stdin is not None:
                self.process.popen.stdin.close()


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


class KubeStack(KubernetesStack):
    """Everything is in one namespace: the target, PostgreSQL, the Firebase parts, the gateway that leads to them.

    The harness reaches all by loopback ports, through port-forwards of the API server. ``capabilities`` has
    ``AUTOSCALING`` once ``up`` has found the metrics API.
    """

    rung = EnvironmentKind.KUBE

    def __init__(self, *, cluster: OwnCluster, images: Images, **common: Unpack[Common]) -> None:
        super().__init__(capabilities=(Capability.CPU_LIMITS,), **common)
        self._cluster = cluster
        self._images = images
        self._api: ApiServer | None = None
        self._beside: KubeBeside | None = None
        self._tunnel: Tunnel | None = None
        self._ports: dict[str, int] = {}  # on loopback, by the gateway's names
        self._left: list[str] = []

    def _on_loopback(self) -> dict[str, Address]:
        return {name: Address(host="127.0.0.1", port=port) for name, port in self._ports.items()}

    def _in_cluster(self) -> dict[str, str]:
        assert self._beside is not None
        return self._beside.inside

    async def drain(self, node: str = "", *, limit_s: float = 300.0) -> DrainEnd:
        """Evicts every pod of the target in turn. Raises ``NotCapable`` for a node: it is not the run's to cordon."""
        if node:
            raise NotCapable(
                message("the node {node} is not this run's: it must not be cordoned", node=node),
                where="drain",
                remedy="evict the target's own pods (no node named), or drain a node with --on kind",
            )
        return await super().drain("", limit_s=limit_s)

    def database(self) -> KubeDatabase:
        """The run's PostgreSQL."""
        self._running()
        assert self._beside is not None
        return KubeDatabase(self._beside, self._on_loopback()[DATABASE], self._password)

    async def build(self, *versions: Version) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's
        """Raises ``NotCapable``: nothing is pushed to somebody's registry."""
        raise NotCapable(
            "the environment kube builds no images for somebody's cluster", remedy="rehearse it with --on kind"
        )

    async def _to_load(self) -> tuple[str, str, str, str]:
        """The nodes have it, or pull it from the registry that was named."""
        return self._images.load, self._images.pull, self._cluster.kubeconfig, self._cluster.context

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
        return await kubectl_runner.by_context(
            self._cluster, place, *arguments, limit_s=limit_s, scratch=scratch, folder=folder
        )

    def leaks(self) -> list[str]:
        """With what the cluster has of the run."""
        return super().leaks() + self._left

    # -- up ------------------------------------------------------------------------------------------------------

    async def _bring_up(self, state: RunState, ends: FailureMonitor) -> None:
        files = Path(self._cluster.kubeconfig)
        self._api = api = await ApiServer.open(files, self._cluster.context, state.folder, self._clock)
        found = await examine(api, self._place.namespace, self._manifests.documents, with_load=bool(self._images.load))
        if found.metrics:
            self.capabilities |= {Capability.AUTOSCALING}
        else:
            self._progress(message("the cluster serves no metrics API: an HPA stands still, usage is unknown"))
        about = message(
            "Kubernetes {version} of context {context}", version=found.version, context=self._cluster.context
        )
        self._progress(message("{cluster}, namespace {namespace}", cluster=about, namespace=self._place.namespace))
        self._feed.event("component", "cluster", about, version=found.version, metrics=found.metrics)
        await access.sweep(api, self._progress)
        inside = self._enter(api)
        await inside.start(state.lease)
        await self._make_beside(api, ends)
        await self._lead_in(state, ends)
        await self._prepare(state)
        await self._deploy(inside)

    async def _make_beside(self, api: ApiServer, ends: FailureMonitor) -> None:
        """The parts, and first the target's Service: the gateway is told its address."""
        self._beside = beside = KubeBeside(
            api, self._place.namespace, images=self._images, logs=self._logs_folder, feed=self._feed, clock=self._clock
        )
        ends.keep(beside.follow())
        made = await api.apply(closed(self._target_service()), self._place.namespace)
        await beside.make(self._manifests, made, self._password)
        self._progress(message("PostgreSQL, the Firebase parts and the gateway run in the namespace"))

    async def _lead_in(self, state: RunState, ends: FailureMonitor) -> None:
        """The loopback ports, and the fault proxy in front of the service's."""
        fixed = None if self._with_fault_proxy else self._service_port
        self._ports = {name: state.take_port() for name in OUTSIDE}
        self._ports[SERVICE] = state.take_port() if fixed is None else state.note_port(fixed)
        self._tunnel = Tunnel(state, self._logs_folder, self._feed, self._clock)
        ends.guard(self._tunnel.start(self._cluster, self._place.namespace, self._ports))
        ends.keep(self._tunnel.follow())
        self._service = await self._front(state, ends, self._ports[SERVICE])

    async def _prepare(self, state: RunState) -> None:
        """The parts answer, and the target's migrations are done."""
        assert self._tunnel is not None and self._tunnel.process is not None
        process, password = self._tunnel.process, self._password
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
        await self._migrate(state, self.endpoints())

    def _documents_of(self, manifests: Manifests) -> list[Json]:
        return [closed(self._pulled(each)) for each in super()._documents_of(manifests)]

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

    async def _take_away(self) -> None:
        if self._inside is not None:  # until they are, whatever ends this before
            self._left = [f"namespaces of {self._cluster.context} could not be looked at"]
        try:
            if self._fault_proxy is not None:
                await self._noting(self._fault_proxy.stop())
            if self._tunnel is not None:
                await self._noting(self._tunnel.stop())
            if self._beside is not None:
                await self._beside.close()
            if self._inside is not None:
                await self._noting(self._inside.workload.remove(GONE_LIMIT_S))
                await self._noting(self._look(self._inside.api))
        finally:
            if self._inside is not None:
                await self._inside.close()
            elif self._api is not None:
                await self._api.close()

    def _what_takes_the_rest(self) -> Message:
        return message("`{program} stack down --on kube --context NAME` takes away what is left", program=PROGRAM)

    async def _look(self, api: ApiServer) -> None:
        for _ in range(LOOKS):
            try:
                self._left = await access.of_run(api, self._run_id)
            except ApiServerError as error:
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
