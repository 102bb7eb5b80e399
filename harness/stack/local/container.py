"""A container of a pod: one process, its probes, its restarts. The rules are ``harness.control``'s."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

from harness.base.clock import NS, Clock
from harness.control import backoff, probes
from harness.model.manifests import Probe
from harness.model.message import Message, message
from harness.model.stack import Address
from harness.stack.processes import Process, Spec, spawn
from harness.stack.state import RunState
from harness.stack.state.cgroups import Group
from harness.stack.waiting import http_status

#: Seconds that a process has between SIGTERM and SIGKILL, whatever its preStop has used up of the grace period
#: (pkg/kubelet/kuberuntime: ``minimumGracePeriodInSeconds``).
LEAST_S = 2.0


class Container:
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
