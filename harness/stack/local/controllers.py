"""The controllers of the local rung, wired: Deployment, HPA with metrics-server, PodDisruptionBudget.

The HPA controller and metrics-server of the local rung: measured usage, ``harness.control.hpa``'s rules.
Evictions of the local rung: the PodDisruptionBudget's status and the API server's answer, by ``harness.control``.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine
from typing import Any

import msgspec

from harness.base.clock import NS, Clock, unix_ns
from harness.base.errors import BadInput, StackNotStarted
from harness.control import metrics_server
from harness.control.disruption import GuardedPod, evict, status
from harness.control.hpa.history import History
from harness.control.hpa.proposal import Readings
from harness.control.hpa.sync import Look, ScaleOutcome, ScaleSubresource, sync
from harness.control.metrics_server import ContainerCounters
from harness.model.autoscaling import ConditionType, ContainerRequests, Hpa, HpaCondition, PodPhase, ScaledPod
from harness.model.evidence import SampleRow
from harness.model.manifests import Budget, BudgetStatus, DrainEnd, Eviction, Manifests
from harness.model.message import message
from harness.model.stack import Capability
from harness.stack.local.deployment import DeploymentController, LocalService
from harness.stack.local.pod import LocalPod, PodResources
from harness.stack.local.sampler import family_tree, usage_of
from harness.stack.process.processes import Feed
from harness.stack.state import processes

SYNC_S = 15.0  # ``--horizontal-pod-autoscaler-sync-period``


class MetricsServer:
    """Reads every container's counters each 15 s and keeps the last two readings."""

    def __init__(self, controller: DeploymentController, clock: Clock) -> None:
        self._controller = controller
        self._clock = clock
        self._before: metrics_server.Scrape = {}
        self._last: metrics_server.Scrape = {}

    async def run(self) -> None:
        """Scrapes until cancelled."""
        while True:
            self.scrape()
            await self._clock.sleep(metrics_server.RESOLUTION_S)

    def scrape(self) -> None:
        """One round over all pods."""
        tree = family_tree()
        self._before, self._last = (
            self._last,
            {name: self._pod(pod, tree) for name, pod in self._controller.pods.items()},
        )

    def readings(self) -> Readings:
        """What metrics.k8s.io would answer; custom and external metrics have no API here."""
        known = {name: containers for name, containers in self._last.items() if name in self._controller.pods}
        used = metrics_server.usage(self._before, known)
        return Readings(pods=[msgspec.structs.replace(each, at_ns=_as_told(self._clock, each.at_ns)) for each in used])

    def _pod(self, pod: LocalPod, tree: dict[int, list[int]]) -> dict[str, ContainerCounters]:
        found: dict[str, ContainerCounters] = {}
        for name, container in pod.named_containers():
            used = [usage for pid in container.pids() if (usage := usage_of(pid, tree)) is not None]
            if used:
                cpu_s, memory_bytes = sum(each.cpu_s for each in used), sum(each.memory_bytes for each in used)
                found[name] = ContainerCounters(self._clock.now_ns(), container.started_ns, cpu_s, memory_bytes)
        return found


class Autoscaler:
    """Sets the Deployment's replicas as the HPA asks, while there is one; tells its events and conditions' changes."""

    def __init__(
        self, hpa: Hpa | None, controller: DeploymentController, metrics: MetricsServer, feed: Feed, clock: Clock
    ) -> None:
        self.hpa = hpa
        self._controller = controller
        self._metrics = metrics
        self._feed = feed
        self._clock = clock
        self._history = History()
        self._told: dict[ConditionType, tuple[bool, str]] = {}

    async def run(self) -> None:
        """Reconciles each 15 s until cancelled, and keeps metrics-server going."""
        scraping = asyncio.ensure_future(self._metrics.run())
        try:
            while True:
                if self.hpa is not None:
                    self.reconcile(self.hpa)
                sleeping = asyncio.ensure_future(self._clock.sleep(SYNC_S))
                await asyncio.wait([scraping, sleeping], return_when=asyncio.FIRST_COMPLETED)
                if scraping.done():
                    sleeping.cancel()
                    scraping.result()
        finally:
            scraping.cancel()
            await asyncio.gather(scraping, return_exceptions=True)

    def reconcile(self, hpa: Hpa) -> ScaleOutcome:
        """One reconciliation."""
        deployment = self._controller.deployment
        pods = list(self._controller.pods.values())
        look = Look(
            hpa=hpa,
            scale=ScaleSubresource(deployment.replicas, sum(not pod.terminating for pod in pods)),
            pods=[_seen(pod, self._clock) for pod in pods],
            readings=self._metrics.readings(),
            now_ns=self._clock.now_ns(),
        )
        outcome = sync(look, self._history)
        self._history = outcome.history
        if outcome.rescale:
            self._controller.follow(msgspec.structs.replace(deployment, replicas=outcome.replicas))
        self._tell(outcome, look)
        return outcome

    def _tell(self, outcome: ScaleOutcome, look: Look) -> None:
        for event in outcome.events:
            if not event.warning:
                self._feed.event("autoscaler", look.hpa.name, event.message, reason=event.reason)
        for condition in outcome.history.conditions:
            if self._told.get(condition.type) != (condition.ok, condition.reason):
                self._told[condition.type] = (condition.ok, condition.reason)
                self._feed.event("autoscaler", look.hpa.name, _words(condition), reason=condition.reason)
        self._sample(look.now_ns, "desired_replicas", look.hpa.name, outcome.replicas)
        if outcome.metric_replicas is not None:
            self._sample(look.now_ns, "metric_replicas", look.hpa.name, outcome.metric_replicas)

    def _sample(self, at_ns: int, metric: str, subject: str, value: float) -> None:
        self._feed.publish(SampleRow(at_ns=at_ns, metric=metric, subject=subject, value=float(value)))


