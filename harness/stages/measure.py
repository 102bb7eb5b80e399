"""One step made and measured: the load, and what is read of the machine and the database beside it."""

from __future__ import annotations

import asyncio
import base64
import contextlib

import asyncpg
import numpy as np
import psutil
from hdrh.histogram import HdrHistogram

from harness.clock import NS, Clock
from harness.collect import Collector
from harness.judge.figures import latencies_ms
from harness.judge.ledger import Calls, Ledger
from harness.judge.steps import Around, Limits, figures, verdict, window_of
from harness.load.stages.process import StageProcesses
from harness.model.evidence import Side
from harness.model.load_stages import Step, StepResult
from harness.model.stack import Endpoints

LEAD_S = 0.5
REOPEN_LEAD_S = 3.0  # for a thousand connections to pods that may have little CPU
#: Between steps, what the last one left in queues (the mirror's too) is worked off: at least and at most so long, until
#: the machine is this busy.
SETTLE_S, SETTLE_MOST_S, SETTLED = 1.0, 10.0, 0.3
_MOST_LATENCY_US = 120_000_000
_DATABASE_EVERY_S = 1.0


class Measuring:
    """Makes steps on a stack whose evidence ``collector`` gathers; ``limits`` judge each."""

    def __init__(
        self, load: StageProcesses, collector: Collector, endpoints: Endpoints, clock: Clock, limits: Limits
    ) -> None:
        self._load = load
        self._collector = collector
        self._endpoints = endpoints
        self._clock = clock
        self._limits = limits

    async def step(self, step: Step, pods: int) -> StepResult:
        """Raises what ended the load."""
        lead_s = REOPEN_LEAD_S if step.reopen else LEAD_S
        origin_ns = self._clock.now_ns() + round(lead_s * NS)
        window = window_of(origin_ns, step.seconds)
        cpu_before = self._load.cpu_s()
        psutil.cpu_percent()  # its next call counts from here
        connections = asyncio.ensure_future(self._most_connections(step.seconds + lead_s))
        try:
            await self._load.step(step, origin_ns)
            machine = psutil.cpu_percent() / 100
            elapsed_s = (self._clock.now_ns() - origin_ns) / NS
            most = await connections
        finally:
            connections.cancel()
        self._collector.gather()
        ledger = self._collector.ledger
        calls = ledger.requests_due(window, Side.API)
        used = self._load.cpu_s()
        around = Around(
            generator_cpu_cores=max((used[name] - cpu_before.get(name, 0.0) for name in used), default=0.0) / elapsed_s,
            machine_cpu_ratio=machine,
            database_connections=most,
            cpu_samples=_samples(ledger, "cpu_cores"),
            memory_samples=_samples(ledger, "memory_bytes"),
            histogram=histogram(calls),
            requests_by_pod=ledger.pods_due(window),
        )
        measured = figures(calls, window, around)
        told, reason = verdict(measured, self._limits, pods)
        return StepResult(step=step, pods=pods, figures=measured, verdict=told, reason=reason, start_ns=window.start_ns)

    async def settle(self) -> None:
        """Returns when the machine is nearly idle; on one that never is, after ``SETTLE_MOST_S``."""
        give_up_ns = self._clock.now_ns() + round(SETTLE_MOST_S * NS)
        while True:
            psutil.cpu_percent()
            await self._clock.sleep(SETTLE_S)
            if psutil.cpu_percent() / 100 <= SETTLED or self._clock.now_ns() >= give_up_ns:
                return

    async def _most_connections(self, seconds: float) -> int | None:
        """The most connections to the database seen in ``seconds``; ``None`` when it does not let itself be asked."""
        endpoints, most = self._endpoints, 0
        until_ns = self._clock.now_ns() + round(seconds * NS)
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            database = await asyncpg.connect(
                host=endpoints.database.host,
                port=endpoints.database.port,
                user=endpoints.database_user,
                password=endpoints.database_password,
                database=endpoints.database_name,
            )
            try:
                while self._clock.now_ns() < until_ns:
                    found = await database.fetchval(_CONNECTIONS)
                    most = max(most, int(found))
                    await self._clock.sleep(_DATABASE_EVERY_S)
            finally:
                await database.close()
            return most
        return None


_CONNECTIONS = (
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
)


def histogram(calls: Calls) -> str:
    """The latencies in microseconds as an HDR histogram (three digits) in its own compressed, base64 form."""
    recorded = HdrHistogram(1, _MOST_LATENCY_US, 3)
    for value in np.clip(np.rint(latencies_ms(calls) * 1000), 1, _MOST_LATENCY_US).astype(np.int64):
        recorded.record_value(int(value))
    encoded = recorded.encode()
    return encoded.decode() if isinstance(encoded, bytes) else base64.b64encode(encoded).decode()


def _samples(ledger: Ledger, metric: str) -> list[tuple[int, str, float]]:
    return list(ledger.samples[metric])
