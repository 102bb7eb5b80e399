"""The target in its namespace: applied, scaled, restarted, awaited, removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.clock import NS, Clock, utc
from harness.model.errors import StackNotStarted
from harness.stack.kind import labels
from harness.stack.kind.api_server import CONFLICT, NOT_FOUND, ApiServer, Json, Refused
from harness.stack.kind.logs import PodLogs
from harness.stack.kind.watching import Place, Watching
from harness.stack.processes import tail
from harness.state import Lease

READY_LIMIT_S = 180.0
GONE_LIMIT_S = 60.0
PORT_LIMIT_S = 300.0
NODE_PORTS_IN_USE = "/api/v1/services"
#: A pod that restarts so often without ever being ready is given up, as on the local rung.
RESTARTS_LIMIT = 3
_POLL_S = 0.25
_RULES_S = 1.0  # kube-proxy writes its rules at most once a second (minSyncPeriod)


class Workload:
    """One Deployment with all that belongs to it."""

    def __init__(self, api: ApiServer, place: Place, watching: Watching, logs: PodLogs, clock: Clock) -> None:
        self._api = api
        self._namespace = place.namespace
        self._place = f"/api/v1/namespaces/{place.namespace}"
        self._name = place.deployment
        self._deployment = f"/apis/apps/v1/namespaces/{place.namespace}/deployments/{place.deployment}"
        self._watching = watching
        self._logs = logs
        self._clock = clock
        self.secret_comes_later = False  # the CSI driver makes it once the first pod has the volume

    async def make_namespace(self, lease: Lease) -> None:
        """The run's own, marked with its owner. Raises ``Refused``."""
        metadata = {
            "name": self._namespace,
            "labels": {labels.MANAGED: labels.MANAGER},
            "annotations": {labels.RUN: lease.run_id, labels.OWNER: labels.owner(lease)},
        }
        await self._api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, self._namespace)

    async def free_node_port(self, mapped: Sequence[int], progress: Callable[[str], None]) -> int:
        """A mapped NodePort that no Service of the cluster has; other runs' ends are waited for, up to five minutes.

        Raises ``StackNotStarted`` when all are taken then.
        """
        give_up_ns, told = self._clock.now_ns() + round(PORT_LIMIT_S * NS), False
        while self._clock.now_ns() < give_up_ns:
            services = (await self._api.get(NODE_PORTS_IN_USE))["items"]
            taken = {port.get("nodePort") for service in services for port in service["spec"].get("ports", [])}
            for port in mapped:
                if port not in taken:
                    return port
            if not told:
                progress(f"all {len(mapped)} NodePorts are taken by other runs; waiting for one")
                told = True
            await self._clock.sleep(_POLL_S)
        raise StackNotStarted(
            f"all {len(mapped)} NodePorts that lead out of the cluster are taken by other runs",
            where=NODE_PORTS_IN_USE,
            remedy="wait for another run to end",
        )

    async def apply(self, documents: Sequence[Json]) -> None:
        """Server-side apply, as ``kubectl apply`` of the folder: the replicas become the manifest's again."""
        for document in documents:
            await self._api.apply(document, self._namespace)

    async def scale(self, replicas: int) -> None:
        """As ``kubectl scale``."""
        await self._api.patch(f"{self._deployment}/scale", {"spec": {"replicas": replicas}})

    async def restart(self) -> None:
        """As ``kubectl rollout restart``: an annotation of the pod template."""
        stamp = utc(self._clock.anchor, self._clock.now_ns())
        annotations = {"kubectl.kubernetes.io/restartedAt": stamp}
        await self._api.patch(self._deployment, {"spec": {"template": {"metadata": {"annotations": annotations}}}})

    async def settled(self, limit_s: float = READY_LIMIT_S) -> None:
        """Returns when the rollout is complete, the old pods are gone and the Service leads to all new ones.

        Raises ``StackNotStarted`` with the pod's own words when a pod cannot start or ``limit_s`` passes.
        """
        give_up_ns = self._clock.now_ns() + round(limit_s * NS)
        while not await self._complete():
            self._refuse_hopeless()
            if self._clock.now_ns() > give_up_ns:
                raise self._not_settled(f"not ready after {limit_s:g} s")
            await self._clock.sleep(_POLL_S)
        await self._clock.sleep(_RULES_S)

    async def remove(self) -> None:
        """Deletes the namespace and waits until it is gone. Raises ``StackNotStarted``."""
        await self._api.delete(self._place)  # first: in a namespace that ends no controller makes new pods
        await self._api.delete(f"{self._place}/pods", gracePeriodSeconds=1)
        give_up_ns = self._clock.now_ns() + round(GONE_LIMIT_S * NS)
        while self._clock.now_ns() < give_up_ns:
            try:
                await self._api.get(self._place)
            except Refused as error:
                if error.status == NOT_FOUND:
                    return
                if error.status != CONFLICT:
                    raise
            await self._clock.sleep(_POLL_S)
        raise StackNotStarted(f"namespace {self._namespace} is not gone after {GONE_LIMIT_S:g} s")

    async def _complete(self) -> bool:
        """As ``kubectl rollout status``, and no pod is left over."""
        found = await self._api.get(self._deployment)
        status, wanted = found.get("status", {}), found["spec"]["replicas"]
        counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
        observed = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
        pods = self._watching.pods
        seen = len(pods.known) == len(pods.ready()) == self._watching.endpoints_ready == wanted
        return observed and counts == [wanted] * 3 and seen

    def _refuse_hopeless(self) -> None:
        for pod in self._watching.pods.known.values():
            waits = self.secret_comes_later and "CreateContainerConfigError" in pod.trouble
            if (pod.stuck and not waits) or (not pod.was_ready and pod.restarts >= RESTARTS_LIMIT):
                raise self._not_settled(f"{pod.name} cannot become ready")

    def _not_settled(self, what: str) -> StackNotStarted:
        waiting = [pod for pod in self._watching.pods.known.values() if not pod.ready]
        if not waiting:
            return StackNotStarted(f"Deployment {self._name}: {what}", where=self._namespace)
        pod = waiting[0]
        log = self._logs.first(pod.name)
        return StackNotStarted(
            f"Deployment {self._name}: {what}\n  {pod.name} ({pod.state}): {pod.trouble or 'not ready'}\n{tail(log)}",
            where=str(log),
            remedy="its readiness path must answer 200 with the environment contract; the report has the pod's events",
        )
