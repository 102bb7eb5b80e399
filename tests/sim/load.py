"""The load in the harness' own loop, in the place of ``harness.load.process.LoadProcesses``.

Admission, phones and probes are the load processes' own code; what Locust does there, one greenlet a phone does here.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from harness.clock import NS, Clock
from harness.load import probes_main
from harness.load.admission import admit
from harness.load.phone import Phone, Shared
from harness.load.plan import LoadPlan, check
from harness.load.recorder import FLUSH_EVERY_S, Recorder
from harness.load.runtime import runtime
from harness.load.time import now_ns, sleep
from harness.model.errors import PartDied
from harness.model.evidence import SessionRow
from harness.model.message import message
from tests.sim.firestore import MemoryFirestore
from tests.sim.greenlets import Greenlet
from tests.sim.runtime import Ended


class VirtualLoad:
    """The calls of ``LoadProcesses``; ``watch`` raises what a phone or the probes raised."""

    def __init__(self, plan: LoadPlan, folder: Path, clock: Clock, firestore: MemoryFirestore) -> None:
        check(plan)
        self._plan = plan
        self._clock = clock
        self._firestore = firestore
        self.spools = (folder / "load.jsonl", folder / "probes.jsonl")
        self._ended = Ended()
        self._shared = Shared(plan=plan, recorder=Recorder(self.spools[0]), ended=self._ended)
        self._probes = Recorder(self.spools[1])
        self._admitting: list[Greenlet] = []
        self._phones: list[Phone] = []
        self._probers: list[Any] = []
        self._work: list[asyncio.Future[Any]] = []
        self._beside: list[asyncio.Task[Any]] = []
        self._stopped = asyncio.Event()
        self._stopping = False

    async def start(self) -> None:
        """Begins to admit."""
        self._admitting = [
            Greenlet(admit, self._shared, self._firestore),
            Greenlet(probes_main.admit, self._plan),
        ]
        self._beside = [asyncio.create_task(self._flush())]

    async def admitted(self, timeout_s: float) -> None:
        """Returns once everybody is."""
        async with asyncio.timeout(timeout_s):
            self._phones, self._probers = await asyncio.gather(*(each.task for each in self._admitting))
        count = len(self._phones)
        self._shared.recorder.event("phase", "admitted", message("{count} users admitted", count=str(count)))

    async def go(self, origin_ns: int) -> None:
        """Starts schedule and probes."""
        self._shared.origin_ns = origin_ns
        self._work = [Greenlet(_live, phone, self._ended).task for phone in self._phones]
        stream = probes_main.Stream(self._plan, self._probes, self._probers)
        self._beside.append(asyncio.create_task(stream.run(origin_ns)))

    async def watch(self) -> None:
        """Returns when the load was stopped; raises as soon as a phone, or the probes, end by themselves."""
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            while not self._stopped.is_set():
                waiting = [each for each in (*self._work, *self._beside) if not self._stopping]
                done, _ = await asyncio.wait([stopped, *waiting], timeout=1, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stopped}:
                    if not self._stopping:
                        raise PartDied("the load ended by itself", where=repr(task)) from task.exception()
        finally:
            stopped.cancel()

    async def stop(self) -> None:
        """Lets what is under way end. Idempotent."""
        if self._stopping:
            return
        self._stopping = True
        self._ended.set()
        for task in (*self._beside, *(each.task for each in self._admitting)):
            task.cancel()
        await asyncio.gather(*self._work)
        for task in self._beside:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for phone in self._phones:
            account = phone.account
            row = SessionRow(at_ns=now_ns(), user=account.user, audience=account.audience, live=False)
            self._shared.recorder.write(row)
        self._shared.recorder.close()
        self._probes.close()
        self._stopped.set()

    async def _flush(self) -> None:
        while True:
            await sleep(FLUSH_EVERY_S)
            self._shared.recorder.flush()
            self._probes.flush()


def _live(phone: Phone, ended: Ended) -> None:
    """As Locust: sleeps until there is something to do, does it, and again."""
    try:
        while not runtime().wait_until(now_ns() + round(phone.seconds_to_wake() * NS), ended):
            phone.act()
    finally:
        phone.close()
