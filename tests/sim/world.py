"""One world: every part in memory, in the place of what ``harness`` names itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast
from unittest import mock

import msgspec

from harness.base.clock import utc
from harness.base.seed import stream
from harness.checks.walk_tables import Stored
from harness.load.plan import LoadPlan
from harness.load.runtime import running_on
from harness.rehearsal.needs import StackNeeds
from harness.stack.protocol import Stack
from tests.sim.clock import VirtualClock
from tests.sim.database import SimDatabase
from tests.sim.firestore import MemoryDocuments, MemoryFirestore, Mirror
from tests.sim.load import VirtualLoad
from tests.sim.parts import Parts
from tests.sim.runtime import VirtualRuntime
from tests.sim.service import Caller, Plant, Service
from tests.sim.stack import MemoryStack


class Planted(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong in a world. Shares are exact at every request, of phones' requests (``errors``, ``slow``: waits
    ``slow_ms``) and of probes (``unavailable``). Every ``puts_lost``-th PUT and ``documents_lost``-th mirror write is
    confirmed and lost, every ``reads_old``-th list or walk is as before its user's last PUT. ``deaf`` instances do not hear of a roll back.
    """

    errors: Fraction = Fraction(0)
    slow: Fraction = Fraction(0)
    slow_ms: float = 0.0
    unavailable: Fraction = Fraction(0)
    puts_lost: int = 0
    reads_old: int = 0
    documents_lost: int = 0
    deaf: frozenset[str] = frozenset()

    def plants(self) -> tuple[Plant, ...]:
        """Those in front of the pods."""
        made = (
            Plant(caller=Caller.PHONE, share=self.errors),
            Plant(caller=Caller.PHONE, share=self.slow, delay_ms=self.slow_ms),
            Plant(caller=Caller.PROBE, share=self.unavailable),
        )
        return tuple(plant for plant in made if plant.share)


class World:
    """Made in the loop that it lives in."""

    def __init__(self, clock: VirtualClock, seed: int, folder: Path, planted: Planted) -> None:
        self.clock = clock
        self.service = Service(clock, stream(seed, "sim"), planted.plants())
        self.database = SimDatabase(clock, planted.puts_lost, planted.reads_old)
        self.firestore = MemoryFirestore()
        self.mirror = Mirror(self.firestore, planted.documents_lost)
        self.parts = Parts(planted.deaf)
        self.runtime = VirtualRuntime(clock, self.service, self.parts)
        self._folder = folder

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The parts where ``harness`` looks for them. A rung brings its stack by ``rungs`` alone, once the load and the
        stores are ports as the stack is.
        """
        places: dict[str, Any] = {
            "harness.load.users.LoadProcesses": self._load,
            "harness.load.users.run_folder": lambda run_id: self._folder / "state" / run_id,
            "harness.rehearsal.conduct.remove_run_folder": lambda run_id: None,
            "harness.rehearsal.conduct.run_identity": _run_identity,
            "harness.checks.stores.read_stored": self._stored,
            "harness.checks.trespass.read_stored": self._stored,
            "harness.checks.invariants.Documents": lambda *_: MemoryDocuments(self.firestore),
            "harness.stack.firebase.rest.request": self.parts.request,
        }
        with contextlib.ExitStack() as stack:
            for name, part in places.items():
                stack.enter_context(mock.patch(name, part))
            stack.enter_context(running_on(self.runtime))
            yield

    async def sweep(self, say: Callable[[str], None]) -> None:
        """No run here leaves anything."""

    def stack(self, _run: object, needs: StackNeeds) -> Stack:
        """As ``harness.rehearsal.conduct.Environment``."""
        made = MemoryStack(self.clock, needs.manifests, self.service, self.database, self.mirror, self.parts)
        return cast("Stack", made)

    def _load(self, plan: LoadPlan, folder: Path, _clock: VirtualClock, **_: Any) -> VirtualLoad:
        return VirtualLoad(plan, folder, self.runtime, self.firestore)

    async def _stored(self, _endpoints: object, _most: int = 0) -> Stored:
        return Stored(walks=self.database.stored())


def _run_identity(clock: VirtualClock, name: str, seed: int) -> str:
    """A run's id without the process that owns it: nothing of this machine."""
    stamp = utc(clock.anchor, clock.now_ns())[:19].replace("-", "").replace(":", "")
    return f"{stamp}Z-{name}-s{seed}-sim"
