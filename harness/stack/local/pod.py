"""A pod: the target's process and its database sidecar, kept by the kubelet's rules until terminated.

A container of a pod: one process, its probes, its restarts. The rules are ``harness.control``'s.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from harness.base.clock import NS, Clock
from harness.control import backoff, probes
from harness.model.cluster import PodView
from harness.model.manifests import INSTANCE_NAMED, PodTemplate, Probe
from harness.model.message import Message, message
from harness.model.stack import Address, Endpoints, PodState, Target, Version
from harness.stack.database import sidecar
from harness.stack.process.processes import Feed, Process, Spec, spawn, tail
from harness.stack.process.waiting import http_status
from harness.stack.state import RunState, processes
from harness.stack.state.processes import Group, Limits
from harness.stack.target import variables as environment
from harness.stack.target.scraping import PodMetrics
from harness.stack.target.versions import in_front

#: Seconds that a process has between SIGTERM and SIGKILL, whatever its preStop has used up of the grace period
#: (pkg/kubelet/kuberuntime: ``minimumGracePeriodInSeconds``).
LEAST_S = 2.0


class LocalContainer:
    """Keeps one process running until ``stop``. ``changed`` is called with a word on what happened."""

    def __init__(
        self,
        spec: Spec,
        state: RunState,
        clock: Clock,
        changed: Callable[[Message], None],
        *,
        address: Address | None = None,
        liveness: Probe | None = None,
        readiness: Probe | None = None,
        startup: Probe | None = None,
        grace_s: float = 30.0,
        pre_stop_s: float = 0.0,
        group: Group | None = None,
    ) -> None:
        self.spec = spec
        self.restarts = 0
        self.started_ns = 0
        self.process: Process | None = None
        self.backing_off = False
        self.last_end = ""
        self._beside: list[Process] = []
        self._state = state
        self._clock = clock
        self._changed = changed
        self._address = address
        self._liveness = liveness
        self._readiness = readiness
        self._startup = startup
        self._grace_s = grace_s
        self._pre_stop_s = min(pre_stop_s, grace_s)
        self._group = group
        self._probed_ready = False
        self._started = asyncio.Event()
        if startup is None:
            self._started.set()

    @property
    def running(self) -> bool:
        """Whether its process runs now."""
        return self.process is not None and self.process.returncode is None

    @property
    def ready(self) -> bool:
        """Runs, its startup probe has passed and its readiness probe passes, where it has them."""
        return self.running and self._started.is_set() and (self._readiness is None or self._probed_ready)

    def pids(self) -> list[int]:
        """Its process and what a fault put beside it; [] when its process does not run."""
        if self.process is None or not self.running:
            return []
        return [self.process.pid, *(process.pid for process in self._beside if process.returncode is None)]

    def put_beside(self, process: Process) -> None:
        """Counts ``process`` as the container's own: it is bound by its limits, and ends with it."""
        self._beside.append(process)
        if self._group is not None:
            self._group.add(process.pid)

    async def keep(self) -> None:
        """Starts the process, probes it, restarts it with back-off; until cancelled. Cancelling leaves the process."""
        count = 0
        while True:
            started_ns = self.started_ns = self._clock.now_ns()
            self._probed_ready = False
            if self._startup is not None:
                self._started.clear()
            self.process = spawn(self.spec, self._state)
            if self._group is not None:
                self._group.add(self.process.pid)
            self._changed(message("started"))
            await self._probe_until_end(self.process, started_ns)
            self._probed_ready = False
            self.last_end = self.process.died()
            await self._end_beside()
            count = backoff.restarts_after_run(count, (self._clock.now_ns() - started_ns) / NS)
            delay_s = backoff.restart_delay_s(count)
            self.backing_off = delay_s > 0
            self._changed(message("{end}; restart in {delay}", end=self.last_end, delay=f"{delay_s:g} s"))
            await self._clock.sleep(delay_s)
            self.backing_off = False
            count += 1
            self.restarts += 1

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, SIGKILL after ``grace_s``. ``keep`` must have been cancelled."""
        if self.process is not None:
            await self.process.stop(signal.SIGTERM, grace_s)
        await self._end_beside()
        if self._group is not None:
            self._group.remove()

    def crash(self) -> None:
        """SIGKILL of the process, as a fault."""
        if self.process is not None:
            self.process.send(signal.SIGKILL)

    async def _stopped(self, process: Process) -> None:
        """As the kubelet ends a container of whatever probe fails: its preStop first, within the grace period."""
        await self._clock.sleep(self._pre_stop_s)
        await process.stop(signal.SIGTERM, max(self._grace_s - self._pre_stop_s, LEAST_S))

    async def _end_beside(self) -> None:
        for process in self._beside:
            await process.stop(signal.SIGKILL, 1.0)
        self._beside.clear()

    async def _probe_until_end(self, process: Process, started_ns: int) -> None:
        end: asyncio.Future[Any] = asyncio.ensure_future(process.wait())
        workers = [
            asyncio.ensure_future(self._probe_startup(process, started_ns)),
            asyncio.ensure_future(self._probe_readiness(started_ns)),
            asyncio.ensure_future(self._probe_liveness(process, started_ns)),
        ]
        waiting = {end, *workers}
        try:
            while not end.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()  # a worker that failed, by an error of ours, must not pass in silence
        finally:
            for task in (end, *workers):
                task.cancel()
            await asyncio.gather(end, *workers, return_exceptions=True)

    async def _probe_startup(self, process: Process, started_ns: int) -> None:
        """Until it has passed once; then the other probes begin. When it fails, the kubelet stops the container."""
        if self._startup is None:
            return
        async for passing, ok in self._results(self._startup, started_ns, passing=True):
            if ok:
                self._started.set()
                self._changed(message("startup probe passes"))
                return
            if not passing:
                self._changed(message("startup probe fails: the container is stopped"))
                await self._stopped(process)
                return

    async def _probe_readiness(self, started_ns: int) -> None:
        if self._readiness is None:
            return
        async for passing, _ in self._results(self._readiness, started_ns, passing=False):
            if passing != self._probed_ready:
                self._probed_ready = passing
                self._changed(message("readiness probe passes") if passing else message("readiness probe fails"))

    async def _probe_liveness(self, process: Process, started_ns: int) -> None:
        """When it fails, the kubelet stops the container with its grace period; ``keep`` then restarts it."""
        if self._liveness is None:
            return
        async for passing, _ in self._results(self._liveness, started_ns, passing=True):
            if not passing:
                self._changed(message("liveness probe fails: the container is stopped"))
                await self._stopped(process)
                return

    async def _results(self, probe: Probe, started_ns: int, *, passing: bool) -> AsyncIterator[tuple[bool, bool]]:
        """The probe's standing after each attempt, and whether that one went well; for ever.

        Kubernetes: until the startup probe has passed the others' ticks are lost (``doProbe``).
        """
        assert self._address is not None
        state = probes.start(probe, started_ns, passing=passing)
        due_ns = probes.next_due_ns(probe, state)
        if probe is self._readiness:
            await self._started.wait()
            due_ns = probes.triggered_ns(probe, state, at_ns=self._clock.now_ns())
        while True:
            await self._clock.sleep(max(0.0, (due_ns - self._clock.now_ns()) / NS))
            if self._started.is_set() or probe is self._startup:
                status = await http_status(self._address, probe.path, probe.timeout_s)
                ok = 200 <= status < 400  # the kubelet's rule for HTTP probes
                state = probes.observe(probe, state, ok=ok, at_ns=self._clock.now_ns())
                yield state.passing, ok
            else:
                state = probes.skip(state, at_ns=self._clock.now_ns())
            due_ns = probes.next_due_ns(probe, state)


#: Seconds from the kill of a pod deleted with grace 0, and from the first signal to any that leaves where signals and
#: endpoints race, until no new connection is sent to it. In a cluster that is the
#: EndpointSlice controller's write, kube-proxy's watch and its next sync of the rules (at most 1 s later, at once after
#: a quiet second): on kind trials saw 0.0-0.2 s on a quiet machine and up to 3 s on a busy one, so this lies between
#: them. Who computes from it tries it first (harness/rehearsals/chaos/flow.py).
DETECTION_S = 0.3
#: Seconds. Envoy follows its file within milliseconds, on a crowded machine within tenths; the first signal to a pod
#: that leaves comes no sooner: what ``Capability.ENDPOINTS_BEFORE_SIGNALS`` says. With
#: ``PodResources.signals_at_once`` it is not waited for.
FOLLOWED_S = 0.5
#: Among the instances: where names lead that nobody registered, once that is not the instance of the beginning.
OTHERS = ""


class PodResources(msgspec.Struct, frozen=True, kw_only=True):
    """What every pod of a run stands on."""

    state: RunState
    clock: Clock
    feed: Feed
    logs: Path
    target: Target
    endpoints: Endpoints
    instances: dict[str, Address] = {}  # database instances by the name in the sidecar's arguments; ``OTHERS``
    versions: dict[str, Version] = {}  # by the image that names them
    signals_at_once: bool = (
        False  # a pod that leaves is signalled at once, and the Service hears of it ``DETECTION_S`` on
    )

    def database(self, instance: str) -> Address:
        """Where a sidecar that names ``instance`` leads."""
        return self.instances.get(instance) or self.instances.get(OTHERS) or self.endpoints.database


class LocalPod:
    """One pod. ``run`` keeps it until ``terminate``; ``changed`` is called whenever its view changed."""

    def __init__(self, name: str, template: PodTemplate, ground: PodResources, changed: Callable[[], None]) -> None:
        self.name = name
        self.template = template
        self.revision = template.digest
        self._ground = ground
        self._changed = changed
        self._grace_s = template.termination_grace_s
        self._created_ns = ground.clock.now_ns()
        self._ready_since_ns: int | None = None
        #: When its Ready condition last changed; a pod begins as not ready.
        self.ready_changed_ns = self._created_ns
        self.terminating = False
        #: It leaves or was killed, and is still among the endpoints.
        self.undetected = False
        self.was_ready = False
        state = ground.state
        self.address = Address(host="127.0.0.1", port=state.take_port())
        self._metrics = Address(host="127.0.0.1", port=state.take_port())
        self._sidecar_metrics = Address(host="127.0.0.1", port=state.take_port())
        self._database_port = state.take_port()
        #: What a fault writes for the sidecar to read (``harness/stack/database/sidecar.py``).
        self.sidecar_control = state.folder / f"{name}.sidecar.control"
        self._lead = state.folder / f"{name}.sidecar.control.lead"
        self.target = self._target(template)
        self.sidecar = self._sidecar(template)
        self._keepers: list[asyncio.Task[None]] = []
        self._termination: asyncio.Task[None] | None = None

    @property
    def containers(self) -> tuple[LocalContainer, LocalContainer]:
        """Target and sidecar."""
        return (self.target, self.sidecar)

    def named_containers(self) -> list[tuple[str, LocalContainer]]:
        """Target and sidecar by the names that the manifest gives its first two containers. A stand-in that it does not
        ask for is none of the pod's, and no autoscaler may count what it uses."""
        names = [container.name for container in self.template.containers[:2]]
        return list(zip(names, self.containers, strict=False))

    @property
    def ready(self) -> bool:
        """Every container is ready (the pod's ``ContainersReady``)."""
        return all(container.ready for container in self.containers)

    @property
    def gone(self) -> bool:
        """Terminated, its processes ended."""
        return self._termination is not None and self._termination.done()

    @property
    def backing_off(self) -> bool:
        """A container waits for its restart (``CrashLoopBackOff``)."""
        return any(container.backing_off for container in self.containers)

    def pids(self) -> list[int]:
        """The first process of each running container, and what a fault put beside it."""
        return [pid for container in self.containers for pid in container.pids()]

    def trouble(self) -> str:
        """Why it is not ready, for people: how its target last ended, and the end of its log."""
        container = self.sidecar if not self.sidecar.ready else self.target
        if container.running:
            how = "runs, but its readiness probe does not pass"
        else:
            how = f"does not run: {container.last_end or 'not started yet'}"
        return f"{container.spec.part} {how}\n{tail(container.spec.log)}"

    def start(self) -> None:
        """Starts both containers and keeps them. An error of ours in doing so is told through the feed's error."""
        self._tell(PodState.PENDING, message("created"))
        self._keepers = [asyncio.ensure_future(container.keep()) for container in self.containers]
        for keeper in self._keepers:
            keeper.add_done_callback(self._keeper_ended)

    @property
    def restarts(self) -> int:
        """The most restarts of any container."""
        return max(container.restarts for container in self.containers)

    def view(self) -> PodView:
        """As the control-plane rules see it. A native sidecar's restarts count apart (``maxContainerRestarts``)."""
        native = any(container.native_sidecar for container in self.template.containers[1:2])
        return PodView(
            name=self.name,
            revision=self.revision,
            created_ns=self._created_ns,
            ready=self.ready and not self.terminating,
            ready_since_ns=self._ready_since_ns,
            running=any(container.running for container in self.containers),
            terminating=self.terminating,
            restarts=self.target.restarts if native else self.restarts,
            sidecar_restarts=self.sidecar.restarts if native else 0,
        )

    def metrics(self) -> tuple[PodMetrics, PodMetrics]:
        """Where target and sidecar may serve theirs."""
        path = self._ground.target.metrics_path
        return (
            PodMetrics(pod=self.name, address=self._metrics, path=path),
            PodMetrics(pod=self.name, address=self._sidecar_metrics, path="/metrics", sidecar=True),
        )

    def lead_to(self, database: Address) -> None:
        """Its sidecar's new connections go there, the ones before are broken; within a moment, without a restart."""
        new = self._lead.with_suffix(".new")
        new.write_text(f"{database.host} {database.port}")
        new.replace(self._lead)

    def kill(self) -> None:
        """Deleted with grace 0: killed now, while the endpoints still lead to it for ``DETECTION_S``.

        Kubernetes: kubelet and EndpointSlice controller hear of the deletion at once, and kube-proxy follows the
        latter; nothing waits for anything.
        """
        self.undetected = not self.terminating and self.ready
        for container in self.containers:
            container.crash()
        self.terminate(0)

    def terminate(self, grace_s: float | None = None) -> asyncio.Task[None]:
        """Begins termination (once): out of the endpoints now, SIGTERM to all containers, SIGKILL after the grace.

        Kubernetes: deleting a pod takes it from its EndpointSlice and signals every container at once, a native sidecar
        after the others; each container's ``preStop`` is waited for first, within the grace period.
        """
        if self._termination is None:
            self.undetected = self.undetected or (self._ground.signals_at_once and self.ready)
            self.terminating = True
            for keeper in self._keepers:
                keeper.cancel()
            self._tell(PodState.TERMINATING, message("terminating"))
            self._changed()  # the endpoints are rewritten before the first signal goes out, unless the two race
            own = (self._grace_s, LEAST_S) if grace_s is None else (grace_s, 0.0)
            self._termination = asyncio.ensure_future(self._end(*own))
            self._termination.add_done_callback(self._ended)
        return self._termination

    async def _end(self, grace_s: float, least_s: float) -> None:
        await asyncio.gather(self._stop(grace_s, least_s), self._detection())
        for port in (self.address.port, self._metrics.port, self._database_port, self._sidecar_metrics.port):
            self._ground.state.give_back_port(port)
        for path in (self.sidecar_control, self._lead):
            path.unlink(missing_ok=True)
        self._tell(PodState.GONE, message("gone"))

    async def _detection(self) -> None:
        """Until the Service has heard of it."""
        if self.undetected:
            await self._ground.clock.sleep(DETECTION_S)
            self.undetected = False
            self._changed()

    async def _stop(self, grace_s: float, least_s: float) -> None:
        """Each container's own preStop, then SIGTERM, with what is left of the grace but ``least_s`` at least. A proxy
        that is native waits for the target's end besides, as does a stand-in that no manifest asks for.
        """
        begun_ns = self._ground.clock.now_ns()
        followed_s = 0.0 if self._ground.signals_at_once else FOLLOWED_S
        await asyncio.gather(*self._keepers, return_exceptions=True)

        async def stop(container: LocalContainer, pre_stop_s: float, after: asyncio.Future[None] | None = None) -> None:
            await self._ground.clock.sleep(min(max(pre_stop_s, followed_s), grace_s))
            if after is not None:
                await asyncio.wait([after])
            left_s = grace_s - (self._ground.clock.now_ns() - begun_ns) / NS
            await container.stop(max(left_s, least_s))

        proxy = self.template.proxy
        first = asyncio.ensure_future(stop(self.target, self.template.containers[0].pre_stop_s))
        waits = first if proxy is None or proxy.native_sidecar else None
        await asyncio.gather(first, stop(self.sidecar, proxy.pre_stop_s if proxy else 0.0, waits))

    def _ended(self, termination: asyncio.Task[None]) -> None:
        if not termination.cancelled() and (error := termination.exception()) is not None:
            self._ground.feed.fail_with(error)
        self._changed()

    def _keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        if not keeper.cancelled() and (error := keeper.exception()) is not None:
            self._ground.feed.fail_with(error)

    def _container_changed(self, container: str, what: Message) -> None:
        if self.terminating:
            return
        if self.ready != (self._ready_since_ns is not None):
            self.ready_changed_ns = self._ground.clock.now_ns()
            self._ready_since_ns = self.ready_changed_ns if self.ready else None
            self.was_ready = self.was_ready or self.ready
        self._tell(self._state(), message("{container}: {what}", container=container, what=what))
        self._changed()

    def _state(self) -> PodState:
        if self.backing_off:
            return PodState.BACK_OFF
        if self.ready:
            return PodState.READY
        return PodState.RUNNING if all(container.running for container in self.containers) else PodState.PENDING

    def _tell(self, state: PodState, said: Message) -> None:
        told = {"state": state.value, "restarts": self.restarts, "revision": self.revision}
        self._ground.feed.event("pod", self.name, said, **told)

    def _target(self, template: PodTemplate) -> LocalContainer:
        container = template.containers[0]
        ground = self._ground
        command, version = ground.target.command, ground.versions.get(container.image)
        variables = environment.of_target(
            container,
            ground.target,
            ground.endpoints,
            pod=self.name,
            port=self.address.port,
            database_port=self._database_port,
            metrics_port=self._metrics.port,
        )
        spec = Spec(
            part=self.name,
            command=command if version is None else in_front(version, command, host=self.address.host),
            environment=variables,
            log=ground.logs / f"{self.name}.log",
            folder=Path(ground.target.folder),
        )
        return LocalContainer(
            spec,
            ground.state,
            ground.clock,
            lambda what: self._container_changed(container.name, what),
            address=self.address,
            liveness=container.liveness,
            readiness=container.readiness,
            startup=container.startup,
            grace_s=self._grace_s,
            pre_stop_s=container.pre_stop_s,
            group=self._group(0),
        )

    def _sidecar(self, template: PodTemplate) -> LocalContainer:
        ground = self._ground
        beside = (argument for container in template.containers[1:] for argument in container.args)
        named = next((found[1] for each in beside if (found := INSTANCE_NAMED.fullmatch(each))), OTHERS)
        asked = template.proxy
        ends = {} if asked is None else {sidecar.ACCEPT: asked.accepts_s, sidecar.DRAIN: asked.drain_s}
        database = ground.database(named)
        script = str(Path(sidecar.__file__))
        proxy = (str(self._database_port), database.host, str(database.port), str(self.sidecar_control))
        spec = Spec(
            part=f"{self.name}.sidecar",
            command=(sys.executable, "-I", "-S", script, *proxy, str(self._sidecar_metrics), named),
            environment={"PATH": "/usr/bin:/bin", **{name: f"{each:g}" for name, each in ends.items() if each}},
            log=ground.logs / f"{self.name}.sidecar.log",
            folder=ground.state.folder,
        )
        return LocalContainer(
            spec,
            ground.state,
            ground.clock,
            lambda what: self._container_changed("sidecar", what),
            group=self._group(1),
        )

    def _group(self, number: int) -> Group | None:
        """The control group of the manifest's container of that number, with its limits, where groups can be made."""
        if number >= len(self.template.containers) or not processes.usable():
            return None
        container = self.template.containers[number]
        limits = Limits(cpu_m=container.limit_cpu_m, memory_bytes=container.limit_memory_bytes)
        if limits == Limits():
            return None
        return Group(self._ground.state.lease.run_id, f"{self.name}.{number}", limits)
