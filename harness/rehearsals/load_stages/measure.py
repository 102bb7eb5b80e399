"""One step made and measured: the load, and what is read of the machine and the database beside it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable, Mapping

import asyncpg
import numpy as np
import psutil
from hdrh.histogram import HdrHistogram

from harness.base.clock import NS, Clock, polling
from harness.evidence.collect import Collector
from harness.judge.figures import latencies_ms
from harness.judge.ledger import Calls
from harness.judge.window import Window
from harness.load.stages.process import StageProcesses
from harness.model.evidence import Side
from harness.model.stack import Endpoints
from harness.model.step import Step
from harness.rehearsals.load_stages.judge_steps import photos_due, window_of
from harness.rehearsals.load_stages.types import Made
from harness.stack.state import MARKER, PART_MARKER, marked

LEAD_S = 0.5
REOPEN_LEAD_S = 3.0  # for a thousand connections to pods that may have little CPU
#: Between steps, what the last one left in queues (the mirror's too) is worked off: at least and at most so long, until
#: what works it off keeps the machine no busier than this.
SETTLE_S, SETTLE_MOST_S, SETTLED = 1.0, 10.0, 0.3
#: The event that a worker tells of its photos, and how long after the requests it may come: an upload's own limit.
PHOTOS, PHOTOS_MOST_S = ("storage", "photos"), 25.0
_MOST_LATENCY_US = 120_000_000
_DATABASE_EVERY_S = 1.0


class Measuring:
    """Makes steps on a stack whose evidence ``collector`` gathers; ``used_s``: the seconds of CPU that each of
    its processes has used, by process id."""

    def __init__(
        self,
        load: StageProcesses,
        collector: Collector,
        endpoints: Endpoints,
        clock: Clock,
        used_s: Callable[[], Mapping[int, float]],
    ) -> None:
        self._load = load
        self._collector = collector
        self._endpoints = endpoints
        self._clock = clock
        self._used_s = used_s

    async def unjudged(self, step: Step) -> None:
        """Makes the load alone. Raises what ended it."""
        await self._load.step(step, self._clock.now_ns() + round(_lead_s(step) * NS))

    async def step(self, step: Step, pods: int) -> Made:
        """The step as it was made; its requests are in evidence. Raises what ended the load."""
        lead_s = _lead_s(step)
        origin_ns = self._clock.now_ns() + round(lead_s * NS)
        window = window_of(origin_ns, step.seconds)
        cpu = asyncio.ensure_future(self._cpu(window))
        connections = asyncio.ensure_future(self._most_connections(step.seconds + lead_s))
        try:
            await self._load.step(step, origin_ns)
            generator, machine = await cpu
            most, limit = await connections
        finally:
            cpu.cancel()
            connections.cancel()
        uploaded = await self._photos(step)
        self._collector.gather()
        return Made(
            step=step,
            pods=pods,
            start_ns=window.start_ns,
            generator_cpu_cores=generator,
            machine_cpu_ratio=machine,
            database_connections=most,
            database_limit=limit,
            photos_uploaded=uploaded,
            histogram=histogram(self._collector.ledger.requests_due(window, Side.API)),
        )

    async def _photos(self, step: Step) -> int:
        """How many were uploaded, once all workers have told it; a worker tells it when its last upload has ended."""
        again = polling(self._clock, limit_s=PHOTOS_MOST_S, every_s=SETTLE_S)
        while True:
            self._collector.gather()
            events = self._collector.events
            told = [e.data for e in events if (e.kind, e.subject, e.data.get("step")) == (*PHOTOS, step.name)]
            ended = sum(each["uploaded"] + each["failed"] + each["put_off"] for each in told)
            if ended >= photos_due(step) or self._endpoints.storage is None or not await again():
                return sum(each["uploaded"] for each in told)

    async def settle(self) -> None:
        """Returns when the stack is nearly idle; on one that never is, after ``SETTLE_MOST_S``.

        A process that has ended works no more: what it had used is no rest of the others.
        """
        give_up_ns = self._clock.now_ns() + round(SETTLE_MOST_S * NS)
        while True:
            begun_ns, before = self._clock.now_ns(), self._used_s()
            await self._clock.sleep(SETTLE_S)
            worked_s = sum(used_s - before.get(process, 0.0) for process, used_s in self._used_s().items())
            cores = worked_s * NS / (self._clock.now_ns() - begun_ns)
            if cores <= SETTLED * (psutil.cpu_count() or 1) or self._clock.now_ns() >= give_up_ns:
                return

    async def _cpu(self, window: Window) -> tuple[float, float]:
        """The busiest worker's cores, and the share of the machine's, within the window alone: answers that are still
        awaited after it cost nothing, and would hide how busy the generator was."""
        await self._until(window.start_ns)
        begun_ns, before = self._clock.now_ns(), self._load.cpu_s()
        psutil.cpu_percent()  # its next call counts from here
        await self._until(window.end_ns)
        machine, used = psutil.cpu_percent() / 100, self._load.cpu_s()
        return _busiest_s(before, used) * NS / (self._clock.now_ns() - begun_ns), machine

    async def _until(self, at_ns: int) -> None:
        await self._clock.sleep(max(0, at_ns - self._clock.now_ns()) / NS)

    async def _most_connections(self, seconds: float) -> tuple[int | None, int | None]:
        """The most connections to the database seen in ``seconds``, and how many it lets the target have; ``None`` when
        it does not let itself be asked."""
        endpoints, most = self._endpoints, 0
        until_ns = self._clock.now_ns() + round(seconds * NS)
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            database = await asyncpg.connect(**endpoints.login)
            try:
                limit = int(await database.fetchval(_LIMIT))
                while self._clock.now_ns() < until_ns:
                    found = await database.fetchval(_CONNECTIONS)
                    most = max(most, int(found))
                    await self._clock.sleep(_DATABASE_EVERY_S)
            finally:
                await database.close()
            return most, limit
        return None, None


def used_by(run_id: str) -> dict[int, float]:
    """Return the CPU time (s) that each process of the run's parts and its ended children have used, by process id.

    PostgreSQL's processes have their titles where their environment was: they are found as children of its first.
    """
    parts = {process.pid for process, told in marked(MARKER, [run_id]) if PART_MARKER in told}
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid in parts or process.ppid() in parts:
                used = process.cpu_times()
                found[process.pid] = used.user + used.system + used.children_user + used.children_system
    return found


def used_on_this_machine() -> dict[int, float]:
    """The seconds of CPU that all of it has used, as one process': which were a cluster's pods it does not tell."""
    times = psutil.cpu_times()
    return {0: float(times.user + times.system)}


def _lead_s(step: Step) -> float:
    return REOPEN_LEAD_S if step.reopen else LEAD_S


_CONNECTIONS = (
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
)


#: Without those that PostgreSQL keeps for superusers and, from version 16 on, for others with a role of its own.
_LIMIT = (
    "select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    " - coalesce(current_setting('reserved_connections', true)::int, 0)"
)


def _busiest_s(before: Mapping[str, float], used: Mapping[str, float]) -> float:
    """The CPU seconds of the worker that used the most of them since ``before``."""
    return max((used[name] - before.get(name, 0.0) for name in used), default=0.0)


def histogram(calls: Calls) -> str:
    """The latencies in microseconds as an HDR histogram (three digits) in its own compressed, base64 form."""
    recorded = HdrHistogram(1, _MOST_LATENCY_US, 3)
    for value in np.clip(np.rint(latencies_ms(calls) * 1000), 1, _MOST_LATENCY_US).astype(np.int64):
        recorded.record_value(int(value))
    encoded = recorded.encode()
    return encoded.decode() if isinstance(encoded, bytes) else base64.b64encode(encoded).decode()
