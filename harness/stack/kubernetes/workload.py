"""The target in its namespace: applied, scaled, restarted, awaited, removed."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence

from harness.base.clock import NS, Clock, polling, utc
from harness.base.errors import StackNotStarted
from harness.model.manifests import Deployment
from harness.model.message import ProgressCallback, message
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import CONFLICT, NOT_FOUND, ApiServer, ApiServerError, Json
from harness.stack.kubernetes.watching import PodLogs, RunningPod, TargetPlace, Watching, read
from harness.stack.process.processes import tail
from harness.stack.state import Lease

# A Job that is done before the pods start: waited for, its words kept for whoever has to mend it.

LIMIT_S = 180.0  # a migration of an empty database, on a busy machine
_LAST_LINES = 12


async def done(api: ApiServer, namespace: str, name: str, clock: Clock) -> None:
    """Returns when the Job is complete. Raises ``StackNotStarted`` when it failed, cannot start, or took 180 s."""
    place = f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}"
    again = polling(clock, limit_s=LIMIT_S, every_s=_POLL_S)
    while True:
        found = await api.get(place)
        conditions = {each["type"]: each for each in found.get("status", {}).get("conditions", [])}
        if conditions.get("Complete", {}).get("status") == "True":
            return
        pods = (await api.get(f"/api/v1/namespaces/{namespace}/pods", labelSelector=f"job-name={name}"))["items"]
        stuck = [pod.trouble for pod in map(read, pods) if pod.stuck]
        failed = conditions.get("Failed", {})
        if failed.get("status") == "True" or stuck or not await again():
            why = failed.get("message") or "; ".join(stuck) or f"not complete after {LIMIT_S:g} s"
            raise StackNotStarted(
                message("Job {name}: {why}\n{log}", name=name, why=why, log=await _said(api, namespace, pods)),
                where=message("{namespace}: Job/{name}", namespace=namespace, name=name),
                remedy="mend the Job, or say migrations: in the target file and leave the Job out",
            )


async def _said(api: ApiServer, namespace: str, pods: list[Json]) -> str:
    """The last lines of the newest pod's log; "" without any."""
    lines: list[str] = []
    for pod in sorted(pods, key=lambda each: str(each["metadata"].get("creationTimestamp")))[-1:]:
        with contextlib.suppress(ApiServerError):
            place = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/log"
            async for line in api.lines(place, tailLines=_LAST_LINES):
                lines.append(f"    {line.decode(errors='replace')}")
    return "\n".join(lines)


NAMESPACES = "/api/v1/namespaces"
READY_LIMIT_S = 180.0
GONE_LIMIT_S = 60.0
UNPROCESSABLE = 422
PORT_LIMIT_S = 300.0
NODE_PORTS_IN_USE = "/api/v1/services"
#: A pod that restarts so often without ever being ready is given up, as on the local rung.
RESTARTS_LIMIT = 3
#: Answers of a server that has too much to do, or none in time: it is asked again. A conflict is another's turn.
BUSY = (0, CONFLICT, 429, 500, 503, 504)
_POLL_S = 0.25
_RULES_S = 1.0  # kube-proxy writes its rules at most once a second (minSyncPeriod)


