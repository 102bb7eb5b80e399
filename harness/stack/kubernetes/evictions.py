"""Evictions through the API server's own subresource, which holds the PodDisruptionBudget; draining as kubectl does."""

from __future__ import annotations

from harness.base.clock import NS, Clock
from harness.base.errors import BadInput, StackNotStarted
from harness.model.disruption import DrainEnd, Eviction
from harness.model.message import message
from harness.stack.kubernetes.api_server import NOT_FOUND, ApiServer, ApiServerError
from harness.stack.kubernetes.pods import RunningPod
from harness.stack.kubernetes.watching import Watching
from harness.stack.process.feed import Feed

RETRY_S = 5.0  # kubectl's own
_POLL_S = 0.25


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
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": self._namespace},
        }
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