def _words(condition: HpaCondition) -> str:
    return f"{condition.type.value} is {condition.ok}: {condition.message}"


def _as_told(clock: Clock, at_ns: int) -> int:
    """A moment as Kubernetes' API tells it (``metav1.Time``): its whole second of UTC, on the run's clock."""
    shift_ns = unix_ns(clock.anchor, 0)
    return (at_ns + shift_ns) // NS * NS - shift_ns


def _seen(pod: LocalPod, clock: Clock) -> ScaledPod:
    view = pod.view()
    return ScaledPod(
        name=pod.name,
        containers=tuple(_requests(pod)),
        phase=PodPhase.RUNNING if view.running else PodPhase.PENDING,
        terminating=view.terminating,
        started_ns=_as_told(clock, view.created_ns),
        ready=pod.ready,
        ready_changed_ns=_as_told(clock, pod.ready_changed_ns),
    )


def _requests(pod: LocalPod) -> list[ContainerRequests]:
    found = []
    for container in pod.template.containers:
        asked = {"cpu": container.request_cpu_m, "memory": container.request_memory_bytes}
        memory = asked["memory"]
        asked["memory"] = None if memory is None else memory * 1000
        known = {resource: amount for resource, amount in asked.items() if amount is not None}
        found.append(ContainerRequests(name=container.name, requests_m=known))
    return found


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

    async def drain(self, limit_s: float) -> DrainEnd:
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
        return DrainEnd(evicted=tuple(pod.name for pod in pods), refusals=sum(refusals), took_s=took_s)

    async def _drain(self, pod: LocalPod) -> int:
        refusals = 0
        while not pod.terminating and not self.evict(pod.name).granted:
            refusals += 1
            await self._clock.sleep(RETRY_S)
        await asyncio.shield(pod.terminate())
        return refusals


def _guarded(pod: LocalPod) -> GuardedPod:
    running = any(container.running for container in pod.containers)
    return GuardedPod(
        name=pod.name,
        ready=pod.ready,
        phase=PodPhase.RUNNING if running or pod.was_ready else PodPhase.PENDING,
        terminating=pod.terminating,
    )


def capabilities(*, signals_at_once: bool = False) -> frozenset[Capability]:
    """What this rung can do on this machine; ``signals_at_once`` gives up that endpoints come before signals."""
    can = {
        Capability.REAL_PROCESSES,
        Capability.REAL_POSTGRESQL,
        Capability.DOCUMENT_TEMPO,
        Capability.AUTOSCALING,
        Capability.EVICTION,
        Capability.DATABASE_INSTANCES,
        Capability.VERSIONS,
        Capability.POD_SIGNALS,
    }
    can |= set() if signals_at_once else {Capability.ENDPOINTS_BEFORE_SIGNALS}
    can |= {Capability.CPU_LIMITS} if processes.usable() else set()
    return frozenset(can)


class Controllers:
    """What people ask a cluster for, as kubectl does, on the pods of this machine."""

    def __init__(self, manifests: Manifests, ground: PodResources, service: LocalService) -> None:
        self.deployment = DeploymentController(manifests.deployment, ground, service)
        self.budgets = Budgets(manifests.pdb, self.deployment, ground.feed, ground.clock)
        metrics = MetricsServer(self.deployment, ground.clock)
        self.autoscaler = Autoscaler(manifests.hpa, self.deployment, metrics, ground.feed, ground.clock)
        self._restarts = 0

    def loops(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """What runs until cancelled."""
        return (self.deployment.run(), self.autoscaler.run())

    async def apply(self, manifests: Manifests) -> None:
        """As ``kubectl apply``; ``replicas`` of the manifest counts, whatever the HPA had set."""
        self.deployment.follow(manifests.deployment)
        self.autoscaler.hpa, self.budgets.budget = manifests.hpa, manifests.pdb
        await self.deployment.settled()

    async def scale(self, replicas: int) -> None:
        """As ``kubectl scale``: the template stays."""
        self.deployment.follow(msgspec.structs.replace(self.deployment.deployment, replicas=replicas))
        await self.deployment.settled()

    def set_image(self, image: str) -> None:
        """As ``kubectl set image`` of the first container."""
        deployment, template = self.deployment.deployment, self.deployment.deployment.template
        first, *others = template.containers
        renewed = msgspec.structs.replace(
            template,
            containers=(msgspec.structs.replace(first, image=image), *others),
            digest=hashlib.sha256(f"{template.digest}\n{image}".encode()).hexdigest()[:16],
        )
        self.deployment.follow(msgspec.structs.replace(deployment, template=renewed))

    def undo(self) -> bool:
        """As ``kubectl rollout undo``: the template before, as the newest; whether there was one."""
        before = self.deployment.before()
        if before is not None:
            self.deployment.follow(msgspec.structs.replace(self.deployment.deployment, template=before))
        return before is not None

    async def restart(self) -> None:
        """As ``kubectl rollout restart``: the pod template gets another annotation, and so another digest."""
        self._restarts += 1
        deployment = self.deployment.deployment
        digest = f"{deployment.template.digest[:8]}-restart{self._restarts}"
        renewed = msgspec.structs.replace(deployment.template, digest=digest)
        self.deployment.follow(msgspec.structs.replace(deployment, template=renewed))
        await self.deployment.settled()
