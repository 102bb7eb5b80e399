"""Evictions of the local rung: the PodDisruptionBudget's status and the API server's answer, by ``harness.control``."""

from __future__ import annotations

import asyncio

from harness.base.clock import NS, Clock
from harness.base.errors import BadInput, StackNotStarted
from harness.control.disruption import GuardedPod, evict, status
from harness.model.autoscaling import PodPhase
from harness.model.disruption import Budget, BudgetStatus, Drained, Eviction
from harness.model.message import message
from harness.stack.feed import Feed
from harness.stack.local.deployment import DeploymentController
from harness.stack.local.pod import Pod

RETRY_S = 5.0  # kubectl drain asks again so long after a refusal


class Budgets:
    """The one budget of the manifests, or none: then every eviction is granted."""

    def __init__(self, budget: Budget | None, controller: DeploymentController, feed: Feed, clock: Clock) -> None:
        self.budget = budget
        self._controller = controller
        self._feed = feed
        self._clock = clock
        self._disrupted: dict[str, int] = {}

    def status(self) -> BudgetStatus | None:
        """The budget's status now: the controller of this rung is never late."""
        if self.budget is None:
            return None
        pods = [_guarded(pod) for pod in self._controller.pods.values()]
        now_ns = self._clock.now_ns()
        known = status(self.budget, pods, self._controller.deployment.replicas, self._disrupted, now_ns)
        self._disrupted = known.disrupted
        return known

    def evict(self, name: str) -> Eviction:
        """Asks for the eviction of the pod ``name`` and, when granted, begins its termination.

        Raises ``BadInput`` when there is no such pod.
        """
        pod = self._controller.pods.get(name)
        if pod is None:
            there = ", ".join(sorted(self._controller.pods)) or message("none")
            raise BadInput(
                message("there is no pod {name}", name=repr(name)),
                where="evict",
                remedy=message("pods: {there}", there=there),
            )
        known = self.status()
        budgets = [] if self.budget is None or known is None else [(self.budget, known)]
        answer = evict(_guarded(pod), budgets, self._clock.now_ns())
        if answer.status is not None:
            self._disrupted = answer.status.disrupted
        allowed = {} if known is None else {"allowed": known.disruptions_allowed, "healthy": known.current_healthy}
        refused = message("eviction refused ({code}): {why}", code=str(answer.code), why=answer.message)
        said = message("evicted") if answer.granted else refused
        self._feed.event("eviction", name, said, code=answer.code, **allowed)
        if answer.granted:
            pod.terminate()
        return answer

    async def drain(self, limit_s: float) -> Drained:
        """Evicts every pod there is now, as ``kubectl drain``: together, each again 5 s after a refusal, until gone.

        Raises ``StackNotStarted`` when one is not gone within ``limit_s``.
        """
        pods = [pod for pod in self._controller.pods.values() if not pod.gone]
        begun_ns = self._clock.now_ns()
        try:
            async with asyncio.timeout(limit_s):
                refusals = await asyncio.gather(*(self._drain(pod) for pod in pods))
        except TimeoutError:
            left = ", ".join(pod.name for pod in pods if not pod.gone)
            raise StackNotStarted(
                message("the drain did not end within {limit_s} s; left: {left}", limit_s=f"{limit_s:g}", left=left),
                where="drain",
                remedy="read the PodDisruptionBudget: it may allow no disruption at this number of replicas",
            ) from None
        took_s = (self._clock.now_ns() - begun_ns) / NS
        return Drained(evicted=tuple(pod.name for pod in pods), refusals=sum(refusals), took_s=took_s)

    async def _drain(self, pod: Pod) -> int:
        refusals = 0
        while not pod.terminating and not self.evict(pod.name).granted:
            refusals += 1
            await self._clock.sleep(RETRY_S)
        await asyncio.shield(pod.terminate())
        return refusals


def _guarded(pod: Pod) -> GuardedPod:
    running = any(container.running for container in pod.containers)
    return GuardedPod(
        name=pod.name,
        ready=pod.ready,
        phase=PodPhase.RUNNING if running or pod.was_ready else PodPhase.PENDING,
        terminating=pod.terminating,
    )
