"""One world: every part of a run in memory, and what is wrong with them where something is planted."""

from __future__ import annotations

from fractions import Fraction

import msgspec

from harness.base.seed import stream
from harness.base.virtual import VirtualClock
from harness.stack.sim.database import SimDatabase
from harness.stack.sim.firestore import MemoryFirestore, Mirror
from harness.stack.sim.parts import SimParts
from harness.stack.sim.service import Lie, PlantedAnswer, SimCaller, SimService


class PlantedFaults(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong in a world; nothing unless told. It shows that the judge sees it.

    Shares are exact at every request, of phones' requests (``errors``, ``slow``: waits ``slow_ms``) and of probes
    (``unavailable``). Every ``puts_lost``-th PUT and ``documents_lost``-th mirror write is confirmed and lost, every
    ``reads_old``-th list or walk is as before its user's last PUT. ``deaf`` instances do not hear of a roll back.
    With ``one_by_one_ms`` phones' requests are served one after another, each so long: where more come they queue.
    ``lie`` says what becomes of each answer of a pod.
    """

    errors: Fraction = Fraction(0)
    slow: Fraction = Fraction(0)
    slow_ms: float = 0.0
    unavailable: Fraction = Fraction(0)
    puts_lost: int = 0
    reads_old: int = 0
    documents_lost: int = 0
    deaf: frozenset[str] = frozenset()
    one_by_one_ms: float = 0.0
    lie: Lie | None = None

    def plants(self) -> tuple[PlantedAnswer, ...]:
        """Those in front of the pods."""
        made = (
            PlantedAnswer(caller=SimCaller.PHONE, share=self.errors),
            PlantedAnswer(caller=SimCaller.PHONE, share=self.slow, delay_ms=self.slow_ms),
            PlantedAnswer(caller=SimCaller.PROBE, share=self.unavailable),
        )
        return tuple(plant for plant in made if plant.share)


class SimWorld:
    """The parts of one run, which share a clock and one stream of chance of ``seed``."""

    def __init__(self, clock: VirtualClock, seed: int, planted: PlantedFaults) -> None:
        self.clock = clock
        self.service = SimService(clock, stream(seed, "sim"), planted.plants(), planted.one_by_one_ms)
        self.service.lie = planted.lie
        self.database = SimDatabase(clock, planted.puts_lost, planted.reads_old)
        self.firestore = MemoryFirestore(clock)
        self.mirror = Mirror(self.firestore, planted.documents_lost)
        self.parts = SimParts(clock, planted.deaf)
