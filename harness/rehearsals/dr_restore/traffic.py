"""The users and probes of a rehearsal on the stack, and the evidence of what they saw."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from harness.clock import NS, Clock
from harness.collect import Collector
from harness.evidence.store import EvidenceStore
from harness.judge.bounds import ratio_lower
from harness.judge.window import Window
from harness.load.plan import LoadPlan
from harness.load.process import LoadProcesses
from harness.model.evidence import Side
from harness.rehearsals.dr_restore.types import TrafficPlan
from harness.rehearsals.dr_restore.waiting import NotInTime
from harness.stack.protocol import Stack
from harness.state.lease import run_folder

ADMISSION_LIMIT_S = 60.0
REQUEST_TIMEOUT_S = 5.0
LEAD_S = 1.0
BLACKOUT_S = 5.0  # docs/judging.md#success-and-roll-back: five seconds without one good probe
_GATHER_S = 0.2


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a window saw. ``bound``: the availability is at least this, 95 %; ``None`` without a probe."""

    probes: int
    good: int
    bound: float | None
    requests: int
    errors: int

    @property
    def availability(self) -> float | None:
        """Good probes over all."""
        return self.good / self.probes if self.probes else None


class Traffic:
    """Starts the load, gathers what it sees, judges windows of it; ``supervise`` ends with the first error."""

    def __init__(self, stack: Stack, plan: TrafficPlan, *, run_id: str, seed: int, folder: Path, clock: Clock) -> None:
        self.evidence = Collector(EvidenceStore(folder / "evidence.sqlite", anchor=clock.anchor, run_id=run_id), clock)
        self._stack = stack
        self._plan = plan
        self._clock = clock
        load_plan = LoadPlan(
            run_id=run_id,
            seed=seed,
            population=plan.population,
            probes=plan.probes,
            endpoints=stack.endpoints(),
            anchor=clock.anchor,
            spool="",
            request_timeout_s=REQUEST_TIMEOUT_S,
            admission_limit_s=ADMISSION_LIMIT_S,
        )
        self.load = LoadProcesses(load_plan, run_folder(run_id), clock, logs=folder / "logs")

    async def supervise(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` with the gathering and the watch beside it; the first that raises ends all."""
        tasks = [asyncio.ensure_future(each) for each in (work, self._gather(), self._watch())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def begin(self) -> None:
        """Everybody admitted, and the schedule begun."""
        await self.load.start()
        self.evidence.follow(self.load.spools)
        await self.load.admitted(ADMISSION_LIMIT_S)
        await self.load.go(self._clock.now_ns() + round(LEAD_S * NS))

    async def end(self) -> None:
        """Stops the load and closes the evidence. Raises what the load, or the measurement, failed by."""
        try:
            await self.load.stop()
        finally:
            self.evidence.gather_last()
            self.evidence.store.close()
        for failure in self.evidence.failures():
            raise failure

    def event(self, kind: str, subject: str, message: str) -> int:
        """An event of the rehearsal, now; the time."""
        now_ns = self._clock.now_ns()
        self.evidence.event(now_ns, kind, subject, message)
        return now_ns

    async def blackout(self, after_ns: int, limit_s: float) -> int:
        """Returns the time at which ``BLACKOUT_S`` had passed since the last good probe. Raises ``NotInTime``."""
        give_up_ns = self._clock.now_ns() + round(limit_s * NS)
        while (now_ns := self._clock.now_ns()) < give_up_ns:
            last_ns = max(self._last_good_ns(), after_ns)
            if now_ns - last_ns >= BLACKOUT_S * NS:
                return now_ns
            await self._clock.sleep(0.05)
        raise NotInTime(
            f"the disaster was not noticed: good probes still come {limit_s:g} s after it",
            where="the probes through the service",
            remedy="do the pods read a database other than the stack's own? See the manifests, and the pods' logs",
        )

    async def first_good(self, after_ns: int, limit_s: float) -> int | None:
        """When the first probe sent after ``after_ns`` was good: its answer's time; ``None`` without one in time."""
        give_up_ns = self._clock.now_ns() + round(limit_s * NS)
        while self._clock.now_ns() < give_up_ns:
            rows = self.evidence.ledger.probes
            good = rows["done_ns"][rows["ok"] & (rows["sent_ns"] > after_ns)]
            if len(good):
                return int(good.min())
            await self._clock.sleep(0.05)
        return None

    @property
    def last_answer_s(self) -> float:
        """By so long after a window the last call that was due in it is answered or given up."""
        return max(self._plan.probes.timeout_s, REQUEST_TIMEOUT_S)

    def seen(self, start_ns: int, end_ns: int) -> Seen:
        """What was due in ``[start_ns, end_ns)`` and answered so far."""
        window = Window(start_ns=start_ns, end_ns=end_ns)
        probes = self.evidence.ledger.probe_rows_due(window)
        requests = self.evidence.ledger.requests_due(window, Side.API)
        good, count = int(probes["ok"].sum()), len(probes)
        return Seen(
            probes=count,
            good=good,
            bound=ratio_lower(good, count) if count else None,
            requests=len(requests),
            errors=int((~requests["ok"]).sum()),
        )

    def _last_good_ns(self) -> int:
        rows = self.evidence.ledger.probes
        good = rows["done_ns"][rows["ok"]]
        return int(good.max()) if len(good) else 0

    async def _gather(self) -> None:
        while True:
            self.evidence.gather()
            self.load.check()
            await self._clock.sleep(_GATHER_S)

    async def _watch(self) -> None:
        async for row in self._stack.watch():
            self.evidence.add([row])
