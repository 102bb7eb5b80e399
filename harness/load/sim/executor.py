"""The load in the harness' own loop: the executor of the rung ``sim``.

Admission, phones and probes are the load processes' own code; what Locust does there, one greenlet a phone does here.

Firestore in memory for phones: the calls of Google's client that ``FirestoreSide`` makes, for greenlets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.base.clock import NS
from harness.base.errors import MeasurementFailed, PartDied, RehearsalError
from harness.load import probes_main
from harness.load.admission import admit
from harness.load.phone import Phone, Shared
from harness.load.plan import LoadPlan, check
from harness.load.recorder import FLUSH_EVERY_S, Recorder
from harness.load.rest import now_ns, running_on, sleep
from harness.load.sim import greenlets
from harness.load.sim.runtime import SimEvent, VirtualRuntime
from harness.model.evidence import SessionRow
from harness.model.message import message
from harness.stack.sim.firestore import MemoryFirestore, SimDocument
from harness.stack.sim.world import SimWorld


class SimFirestoreClient:
    """As Google's ``SimFirestoreClient``."""

    def __init__(self, store: MemoryFirestore) -> None:
        self._store = store

    def collection(self, _name: str) -> Collection:
        """The one there is."""
        return Collection(self._store)


class Collection:
    """The calls that ``FirestoreSide`` makes."""

    def __init__(self, store: MemoryFirestore) -> None:
        self._store = store

    def where(self, *, filter: Any) -> Query:  # noqa: A002 - Google's name
        """The documents whose field is a value."""
        return Query(self._store, filter.field_path, filter.value)

    def document(self, name: str) -> SimReference:
        """One document, there or not."""
        return SimReference(self._store, name)


class Query:
    """Documents whose ``field`` is ``value``, in an order, newest first."""

    def __init__(self, store: MemoryFirestore, field: str, value: object) -> None:
        self._store = store
        self._field, self._value = field, value
        self._by, self._most = "", 0

    def order_by(self, field: str, *, direction: str) -> Query:
        """By one field."""
        assert direction == "DESCENDING"
        self._by = field
        return self

    def limit(self, most: int) -> Query:
        """So many."""
        self._most = most
        return self

    def stream(self, **_options: Any) -> Iterator[SimDocument]:
        """Their snapshots."""
        greenlets.wait(self._store.takes())
        field, value = self._field, self._value
        found: list[Any] = [each for each in self._store.documents.values() if each.fields.get(field) == value]
        found.sort(key=lambda each: (each.fields[self._by], each.id), reverse=True)
        return iter(found[: self._most])


class SimReference:
    """One document."""

    def __init__(self, store: MemoryFirestore, name: str) -> None:
        self._store, self._name = store, name

    def get(self, **_options: Any) -> SimDocument:
        """Its snapshot, of none too."""
        greenlets.wait(self._store.takes())
        return self._store.documents.get(self._name) or SimDocument(self._name, {}, exists=False)

    def set(self, content: Mapping[str, object], **_options: Any) -> None:
        """Replaces it."""
        greenlets.wait(self._store.takes())
        self._store.documents[self._name] = SimDocument(self._name, content)

    def delete(self, **_options: Any) -> None:
        """Removes it."""
        greenlets.wait(self._store.takes())
        self._store.documents.pop(self._name, None)


WATCH_EVERY_S = 0.5


class VirtualLoad:
    """A ``Load``. What ends a phone, or the probes, by itself is raised by ``watch``, ``stop`` and ``admitted``: a
    ``RehearsalError`` as it is, else ``PartDied``.
    """

    def __init__(self, plan: LoadPlan, folder: Path, world: SimWorld) -> None:
        check(plan)
        self._plan = plan
        self._runtime = VirtualRuntime(world)
        self._firestore = SimFirestoreClient(world.firestore)
        self.spools = (folder / "load.jsonl", folder / "probes.jsonl")
        self._ended = SimEvent()
        with running_on(self._runtime):  # whose time says when rows are handed over
            recorder, self._probes = map(Recorder, self.spools)
        self._shared = Shared(plan=plan, recorder=recorder, ended=self._ended)
        self._admitting: list[asyncio.Task[Any]] = []
        self._phones: list[Phone] = []
        self._probers: list[Any] = []
        self._users: list[asyncio.Task[Any]] = []
        self._beside: list[asyncio.Task[Any]] = []
        self._stopping = False

    async def start(self) -> None:
        """Begins to admit."""
        spawn = self._runtime.spawn
        with running_on(self._runtime):
            self._admitting = [
                spawn(admit, self._shared, self._firestore).task,
                spawn(probes_main.admit, self._plan).task,
            ]
            self._begin_beside(self._flush())

    async def admitted(self, timeout_s: float) -> None:
        """Returns once everybody is."""
        _, waiting = await asyncio.wait(self._admitting, timeout=timeout_s)
        self._check()
        if waiting:
            raise MeasurementFailed(f"not everybody was signed in within {timeout_s:g} s", where=str(self.spools[0]))
        self._phones, self._probers = (each.result() for each in self._admitting)
        count = len(self._phones)
        with running_on(self._runtime):
            said = message("{count} simulated users signed in", count=str(count))
            self._shared.recorder.event("phase", "admitted", said)

    async def go(self, origin_ns: int) -> None:
        """Starts schedule and probes."""
        self._shared.origin_ns = origin_ns
        with running_on(self._runtime):
            self._users = [self._runtime.spawn(self._live, phone).task for phone in self._phones]
            self._begin_beside(probes_main.ProbeStream(self._plan, self._probes, self._probers).run(origin_ns))

    async def watch(self) -> None:
        """Until the load is stopped."""
        while not self._stopping:
            await sleep(WATCH_EVERY_S)
            self._check()

    async def stop(self) -> None:
        """Lets what is under way end. Idempotent."""
        if self._stopping:
            return
        self._stopping = True
        self._ended.set()
        for task in (*self._beside, *self._admitting):
            task.cancel()
        await asyncio.gather(*self._users, *self._beside, *self._admitting, return_exceptions=True)
        with running_on(self._runtime):
            for phone in self._phones:
                account = phone.account
                row = SessionRow(at_ns=self._runtime.now_ns(), user=account.user, audience=account.audience, live=False)
                self._shared.recorder.write(row)
            self._shared.recorder.close()
            self._probes.close()
        self._check()

    def _check(self) -> None:
        for error in self._runtime.failures:
            if isinstance(error, RehearsalError):
                raise error
            raise PartDied(f"the load ended by itself: {error!r}", where=str(self.spools[0])) from error

    def _live(self, phone: Phone) -> None:
        """As Locust: sleeps until there is something to do, does it, and again."""
        try:
            while not self._runtime.wait_until(now_ns() + round(phone.seconds_to_wake() * NS), self._ended):
                phone.act()
        finally:
            phone.close()

    def _begin_beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._runtime.note)
        self._beside.append(task)

    async def _flush(self) -> None:
        while True:
            await sleep(FLUSH_EVERY_S)
            self._shared.recorder.flush()
            self._probes.flush()
