"""What a run has inside the cluster: its namespace, the workload in it, and everything that follows both."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from harness.base.clock import NS, Clock, polling
from harness.base.errors import BadInput, StackNotStarted
from harness.model.manifests import DrainEnd, Eviction
from harness.model.message import ProgressCallback, message
from harness.model.stack import Address
from harness.stack.kubernetes.api_server import NOT_FOUND, ApiServer, ApiServerError
from harness.stack.kubernetes.watching import PodLogs, RunningPod, TargetPlace, Watching
from harness.stack.kubernetes.workload import Workload
from harness.stack.process.processes import Feed
from harness.stack.process.waiting import http_status
from harness.stack.state import Lease

# Evictions through the API server's own subresource, which holds the PodDisruptionBudget; draining as kubectl does.

RETRY_S = 5.0  # kubectl's own


class Evictions:
    """Of the pods of one namespace."""

    def __init__(self, api: ApiServer, namespace: str, watching: Watching, feed: Feed, clock: Clock) -> None:
        self._api = api
        self._feed = feed
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._namespace = namespace
        self._watching = watching
        self._clock = clock

    async def evict(self, pod: str) -> Eviction:
        """The API server's answer. Raises ``BadInput`` when there is no such pod."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": self._namespace}}
        try:
            await self._api.post(f"{self._pods}/{pod}/eviction", body)
        except ApiServerError as error:
            if error.status == NOT_FOUND:
                raise BadInput(message("there is no pod {pod}", pod=repr(pod)), where=self._namespace) from error
            answer = Eviction(code=error.status, message=error.message)
            said = message("eviction refused ({code}): {why}", code=str(answer.code), why=answer.message)
        else:
            answer, said = Eviction(code=201), message("evicted")
        self._feed.event("eviction", pod, said, code=answer.code)
        return answer

    async def drain(self, node: str, limit_s: float) -> DrainEnd:
        """Cordons ``node``, evicts the target's pods on it, waits until they are gone, and uncordons it again.

        "" is every pod, wherever it is, without a cordon. Raises ``BadInput``, ``StackNotStarted``.
        """
        if node:
            await self._cordon(node, on=True)
        try:
            return await self._evict_all(node, limit_s)
        finally:
            if node:
                await self._cordon(node, on=False)

    async def _evict_all(self, node: str, limit_s: float) -> DrainEnd:
        start_ns = self._clock.now_ns()
        left = {pod.name for pod in self._on(node)}
        evicted: list[str] = []
        refusals = 0
        while left:
            for name in sorted(left):
                if (await self._asked(name)).granted:
                    evicted.append(name)
                    left.discard(name)
                else:
                    refusals += 1
            if self._clock.now_ns() > start_ns + limit_s * NS:
                raise self._not_drained(node, sorted(left), limit_s)
            if left:
                await self._clock.sleep(RETRY_S)
        while gone := set(evicted) & self._watching.pods.known.keys():
            if self._clock.now_ns() > start_ns + limit_s * NS:
                raise self._not_drained(node, sorted(gone), limit_s)
            await self._clock.sleep(_POLL_S)
        took_s = (self._clock.now_ns() - start_ns) / NS
        return DrainEnd(evicted=tuple(evicted), refusals=refusals, took_s=took_s)

    async def _asked(self, pod: str) -> Eviction:
        """One that went by itself meanwhile is as good as evicted."""
        try:
            return await self.evict(pod)
        except BadInput:
            return Eviction(code=201)

    def _on(self, node: str) -> list[RunningPod]:
        return [pod for pod in self._watching.pods.known.values() if node in ("", pod.node)]

    async def _cordon(self, node: str, *, on: bool) -> None:
        try:
            await self._api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": on or None}})
        except ApiServerError as error:
            if error.status == NOT_FOUND:
                raise BadInput(
                    message("there is no node {node}", node=repr(node)), where="drain", remedy="kubectl get nodes"
                ) from error
            raise

    @staticmethod
    def _not_drained(node: str, left: list[str], limit_s: float) -> StackNotStarted:
        return StackNotStarted(
            message(
                "{node}: not drained after {limit_s} s; left: {names}",
                node=node or message("the pods"),
                limit_s=f"{limit_s:g}",
                names=", ".join(left),
            ),
            where="drain",
            remedy="a budget that never allows a disruption blocks every drain: see the PodDisruptionBudget's status",
        )


SERVICE_LIMIT_S = 20.0
METRICS_LIMIT_S = 90.0
_POLL_S = 0.25


class NamespaceSession:
    """``start`` once; ``close`` whatever became of it."""

    def __init__(
        self, api: ApiServer, place: TargetPlace, *, logs: Path, feed: Feed, clock: Clock, progress: ProgressCallback
    ) -> None:
        self.namespace = place.namespace
        self.api = api
        self.watching = Watching(api, place, feed, clock)
        self.pod_logs = PodLogs(api, place, logs, feed, clock)
        self.workload = Workload(api, place, self.watching, self.pod_logs, clock)
        self.evictions = Evictions(api, place.namespace, self.watching, feed, clock)
        self._place = place
        self._feed = feed
        self._clock = clock
        self._progress = progress
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, lease: Lease) -> None:
        """Makes the namespace and follows it. Raises ``StackNotStarted``."""
        await self.workload.make_namespace(lease)
        for work in self.watching.works(self.pod_logs.follow):
            self.keep(work)

    async def service_answers(self, service: Address, path: str) -> None:
        """Asks as users will. Raises ``StackNotStarted`` after 20 s."""
        for _ in range(round(SERVICE_LIMIT_S / _POLL_S)):
            if await http_status(service, path):
                self._progress(message("the service answers on {address}", address=str(service)))
                return
            await self._clock.sleep(_POLL_S)
        raise StackNotStarted(
            message("the pods are ready, but the service does not answer on {service}", service=str(service)),
            where=self._place.namespace,
        )

    async def metrics_flow(self) -> None:
        """Waits until metrics-server has figures of the pods. Raises ``StackNotStarted`` after 90 s."""
        again = polling(self._clock, limit_s=METRICS_LIMIT_S, every_s=_POLL_S)
        while not self.watching.metrics_flow:
            if not await again():
                raise StackNotStarted(
                    message(
                        "metrics-server has no figures of the pods after {metrics_limit_s} s",
                        metrics_limit_s=f"{METRICS_LIMIT_S:g}",
                    ),
                    where="kubectl top pod",
                    remedy="read: kubectl -n kube-system logs deployment/metrics-server",
                )
        self._progress(message("metrics of every pod flow"))

    async def close(self) -> None:
        """Follows nothing any more; the namespace stays, see ``Workload.remove``."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pod_logs.close()
        await self.api.close()

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` until ``close``; what it raises is the stack's failure."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._kept_ended)
        self._tasks.append(task)

    def _kept_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._feed.fail_with(error)
