"""``LocalStack``: the ``Stack`` protocol on real processes of this machine.

The target's program as a process beside the pods: what a check may stop, and whose database it may take away.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Unpack

from harness.base.errors import BadInput, StackNotStarted
from harness.model.command import Ran
from harness.model.manifests import DrainEnd, Eviction, Manifests, PodTemplate
from harness.model.message import message
from harness.model.stack import Address, Capability, Endpoints, EnvironmentKind, Fault, Version
from harness.stack.local.controllers import Controllers, capabilities
from harness.stack.local.deployment import UP_LIMIT_S
from harness.stack.local.disturbances import LocalDatabase, LocalDisturbances, LocalFaults
from harness.stack.local.parts import LocalParts
from harness.stack.local.pod import PodResources
from harness.stack.local.sampler import Sampler
from harness.stack.local.site import end_strays
from harness.stack.manifests.unsupported_features import not_honoured_by_processes
from harness.stack.process.base_stack import BaseStack, Common
from harness.stack.process.processes import Process, Spec, spawn, tail
from harness.stack.process.waiting import http_status, together
from harness.stack.protocol import Undo
from harness.stack.target import variables as environment
from harness.stack.target.scraping import PodMetrics
from harness.stack.target.variables import migrate


class LocalBeside:
    """One such process. It has the pods' environment, but a name, a port and a way to the database of its own."""

    def __init__(self, ground: PodResources, process: Process, address: Address) -> None:
        self.process = process
        self.address = address
        self._ground = ground

    @property
    def log(self) -> Path:
        """Its output."""
        return self.process.log

    def last_lines(self) -> str:
        """The end of its log, for people."""
        return tail(self.process.log)

    async def stop(self) -> None:
        """Kills it if it still runs; idempotent."""
        await self.process.stop(signal.SIGKILL, 1.0)
        self._ground.state.give_back_port(self.address.port)


def start_beside(template: PodTemplate, ground: PodResources, name: str, database_port: int) -> LocalBeside:
    """Starts the target's command. Raises ``StackNotStarted`` when it cannot be run."""
    address = Address(host="127.0.0.1", port=ground.state.take_port())
    variables = environment.of_target(
        template.containers[0],
        ground.target,
        ground.endpoints,
        pod=name,
        port=address.port,
        database_port=database_port,
    )
    spec = Spec(
        part=name,
        command=ground.target.command,
        environment=variables,
        log=ground.logs / f"{name}.log",
        folder=Path(ground.target.folder),
    )
    return LocalBeside(ground, spawn(spec, ground.state), address)


POD_GRACE_AT_DOWN_S = 2.5  # tear down is bounded; a termination in a run has the manifest's grace
SERVICE_LIMIT_S = 10.0


