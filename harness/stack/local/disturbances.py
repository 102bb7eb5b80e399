"""Faults on pods, sidecars and dependencies of the local rung: signals, the sidecars' control files, busy processes.

The local rung's PostgreSQL as its operator sees it.
Faults of the local rung: in front of the pods by the fault proxy, all others by ``disturbances``.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from harness.base.clock import Clock
from harness.base.errors import BadInput, NotCapable
from harness.model.message import message
from harness.model.stack import PARTS, PROXY_FAULTS, Address, DatabaseAccess, Fault, FaultKind
from harness.stack.database.failover import fail_over
from harness.stack.faults.injecting import (
    FaultProxy,
    begun,
    in_front,
    lock_tables,
    none_ready,
    nothing,
    sane,
    until_undone,
)
from harness.stack.local.deployment import DeploymentController
from harness.stack.local.parts import LocalParts
from harness.stack.local.pod import OTHERS, LocalPod, PodResources
from harness.stack.local.postgres_template import DATABASE, SUPERUSER, Postgres, remove_killed
from harness.stack.process.processes import Feed, Spec, spawn
from harness.stack.process.waiting import undone_if_broken
from harness.stack.protocol import Undo
from harness.stack.state import RunState
from harness.stack.state.processes import signal_group


class LocalDatabase:
    """``Database`` of the protocol."""

    def __init__(self, parts: LocalParts, ground: PodResources, controller: DeploymentController) -> None:
        self._parts = parts
        self._ground = ground
        self._controller = controller

    def access(self) -> DatabaseAccess:
        """The instance that the stack was brought up with, or its standby after ``take_over``."""
        return _access(self._parts.postgres)

    async def register(self, instance: str, address: Address) -> None:
        """Pods started from now on find it."""
        self._ground.instances[instance] = address

    async def lose(self) -> None:
        """SIGKILL, then the data folder goes. Raises ``StackNotStarted`` when it cannot be removed."""
        await self._parts.lose_postgres()
        await remove_killed(self._parts.postgres.data, self._ground.clock)

    def standby(self) -> DatabaseAccess | None:
        """The standby, where one follows."""
        return None if self._parts.standby is None else _access(self._parts.standby)

    async def start_standby(self) -> DatabaseAccess:
        """A second server on this machine. Raises ``BadInput`` when there is one."""
        if self._parts.standby is not None:
            raise BadInput("a standby follows PostgreSQL already")
        return _access(await self._parts.start_standby())

    async def end_standby(self) -> None:
        """Fast shutdown, its data gone."""
        await self._parts.end_standby()

    async def kill(self) -> int:
        """SIGKILL; the data stays where it is."""
        await self._parts.lose_postgres()
        return self._ground.clock.now_ns()

    async def take_over(self) -> None:
        """Pods that start later are led there too."""
        self._parts.take_over()
        address = self._ground.instances[OTHERS] = self._parts.postgres.address
        for pod in self._controller.pods.values():
            pod.lead_to(address)


def _access(postgres: Postgres) -> DatabaseAccess:
    return DatabaseAccess(
        address=postgres.address,
        superuser=SUPERUSER,
        password=postgres.password,
        database=DATABASE,
        server=postgres.programs.named,
    )


class LocalFaults:
    """Injects and undoes; ``route`` sends the service's new connections to the pods or to the fault proxy before
    them."""

    def __init__(self, parts: LocalParts, feed: Feed, disturbances: LocalDisturbances) -> None:
        self._parts = parts
        self._feed = feed
        self._disturbances = disturbances
        #: By pod: its own port, and the fault proxy's address before it.
        self._proxied: dict[str, tuple[int, Address]] = {}
        self._numbers = itertools.count()
        self._refusing: set[int] = set()  # numbers of the faults that refuse every connection
        self._turn = asyncio.Lock()  # of those that shut the service's port, or open it
        self.controller: DeploymentController | None = None

    def lead(self, controller: DeploymentController, database: LocalDatabase) -> None:
        """Told once the pods' controller exists."""
        self.controller = self._disturbances.controller = controller
        self._disturbances.database = database

    def route(self, pods: Sequence[LocalPod]) -> None:
        """Tells Envoy where the ready pods are. A pod that the fault proxy does not listen for yet is left out till
        then."""
        if self._parts.fault_proxy is None:
            self._parts.envoy.route([pod.address for pod in pods])
        else:
            self._parts.envoy.route([self._proxied[pod.name][1] for pod in pods if pod.name in self._proxied])

    async def follow(self) -> None:
        """Makes the fault proxy listen for the pods there are, and for no others; nothing without a fault proxy."""
        if self._parts.fault_proxy is not None and self.controller is not None:
            await self._listen(self._parts.fault_proxy, self.controller)

    async def _listen(self, fault_proxy: FaultProxy, controller: DeploymentController) -> None:
        pods = dict(controller.pods)
        fresh = [pod for pod in pods.values() if pod.name not in self._proxied and not pod.terminating]
        for pod in fresh:
            self._proxied[pod.name] = (pod.address.port, await fault_proxy.listen(pod.address.port))
        for name in self._proxied.keys() - pods.keys():
            await fault_proxy.unlisten(self._proxied.pop(name)[0])
        if fresh:
            controller.reroute()

    async def inject(self, fault: Fault) -> Undo:
        """Starts ``fault``. Raises ``BadInput`` when its numbers make no sense, or nothing is there to carry it."""
        sane(fault)
        if fault.kind in PROXY_FAULTS:
            fault_proxy = in_front(self._parts.fault_proxy, fault)
            begin = self._refuse(fault, fault_proxy) if fault.refuses else fault_proxy.inject(fault)
        else:
            begin = self._disturbances.inject(fault)
        return await begun(fault, begin, self._feed)

    async def _refuse(self, fault: Fault, fault_proxy: FaultProxy) -> Undo:
        """The service's port is shut before the fault proxy ends kept connections: nobody finds the fault proxy shut
        behind Envoy."""
        number = next(self._numbers)

        async def reopen() -> None:
            """Behind the last of them."""
            async with self._turn:
                self._refusing.discard(number)
                if not self._refusing and self._parts.envoy.running:
                    await self._parts.envoy.open()

        async with undone_if_broken(reopen):
            async with self._turn:
                self._refusing.add(number)
                if len(self._refusing) == 1:
                    await self._parts.envoy.shut()
            end = await fault_proxy.inject(fault)

        async def undo() -> None:
            await end()
            await reopen()

        return undo


