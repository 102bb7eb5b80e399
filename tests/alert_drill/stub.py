"""A drill without a stack: users and probes made up in this process, under the real Prometheus and Alertmanager."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.base.clock import NS, MachineClock
from harness.evidence.store import Gathered
from harness.model.evidence import Operation, Outcome, ProbeRow, RequestRow, Side
from harness.model.message import Message
from harness.model.stack import Fault, FaultKind
from harness.rehearsals.alert_drill.types import AlertDrillDetails, AlertDrillPlan

_TICK_S = 0.1
_SLOW = {FaultKind.LATENCY, FaultKind.DATABASE_SLOW}


class StubStack:
    """Faults that are only noted."""

    def __init__(self) -> None:
        self.fault: Fault | None = None

    async def inject(self, fault: Fault) -> Callable[[], Awaitable[None]]:
        """From now on the made-up users meet it."""
        self.fault = fault

        async def undo() -> None:
            self.fault = None

        return undo


class StubRun:
    """What of ``Running`` the drill's parts use."""

    def __init__(self, plan: AlertDrillPlan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.run_id = f"drill-{folder.name}"
        self.clock = MachineClock()
        self.details = AlertDrillDetails()
        self.evidence = Gathered()
        self.stack = StubStack()
        self.manifests = SimpleNamespace(sidecar="")
        self.held: list[Any] = []
        self.endings: list[Callable[[], Awaitable[None]]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def say(self, text: Message | str) -> None:
        """For whoever reads the test's output."""
        print(text)

    def mark(self, name: str) -> None:
        """Nothing."""

    def phase(self, subject: str, said: Message, **data: int | str) -> None:
        """A line."""
        print(subject, said, data)

    def hold(self, part: Any) -> None:
        """To be taken down."""
        self.held.append(part)

    def add_finalizer(self, step: Callable[[], Awaitable[None]]) -> None:
        """To be run at the end."""
        self.endings.append(step)

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Until the end."""
        self.tasks.append(asyncio.ensure_future(work))

    async def end(self) -> list[str]:
        """Takes everything down; what is left."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for step in reversed(self.endings):
            await step()
        for part in reversed(self.held):
            await part.down()
        return [leak for part in self.held for leak in part.leaks()]

    async def users(self) -> None:
        """Requests and probes at the plan's rates, answered as the fault says."""
        rates = (self.plan.population.users / self.plan.population.pace_s, self.plan.probes.rate_per_s)
        began_ns, made = self.clock.now_ns(), [0, 0]
        while True:
            await self.clock.sleep(_TICK_S)
            now_ns = self.clock.now_ns()
            wanted = [int(rate * (now_ns - began_ns) / NS) for rate in rates]
            rows: list[RequestRow | ProbeRow] = [self._request(n, now_ns) for n in range(made[0], wanted[0])]
            rows += [self._probe(n, now_ns) for n in range(made[1], wanted[1])]
            made = wanted
            self.evidence.see(rows)

    def _bad(self, number: int) -> bool:
        fault = self.stack.fault
        if fault is None or fault.kind in _SLOW:
            return False
        share = fault.ratio
        return number % share.denominator < share.numerator

    def _request(self, number: int, now_ns: int) -> RequestRow:
        fault, bad = self.stack.fault, self._bad(number)
        slow_ns = round(fault.delay_ms * 1e6 * (4 if fault.kind is FaultKind.DATABASE_SLOW else 1)) if fault else 0
        down = bad and fault is not None and fault.refuses
        return RequestRow(
            operation_id=f"u-{number}", user="u", audience="general", side=Side.API, operation=Operation.LIST_WALKS,
            due_ns=now_ns - slow_ns - 20_000_000, sent_ns=now_ns - slow_ns - 20_000_000, done_ns=now_ns,
            status=0 if down else 503 if bad else 200, outcome=Outcome.SERVER_ERROR if bad else Outcome.OK,
            acknowledged=False, payload_digest="", flag=True,
        )  # fmt: skip

    def _probe(self, number: int, now_ns: int) -> ProbeRow:
        bad = self._bad(number)
        return ProbeRow(
            probe_id=number, user="c", method="GET", due_ns=now_ns, sent_ns=now_ns, done_ns=now_ns,
            status=503 if bad else 200, outcome=Outcome.SERVER_ERROR if bad else Outcome.OK,
        )  # fmt: skip