class LocalStack(BaseStack):
    """Pods are a target process and a database sidecar each; Envoy is the Service; PostgreSQL and Firebase are real.

    ``folder/logs/<part>.log`` holds every part's output. ``fault_proxy`` puts the fault proxy in front of the pods;
    without it faults there are refused. With ``every_program`` PostgreSQL is of a version whose every program is at
    hand: for a standby, or a backup. ``signals_at_once`` signals a pod that leaves while the Service still leads to it,
    as on a cluster.
    """

    rung = EnvironmentKind.LOCAL

    def __init__(self, *, signals_at_once: bool = False, every_program: bool = False, **common: Unpack[Common]) -> None:
        self.capabilities = capabilities(signals_at_once=signals_at_once)
        self.cpu_factor = 1.0
        super().__init__(**common)
        self._signals_at_once = signals_at_once
        self._every_program = every_program
        self._parts: LocalParts | None = None
        self._controllers: Controllers | None = None
        self._faults: LocalFaults | None = None
        self._ground: PodResources | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def up(self) -> None:
        """Starts every part. Raises ``StackNotStarted`` naming the part, with the last lines of its log."""
        state = self._begin()
        ground = (state, self._logs_folder, self._clock, self._feed)
        self._parts = LocalParts(*ground, every_program=self._every_program, service_port=self._service_port)
        disturbances = LocalDisturbances(self._parts, self._feed, state, self._clock, self._logs_folder)
        self._faults = LocalFaults(self._parts, self._feed, disturbances)
        await self._unless_dead(self._bring_up(self._parts, self._faults), self._parts.death)

    async def apply(self, manifests: Manifests) -> None:
        """Returns when the rollout is complete and the old pods are gone; else raises ``StackNotStarted``."""
        self._manifests = manifests
        await self._running().apply(manifests)

    async def scale(self, replicas: int) -> None:
        """As ``kubectl scale``: the template stays, and an HPA takes it back when its metrics ask for another number.

        Raises ``StackNotStarted`` when the pods do not become ready.
        """
        await self._running().scale(replicas)

    async def inject(self, fault: Fault) -> Undo:
        """``after_s`` is the caller's to wait. ``pod_crash`` kills one ready pod's target, and has nothing to undo."""
        self._running()
        assert self._faults is not None
        return await self._faults.inject(fault)

    def endpoints(self) -> Endpoints:
        """Valid after ``up``."""
        assert self._parts is not None
        return self._parts.endpoints()

    async def restart(self) -> None:
        """The HPA and the PDB have no say in it."""
        await self._running().restart()

    async def build(self, *versions: Version) -> tuple[str, ...]:
        """Another command is another image here."""
        self._running()
        assert self._ground is not None
        named = {f"{self._target.name}:{version.name}": version for version in versions}
        self._ground.versions.update(named)
        return tuple(named)

    async def set_image(self, image: str) -> Ran:
        """By the rules of ``harness.control``, as all of a rollout here."""
        controllers, name = self._running(), self._manifests.deployment.name
        assert self._ground is not None
        if image not in self._ground.versions:
            raise BadInput(
                message("nobody built the image {image}", image=repr(image)),
                remedy="build() names the images there are",
            )
        controllers.set_image(image)
        container = self._manifests.deployment.template.containers[0].name
        said = f"deployment.apps/{name} image updated"
        return Ran(command=f"set image deployment/{name} {container}={image}", status=0, output=said)

    async def rollout_status(self, *, limit_s: float) -> Ran:
        """``progressDeadlineSeconds`` is the manifests'."""
        name = self._manifests.deployment.name
        done, said = await self._running().deployment.status(limit_s)
        return Ran(
            command=f"rollout status deployment/{name} --timeout={limit_s:g}s", status=0 if done else 1, output=said
        )

    async def rollout_undo(self) -> Ran:
        """Every template since ``up`` is kept."""
        name = self._manifests.deployment.name
        undone = self._running().undo()
        said = f"deployment.apps/{name} rolled back" if undone else "error: no rollout history found"
        return Ran(command=f"rollout undo deployment/{name}", status=0 if undone else 1, output=said)

    async def evict(self, pod: str) -> Eviction:
        """Under the manifests' PodDisruptionBudget; without one every eviction is granted."""
        return self._running().budgets.evict(pod)

    async def drain(self, node: str = "", *, limit_s: float = 300.0) -> DrainEnd:
        """This machine is the one node; successors start on it while their predecessors leave."""
        if node:
            raise BadInput(
                message("there is no node {node} here", node=repr(node)),
                where="drain",
                remedy='the one node of this environment is ""',
            )
        return await self._running().budgets.drain(limit_s)

    def database(self) -> LocalDatabase:
        """The run's PostgreSQL."""
        controllers = self._running()
        assert self._parts is not None and self._ground is not None
        return LocalDatabase(self._parts, self._ground, controllers.deployment)

    def start_beside(self, name: str, database_port: int) -> LocalBeside:
        """Runs the target once more, as no pod: nothing probes, restarts or routes to it. The caller stops it."""
        self._running()
        assert self._ground is not None
        return start_beside(self._manifests.deployment.template, self._ground, name, database_port)

    def metrics(self) -> list[PodMetrics]:
        """At ports of their own."""
        return [each for pod in self._running().deployment.ready_pods() for each in pod.metrics()]

    def credentials(self) -> None:
        """Nobody is asked for any."""

    # -- up ------------------------------------------------------------------------------------------------------

    async def _bring_up(self, parts: LocalParts, faults: LocalFaults) -> None:
        # Auth takes longest and is needed last: everything else is started while it compiles.
        await together(
            parts.start_emulators(self._progress), self._start_service(parts), self._start_target(parts, faults)
        )
        await self._service_answers(parts)
        self._progress(message("the service answers on {address}", address=str(parts.envoy.address)))

    async def _start_service(self, parts: LocalParts) -> None:
        if self._with_fault_proxy:
            await parts.start_fault_proxy()
        await parts.start_envoy()

    async def _start_target(self, parts: LocalParts, faults: LocalFaults) -> None:
        await parts.start_postgres(self._progress)
        assert self._state is not None
        ground = PodResources(
            state=self._state,
            clock=self._clock,
            feed=self._feed,
            logs=self._logs_folder,
            target=self._target,
            endpoints=parts.endpoints(),
            signals_at_once=self._signals_at_once,
        )
        self._ground = ground
        await migrate(
            self._manifests.deployment.template,
            self._target,
            ground.endpoints,
            state=self._state,
            feed=self._feed,
            logs=self._logs_folder,
        )
        controllers = self._controllers = Controllers(self._manifests, ground, faults)
        faults.lead(controllers.deployment, LocalDatabase(parts, ground, controllers.deployment))
        for loop in controllers.loops():
            self._keep(loop)
        for what in not_honoured_by_processes(self._manifests):
            self._progress(message("not honoured in this environment: {what}", what=what))
            self._feed.event("component", "manifests", message("not honoured: {what}", what=what))
        if Capability.CPU_LIMITS not in self.capabilities:
            said = message("CPU and memory limits are not enforced: no control groups can be made here")
            self._progress(said)
            self._feed.event("component", "limits", said)
        self._keep(Sampler(controllers.deployment, self._feed, self._clock).run(parts.processes))
        await controllers.deployment.settled(UP_LIMIT_S)

    async def _service_answers(self, parts: LocalParts) -> None:
        """Through Envoy, as users will ask."""
        probe = self._manifests.deployment.template.containers[0].readiness
        path = probe.path if probe is not None else "/"
        for _ in range(round(SERVICE_LIMIT_S / 0.1)):
            if await http_status(parts.envoy.address, path):
                return
            await self._clock.sleep(0.1)
        raise StackNotStarted(
            message(
                "the pods are ready, but the service does not answer on {address}", address=str(parts.envoy.address)
            ),
            where=str(self._logs_folder / "envoy.log"),
        )

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._kept_ended)
        self._tasks.append(task)

    def _kept_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._feed.fail_with(error)

    def _running(self) -> Controllers:
        if self._controllers is None or self._down is not None:
            raise StackNotStarted("the stack is not up", remedy="call up() first, and nothing after down()")
        return self._controllers

    # -- down ----------------------------------------------------------------------------------------------------

    async def _take_parts_down(self) -> None:
        """Within 5 s, and 10 s more where a killed part's shared memory is held."""
        assert self._state is not None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # The front first: a pod that drains its queue on SIGTERM still needs what it writes to.
        front = [self._parts.stop_front()] if self._parts is not None else []
        if self._controllers is not None:
            front.append(self._controllers.deployment.end(POD_GRACE_AT_DOWN_S))
        await asyncio.gather(*front, return_exceptions=True)
        try:
            if self._parts is not None:
                await self._parts.stop_back()
        finally:  # by their markers, whatever became of the others
            await end_strays(self._state, self._clock)