_SLOW_STOPPED_S, _SLOW_RUNNING_S = 0.2, 0.05
_CRASH_POLL_S = 0.2
_BUSY = "while True: pass"
_HOLD = (
    "import signal, sys; held = bytearray(int(sys.argv[1])); held[::4096] = b'x' * len(held[::4096]); signal.pause()"
)


class LocalDisturbances:
    """One stack's. Of the ready pods the first by name is taken, unless the fault names one."""

    def __init__(self, parts: LocalParts, feed: Feed, state: RunState, clock: Clock, logs: Path) -> None:
        self._parts = parts
        self._feed = feed
        self._state = state
        self._clock = clock
        self._logs = logs
        self._hogs = 0
        self.controller: DeploymentController | None = None
        self.database: LocalDatabase | None = None

    async def inject(self, fault: Fault) -> Undo:
        """Starts it; once, the undo ends it. Raises ``BadInput``, and ``NotCapable`` for what needs a cluster."""
        if fault.kind is FaultKind.ZONE_LOSS:
            raise NotCapable("the environment local has no zones", remedy="run it with --on kind")
        start: dict[FaultKind, Callable[[Fault], Coroutine[Any, Any, Undo]]] = {
            FaultKind.POD_CRASH: self._pod_crash,
            FaultKind.POD_CRASH_LOOP: self._pod_crash_loop,
            FaultKind.POD_KILL: self._pod_kill,
            FaultKind.POD_DELETE: self._pod_delete,
            FaultKind.POD_HANG: self._pod_hang,
            FaultKind.POD_CPU: self._pod_cpu,
            FaultKind.POD_MEMORY: self._pod_memory,
            FaultKind.SIDECAR_KILL: self._sidecar_kill,
            FaultKind.SIDECAR_HANG: self._sidecar_hang,
            FaultKind.SIDECAR_DELAY: self._sidecar_delay,
            FaultKind.DATABASE_RESTART: self._database_restart,
            FaultKind.DATABASE_FAILOVER: self._database_failover,
            FaultKind.DATABASE_SLOW: self._database_slow,
            FaultKind.DATABASE_LOCKED: self._database_locked,
            FaultKind.DATABASE_CUT: self._database_cut,
            FaultKind.PART_HANG: self._part_hang,
            FaultKind.PART_SLOW: self._part_slow,
        }
        return await start[fault.kind](fault)

    # -- pods ----------------------------------------------------------------------------------------------------

    def _pod(self, name: str = "") -> LocalPod:
        ready = self.controller.ready_pods() if self.controller is not None else []
        ready = [pod for pod in ready if name in ("", pod.name)]
        if not ready:
            raise none_ready(name)
        return ready[0]

    async def _pod_crash(self, _: Fault) -> Undo:
        self._pod().target.crash()
        return nothing

    async def _pod_crash_loop(self, _: Fault) -> Undo:
        pod = self._pod()

        async def again() -> None:
            while True:
                if pod.target.running:
                    pod.target.crash()
                await self._clock.sleep(_CRASH_POLL_S)

        return until_undone(again())

    async def _pod_kill(self, _: Fault) -> Undo:
        self._pod().kill()
        return nothing

    async def _pod_delete(self, _: Fault) -> Undo:
        self._pod().terminate()
        return nothing

    async def _pod_hang(self, _: Fault) -> Undo:
        process = self._pod().target.process
        assert process is not None
        return self._stopped(process.pid)

    async def _pod_cpu(self, fault: Fault) -> Undo:
        pod = self._pod(fault.subject)
        undos = [self._hog(pod, "cpu", _BUSY) for _ in range(os.cpu_count() or 1)]

        async def undo() -> None:
            for each in undos:
                await each()

        return undo

    async def _pod_memory(self, fault: Fault) -> Undo:
        pod = self._pod(fault.subject)
        limit = pod.template.containers[0].limit_memory_bytes
        if limit is None:
            raise BadInput("the manifest sets no memory limit, so there is no share of it")
        return self._hog(pod, "memory", _HOLD, str(round(limit * fault.share)))

    # -- sidecars and the database -------------------------------------------------------------------------------

    async def _sidecar_kill(self, _: Fault) -> Undo:
        self._pod().sidecar.crash()
        return nothing

    async def _sidecar_hang(self, _: Fault) -> Undo:
        process = self._pod().sidecar.process
        assert process is not None
        return self._stopped(process.pid)

    async def _sidecar_delay(self, fault: Fault) -> Undo:
        control = self._pod().sidecar_control
        control.write_text(f"delay {fault.delay_ms:g}")

        async def undo() -> None:
            control.unlink(missing_ok=True)

        return undo

    async def _database_slow(self, fault: Fault) -> Undo:
        return self._every_sidecar(f"delay {fault.delay_ms:g}")

    async def _database_cut(self, _: Fault) -> Undo:
        return self._every_sidecar("cut")

    async def _database_locked(self, fault: Fault) -> Undo:
        assert self.database is not None
        return await lock_tables(self.database.access(), fault.delay_ms / 1000, self._clock)

    async def _database_restart(self, _: Fault) -> Undo:
        await self._parts.restart_postgres()
        return nothing

    async def _database_failover(self, _: Fault) -> Undo:
        assert self.database is not None
        await fail_over(self.database, self._feed, self._clock)
        return nothing

    def _every_sidecar(self, order: str) -> Undo:
        """Pods that start meanwhile are told too."""
        told: set[Path] = set()

        async def tell() -> None:
            while self.controller is not None:
                for pod in self.controller.pods.values():
                    if pod.sidecar_control not in told:
                        pod.sidecar_control.write_text(order)
                        told.add(pod.sidecar_control)
                await self._clock.sleep(_CRASH_POLL_S)

        stop = until_undone(tell())

        async def undo() -> None:
            try:
                await stop()
            finally:
                for path in told:
                    path.unlink(missing_ok=True)

        return undo

    # -- the Firebase parts --------------------------------------------------------------------------------------

    async def _part_hang(self, fault: Fault) -> Undo:
        return self._stopped(self._part(fault))

    async def _part_slow(self, fault: Fault) -> Undo:
        pid = self._part(fault)

        async def by_turns() -> None:
            try:
                while True:
                    signal_group(pid, signal.SIGSTOP)
                    await self._clock.sleep(_SLOW_STOPPED_S)
                    signal_group(pid, signal.SIGCONT)
                    await self._clock.sleep(_SLOW_RUNNING_S)
            finally:
                signal_group(pid, signal.SIGCONT)

        return until_undone(by_turns())

    def _part(self, fault: Fault) -> int:
        if fault.subject not in PARTS:
            raise BadInput(
                message("{kind} of {subject}", kind=fault.kind, subject=repr(fault.subject)),
                remedy=message("the parts are: {names}", names=", ".join(PARTS)),
            )
        return self._parts.processes[fault.subject]

    # -- means ---------------------------------------------------------------------------------------------------

    def _stopped(self, pid: int) -> Undo:
        signal_group(pid, signal.SIGSTOP)

        async def undo() -> None:
            signal_group(pid, signal.SIGCONT)

        return undo

    def _hog(self, pod: LocalPod, what: str, script: str, *arguments: str) -> Undo:
        self._hogs += 1
        part = f"hog-{what}-{self._hogs}"
        spec = Spec(
            part=part,
            command=(sys.executable, "-I", "-S", "-c", script, *arguments),
            environment={"PATH": "/usr/bin:/bin"},
            log=self._logs / f"{part}.log",
            folder=self._state.folder,
        )
        process = spawn(spec, self._state)
        pod.target.put_beside(process)

        async def undo() -> None:
            await process.stop(signal.SIGKILL, 1.0)

        return undo
