"""The controllers of the local rung: Deployment and ReplicaSets by ``harness.control``, endpoints into Envoy's file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from harness.base.clock import Clock, polling
from harness.base.errors import StackNotStarted
from harness.control import progress
from harness.control.deployment import step
from harness.control.endpoints import ready_endpoints
from harness.model.cluster import PodView, ReplicaSet
from harness.model.manifests import Deployment, PodTemplate
from harness.model.message import message
from harness.stack.local.pod import LocalPod, PodResources
from harness.stack.process.processes import endpoints_told

TICK_S = 0.5  # only minReadySeconds needs time alone; everything else is told
#: Kubernetes gives a Deployment 600 s (progressDeadlineSeconds); a rehearsal's people wait less.
PROGRESS_LIMIT_S = 180.0
UP_LIMIT_S = 60.0
#: A pod of the newest template that backs off after so many restarts without ever having been ready is given up: the
#: first restart is immediate, the second after 10 s, so a target that only came before its sidecar has its chance.
RESTARTS_LIMIT = 2


class LocalService(Protocol):
    """What stands in front of the pods."""

    def route(self, pods: Sequence[LocalPod]) -> None:
        """New connections go to ``pods`` from now on; called before any signal of a termination goes out."""

    async def follow(self) -> None:
        """Called after pods were made or forgotten."""


class DeploymentController:
    """Keeps the Deployment's pods, and the service's endpoints in step with their readiness."""

    def __init__(self, deployment: Deployment, ground: PodResources, service: LocalService) -> None:
        self.deployment = deployment
        self.pods: dict[str, LocalPod] = {}
        self._ground = ground
        self._clock: Clock = ground.clock
        self._service = service
        self._routed: tuple[str, ...] | None = None
        self._news = asyncio.Event()
        self._made = 0
        self._sets: tuple[ReplicaSet, ...] = ()
        self._progress = progress.ProgressCondition()
        #: A pod lost in the middle of a replacement is made anew from its own revision.
        self._templates: dict[str, PodTemplate] = {deployment.template.digest: deployment.template}

    def views(self) -> list[PodView]:
        """All pods, terminating ones included."""
        return [pod.view() for pod in self.pods.values()]

    def ready_pods(self) -> list[LocalPod]:
        """The pods that are ready, by name."""
        return [self.pods[name] for name in ready_endpoints(self.views())]

    async def run(self) -> None:
        """Reconciles until cancelled."""
        while True:
            self._news.clear()
            self._forget_gone()
            self._reconcile()
            await self._service.follow()
            try:
                async with asyncio.timeout(TICK_S):
                    await self._news.wait()
            except TimeoutError:
                continue

    def follow(self, deployment: Deployment) -> None:
        """What to keep from now on."""
        self.deployment = deployment
        self._templates.pop(deployment.template.digest, None)  # an old revision becomes the newest again
        self._templates[deployment.template.digest] = deployment.template
        self._news.set()

    def before(self) -> PodTemplate | None:
        """The template of the revision before the newest, as ``kubectl rollout undo`` takes it."""
        return list(self._templates.values())[-2] if len(self._templates) > 1 else None

    async def status(self, limit_s: float) -> tuple[bool, str]:
        """As ``kubectl rollout status --timeout``: whether it is out, and what is said last."""
        again = polling(self._clock, limit_s=limit_s, every_s=0.05)
        while True:
            # The controller's own view, so that a change that it has not seen yet is none that it has completed.
            if not self._news.is_set():
                counts = progress.count(self.views(), self.deployment, self._clock.now_ns())
                done, said = progress.told(self.deployment.name, self._progress, counts, self.deployment.replicas)
                if done is not None:
                    return done, said
            if not await again():
                return False, "error: timed out waiting for the condition"

    async def settled(self, limit_s: float = PROGRESS_LIMIT_S) -> None:
        """Returns when the pods are as asked for, available, and none is terminating.

        Raises ``StackNotStarted`` after ``limit_s`` and what the manifests alone take, or when a pod of the newest
        template crash-loops unready.
        """
        limit_s += self.deployment.unasked_s
        again = polling(self._clock, limit_s=limit_s, every_s=0.05)
        while not self._is_settled():
            if self._ground.feed.error is not None:
                raise self._ground.feed.error
            self._refuse_crash_loop()
            if not await again():
                waiting = (pod for pod in self.pods.values() if not pod.ready and not pod.terminating)
                raise self._not_settled(f"not ready after {limit_s:g} s", next(waiting, None))

    async def end(self, grace_s: float) -> None:
        """Terminates every pod. ``run`` must have been cancelled."""
        await asyncio.gather(*(pod.terminate(grace_s) for pod in self.pods.values()))

    def reroute(self) -> None:
        """Writes the endpoints anew though they are the same pods: their addresses changed."""
        self._service.route(self._endpoints())

    def _endpoints(self) -> list[LocalPod]:
        """The ready pods, and those killed of which the service has not heard yet."""
        names = {*ready_endpoints(self.views()), *(name for name, pod in self.pods.items() if pod.undetected)}
        return [self.pods[name] for name in sorted(names)]

    def _reconcile(self) -> None:
        now_ns = self._clock.now_ns()
        views = self.views()
        now = step(self._sets, views, self.deployment, now_ns)
        self._keep_sets(now.sets, views, now_ns)
        for name in now.delete:
            self.pods[name].terminate()
        for revision, count in now.create.items():
            for _ in range(count):
                self._make(revision)

    def _make(self, revision: str) -> None:
        self._made += 1
        name = f"{self.deployment.name}-{revision[:8]}-{self._made}"
        pod = LocalPod(name, self._templates[revision], self._ground, self._changed)
        self.pods[name] = pod
        pod.start()

    def _keep_sets(self, sets: tuple[ReplicaSet, ...], views: list[PodView], now_ns: int) -> None:
        """Tells what was scaled, and follows the deadline of progress."""
        before = {each.revision: each.replicas for each in self._sets}
        for each in sets:
            if each.revision not in before:
                self._progress = progress.begin(self._progress, now_ns)
            if each.replicas != (was := before.get(each.revision, 0)):
                way = "up" if each.replicas > was else "down"
                scaled = f"Scaled {way} replica set {each.revision[:8]} from {was} to {each.replicas}"
                self._ground.feed.event("deployment", self.deployment.name, scaled, reason="ScalingReplicaSet")
        self._sets = sets
        counts = progress.count(views, self.deployment, now_ns)
        deadline_s = self.deployment.progress_deadline_s
        after = progress.follow(self._progress, counts, self.deployment.replicas, deadline_s, now_ns)
        if after.stuck and not self._progress.stuck:
            said = message("no progress for {seconds} s", seconds=f"{deadline_s:g}")
            self._ground.feed.event("deployment", self.deployment.name, said, reason=after.reason)
        self._progress = after

    def _changed(self) -> None:
        self._sync_endpoints()
        self._news.set()

    def _sync_endpoints(self) -> None:
        ready = self._endpoints()
        names = tuple(pod.name for pod in ready)
        if names != self._routed:
            self._routed = names
            # Told before it is done: a request that a pod gets on its return is never earlier than what says so.
            self._ground.feed.event("component", "service", endpoints_told(names), pods=names)
            self._service.route(ready)

    def _forget_gone(self) -> None:
        self.pods = {name: pod for name, pod in self.pods.items() if not pod.gone}

    def _is_settled(self) -> bool:
        views = self.views()
        complete = step(self._sets, views, self.deployment, self._clock.now_ns()).complete
        return complete and len(views) == self.deployment.replicas

    def _refuse_crash_loop(self) -> None:
        for pod in self.pods.values():
            newest = pod.revision == self.deployment.template.digest
            if newest and not pod.was_ready and pod.backing_off and pod.view().restarts >= RESTARTS_LIMIT:
                raise self._not_settled(f"{pod.name} ends again and again before it was ever ready", pod)

    def _not_settled(self, what: str, pod: LocalPod | None) -> StackNotStarted:
        if pod is None:
            return StackNotStarted(message("Deployment {name}: {what}", name=self.deployment.name, what=what))
        return StackNotStarted(
            message(
                "Deployment {name}: {what}\n{trouble}", name=self.deployment.name, what=what, trouble=pod.trouble()
            ),
            where=str(pod.target.spec.log),
            remedy="run the target's command by hand with the environment contract; its readiness path must answer 200",
        )