class Workload:
    """One Deployment with all that belongs to it."""

    def __init__(self, api: ApiServer, place: TargetPlace, watching: Watching, logs: PodLogs, clock: Clock) -> None:
        self._api = api
        self._namespace = place.namespace
        self._place = f"/api/v1/namespaces/{place.namespace}"
        self._name = place.deployment
        self._deployment = f"/apis/apps/v1/namespaces/{place.namespace}/deployments/{place.deployment}"
        self._watching = watching
        self._logs = logs
        self._clock = clock
        self._lease: Lease | None = None  # once the namespace is being made
        self._uid = ""  # of the namespace, once it is made
        self.secret_comes_later = False  # the CSI driver makes it once the first pod has the volume

    async def make_namespace(self, lease: Lease) -> None:
        """The run's own, marked with its owner. Raises ``ApiServerError``, also when there is one of that name."""
        self._lease = lease
        metadata = {
            "name": self._namespace,
            "labels": {labels.MANAGED: labels.MANAGER},
            "annotations": labels.marks(lease),
        }
        made = await self._api.post(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self._uid = made["metadata"]["uid"]

    async def take_node_port(self, mapped: Sequence[int], service: Json, progress: ProgressCallback) -> int:
        """Makes ``service`` with a mapped NodePort that no Service of the cluster has, which is its own from then on.

        Other runs' ends are waited for, up to five minutes. Raises ``StackNotStarted`` when all are taken then.
        """
        give_up_ns, told = self._clock.now_ns() + round(PORT_LIMIT_S * NS), False
        while self._clock.now_ns() < give_up_ns:
            services = (await self._api.get(NODE_PORTS_IN_USE))["items"]
            taken = {port.get("nodePort") for each in services for port in each["spec"].get("ports", [])}
            for port in mapped:
                if port not in taken and await self._takes(port, service):
                    return port
            if not told:
                progress(
                    message("all {count} NodePorts are taken by other runs; waiting for one", count=str(len(mapped)))
                )
                told = True
            await self._clock.sleep(_POLL_S)
        raise StackNotStarted(
            message(
                "all {count} NodePorts that lead out of the cluster are taken by other runs", count=str(len(mapped))
            ),
            where=NODE_PORTS_IN_USE,
            remedy="wait for another run to end",
        )

    async def _takes(self, port: int, service: Json) -> bool:
        """False when another run was quicker."""
        document = copy.deepcopy(service)
        document["spec"]["ports"][0]["nodePort"] = port
        try:
            await self._api.apply(document, self._namespace)
        except ApiServerError as error:
            if error.status != UNPROCESSABLE or "already allocated" not in error.what:
                raise
            return False
        return True

    async def apply(self, documents: Sequence[Json]) -> None:
        """Server-side apply, as ``kubectl apply`` of the folder: the replicas become the manifest's again.

        A Job is waited for, so that what comes after it finds its work done. Raises ``StackNotStarted`` when it fails.
        """
        for document in documents:
            await self._api.apply(document, self._namespace)
            if document["kind"] == "Job":
                await done(self._api, self._namespace, document["metadata"]["name"], self._clock)

    async def scale(self, replicas: int) -> None:
        """As ``kubectl scale``."""
        await self._api.patch(f"{self._deployment}/scale", {"spec": {"replicas": replicas}})

    async def restart(self) -> None:
        """As ``kubectl rollout restart``: an annotation of the pod template."""
        stamp = utc(self._clock.anchor, self._clock.now_ns())
        annotations = {"kubectl.kubernetes.io/restartedAt": stamp}
        await self._api.patch(self._deployment, {"spec": {"template": {"metadata": {"annotations": annotations}}}})

    async def settled(self, deployment: Deployment, limit_s: float = READY_LIMIT_S) -> None:
        """Returns when the rollout is complete, the old pods are gone and the Service leads to all new ones.

        Raises ``StackNotStarted`` with the pod's own words when a pod cannot start, or ``limit_s`` passes and what the
        manifests of ``deployment`` alone take.
        """
        limit_s += deployment.unasked_s
        again = polling(self._clock, limit_s=limit_s, every_s=_POLL_S)
        while not await self._complete():
            self._refuse_hopeless()
            if not await again():
                waiting = (pod for pod in self._watching.pods.known.values() if not pod.ready)
                raise self._not_settled(f"not ready after {limit_s:g} s", next(waiting, None))
        await self._clock.sleep(_RULES_S)

    async def remove(self, limit_s: float = GONE_LIMIT_S) -> None:
        """Deletes the namespace that it made and waits until it is gone. Raises ``StackNotStarted``."""
        if self._lease is None:
            return
        give_up_ns = self._clock.now_ns() + round(limit_s * NS)
        asked = False
        while self._clock.now_ns() < give_up_ns:
            try:
                if not asked:
                    if not (uid := self._uid or await self._own()):
                        return
                    # First: in a namespace that ends no controller makes new pods.
                    await self._api.delete_own(self._place, uid)
                    await self._api.delete(f"{self._place}/pods", gracePeriodSeconds=1)
                    asked = True
                await self._api.get(self._place)
            except ApiServerError as error:
                if error.status == NOT_FOUND:
                    return
                if error.status not in BUSY:
                    raise
            await self._clock.sleep(_POLL_S)
        raise StackNotStarted(
            message(
                "namespace {namespace} is not gone after {limit_s} s", namespace=self._namespace, limit_s=f"{limit_s:g}"
            )
        )

    async def _own(self) -> str:
        """The namespace's uid when it is this run's all the same: its making was interrupted before the answer came."""
        found = (await self._api.get(self._place))["metadata"]
        marks = found.get("annotations", {})
        lease = self._lease
        ours = (
            lease is not None
            and marks.get(labels.RUN) == lease.run_id
            and marks.get(labels.OWNER) == labels.owner(lease)
        )
        return str(found["uid"]) if ours else ""

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
                raise self._not_settled(f"{pod.name} cannot become ready", pod)

    def _not_settled(self, what: str, pod: RunningPod | None) -> StackNotStarted:
        if pod is None:
            return StackNotStarted(
                message("Deployment {name}: {what}", name=self._name, what=what), where=self._namespace
            )
        log = self._logs.first(pod.name)
        return StackNotStarted(
            message(
                "Deployment {name}: {what}\n  {pod} ({state}): {trouble}\n{log}",
                name=self._name,
                what=what,
                pod=pod.name,
                state=pod.state,
                trouble=pod.trouble or message("not ready"),
                log=tail(log),
            ),
            where=str(log),
            remedy="its readiness path must answer 200 with the environment contract; the report has the pod's events",
        )
