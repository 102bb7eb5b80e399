"""The probe process: ``python -m harness.load.probes_main PLAN.json``. Its stream is never delayed by a slow probe.

It makes the canaries' accounts, writes the event ``phase``/``probes_admitted``, waits for ``go``, and probes until
its input ends (``child``). GET and PUT in turn over the canaries, each probe at its own due time, whatever became of
those before; beside them a canary whose token is about to end is signed in again, as the app does. Exit statuses are
those of ``errors``.
"""

from __future__ import annotations

import asyncio
import math
import signal
import sys
from collections.abc import Sequence

from harness.base.errors import MeasurementFailed, RehearsalError
from harness.load.auth import RENEW_EVERY_S, create_accounts, renew, sign_in
from harness.load.child import GO_LIMIT_S, not_told, origin_of, run
from harness.load.plan import LoadPlan
from harness.load.population.probes import canary_of, offset_ns
from harness.load.population.schedule import canaries, population_of
from harness.load.probe import Prober, content
from harness.load.recorder import FLUSH_EVERY_S, Recorder
from harness.load.rest import JsonClient, lines_of_stdin, now_ns, sleep, sleep_until
from harness.model.evidence import Operation, ProbeRow
from harness.model.message import message
from harness.model.stack import Address

_AUTH_TIMEOUT_S = 30.0


def admit(plan: LoadPlan) -> list[Prober]:
    """The canaries, signed in; blocking, before the event loop runs. Raises ``MeasurementFailed``."""
    everybody = canaries(plan.probes, plan.seed)
    client = JsonClient("the Auth emulator", plan.endpoints.auth, _AUTH_TIMEOUT_S)
    try:
        create_accounts(client, plan.endpoints.project_id, [canary.account for canary in everybody])
        return [
            Prober(
                canary=canary,
                token=sign_in(client, canary.account),
                body=content(canary, plan.anchor.unix_ns),
                population=population_of(plan.population, plan.probes, plan.seed),
            )
            for canary in everybody
        ]
    finally:
        client.close()


async def renew_always(auth: Address, probers: Sequence[Prober], every_s: float = RENEW_EVERY_S) -> None:
    """Never ends: a token that is about to end is renewed, by one request at a time: a thread cannot be cancelled, and
    the process ends behind it. Raises ``MeasurementFailed``.
    """
    while True:
        await sleep(every_s)
        for each in probers:
            await asyncio.to_thread(renew, auth, [each])


class ProbeStream:
    """The probes of one run."""

    def __init__(self, plan: LoadPlan, recorder: Recorder, probers: list[Prober]) -> None:
        self._plan = plan
        self._recorder = recorder
        self._probers = probers
        self._underway: set[asyncio.Task[None]] = set()
        self._failed: Exception | None = None
        #: More than can be under way while each keeps its timeout.
        self._most = 2 * math.ceil(plan.probes.rate_per_s * plan.probes.timeout_s) + 10

    async def run(self, origin_ns: int) -> None:
        """Probes for the plan's longest duration; cancelled before, it lets those under way end.

        Raises ``EvidenceNotWritten``, or ``MeasurementFailed`` for whatever else became of a probe without a row.
        """
        rate = self._plan.probes.rate_per_s
        try:
            for number in range(int(rate * self._plan.max_duration_s)):
                due_ns = origin_ns + offset_ns(self._plan.probes, number)
                await sleep_until(due_ns)
                self._check()
                if len(self._underway) >= self._most:
                    raise MeasurementFailed(f"{self._most} probes are under way at once, each past its timeout")
                self._begin(number, due_ns)
            raise MeasurementFailed(f"the probes ran longer than the {self._plan.max_duration_s:g} s of their plan")
        finally:
            await self._finish()

    def _begin(self, number: int, due_ns: int) -> None:
        prober = self._probers[canary_of(self._plan.probes, number)]
        operation = Operation.GET_WALK if number % 2 else Operation.PUT_WALK
        task = asyncio.create_task(self._one(number, due_ns, prober, operation))
        self._underway.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A probe that left no row is told by the stream: what it met might be just what the target does wrong."""
        self._underway.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception) and self._failed is None:
            self._failed = error

    def _check(self) -> None:
        if isinstance(self._failed, RehearsalError):
            raise self._failed
        if self._failed is not None:
            raise MeasurementFailed(f"a probe ended without a result: {self._failed!r}") from self._failed

    async def _one(self, number: int, due_ns: int, prober: Prober, operation: Operation) -> None:
        sent_ns = now_ns()
        probed = await prober.probe(self._plan.endpoints.service, operation, self._plan.probes.timeout_s)
        self._recorder.write(
            ProbeRow(
                probe_id=number,
                user=prober.canary.account.user,
                method="GET" if operation is Operation.GET_WALK else "PUT",
                due_ns=due_ns,
                sent_ns=sent_ns,
                done_ns=now_ns(),
                status=probed.status,
                outcome=probed.outcome,
                pod=probed.pod,
                shown=probed.shown,
                wire=probed.wire,
            )
        )

    async def _finish(self) -> None:
        late: set[asyncio.Task[None]] = set()
        if self._underway:
            _, late = await asyncio.wait(self._underway, timeout=self._plan.probes.timeout_s + 1)
            for task in late:
                task.cancel()
        self._check()
        if late:
            raise MeasurementFailed(f"{len(late)} probes did not end a second past their timeout")


async def _flush(recorder: Recorder) -> None:
    while True:
        await sleep(FLUSH_EVERY_S)
        recorder.flush()


async def _stopped(lines: asyncio.StreamReader) -> None:
    while line := await lines.readline():
        origin_of(line)


async def _probe(plan: LoadPlan, recorder: Recorder, probers: list[Prober]) -> None:
    lines = await lines_of_stdin()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lines.feed_eof)
    admitted = message("{count} canary users signed in", count=str(len(probers)))
    recorder.event("phase", "probes_admitted", admitted, users=len(probers))
    recorder.flush()
    try:
        async with asyncio.timeout(GO_LIMIT_S):
            line = await lines.readline()
    except TimeoutError:
        raise not_told() from None
    if not line:
        return
    origin_ns = origin_of(line)
    stopping = asyncio.create_task(_stopped(lines))
    working = [
        asyncio.create_task(ProbeStream(plan, recorder, probers).run(origin_ns)),
        asyncio.create_task(_flush(recorder)),
        asyncio.create_task(renew_always(plan.endpoints.auth, probers)),
    ]
    await asyncio.wait([stopping, *working], return_when=asyncio.FIRST_COMPLETED)
    for task in (stopping, *working):
        task.cancel()
    for ended in await asyncio.gather(stopping, *working, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


def _probes(plan: LoadPlan, recorder: Recorder) -> None:
    asyncio.run(_probe(plan, recorder, admit(plan)))


if __name__ == "__main__":
    sys.exit(run("probes", sys.argv[1:], LoadPlan, _probes))
