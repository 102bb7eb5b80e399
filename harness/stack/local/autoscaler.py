"""The HPA controller and metrics-server of the local rung: measured usage, ``harness.control.hpa``'s rules."""

from __future__ import annotations

import asyncio

import msgspec

from harness.base.clock import NS, Clock, unix_ns
from harness.control import metrics_server
from harness.control.hpa.history import History
from harness.control.hpa.proposal import Readings
from harness.control.hpa.sync import Look, Outcome, Scale, sync
from harness.control.metrics_server import Reading
from harness.model.autoscaling import Condition, ConditionType, ContainerRequests, Hpa, PodPhase, ScaledPod
from harness.model.evidence import SampleRow
from harness.stack.feed import Feed
from harness.stack.local.deployment import DeploymentController
from harness.stack.local.pod import Pod
from harness.stack.local.sampler import family_tree, usage_of

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

    def _pod(self, pod: Pod, tree: dict[int, list[int]]) -> dict[str, Reading]:
        found: dict[str, Reading] = {}
        for name, container in pod.named_containers():
            used = [usage for pid in container.pids() if (usage := usage_of(pid, tree)) is not None]
            if used:
                cpu_s, memory_bytes = sum(each.cpu_s for each in used), sum(each.memory_bytes for each in used)
                found[name] = Reading(self._clock.now_ns(), container.started_ns, cpu_s, memory_bytes)
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

    def reconcile(self, hpa: Hpa) -> Outcome:
        """One reconciliation."""
        deployment = self._controller.deployment
        pods = list(self._controller.pods.values())
        look = Look(
            hpa=hpa,
            scale=Scale(deployment.replicas, sum(not pod.terminating for pod in pods)),
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

    def _tell(self, outcome: Outcome, look: Look) -> None:
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


def _words(condition: Condition) -> str:
    return f"{condition.type.value} is {condition.ok}: {condition.message}"


def _as_told(clock: Clock, at_ns: int) -> int:
    """A moment as Kubernetes' API tells it (``metav1.Time``): its whole second of UTC, on the run's clock."""
    shift_ns = unix_ns(clock.anchor, 0)
    return (at_ns + shift_ns) // NS * NS - shift_ns


def _seen(pod: Pod, clock: Clock) -> ScaledPod:
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


def _requests(pod: Pod) -> list[ContainerRequests]:
    found = []
    for container in pod.template.containers:
        asked = {"cpu": container.request_cpu_m, "memory": container.request_memory_bytes}
        memory = asked["memory"]
        asked["memory"] = None if memory is None else memory * 1000
        known = {resource: amount for resource, amount in asked.items() if amount is not None}
        found.append(ContainerRequests(name=container.name, requests_m=known))
    return found
