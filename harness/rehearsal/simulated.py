"""The rung ``sim`` as an ``Environment``: each run has a world in memory, in virtual time."""

from __future__ import annotations

import shutil
from typing import Any

from harness.base.clock import Clock, MachineClock
from harness.base.virtual import VirtualClock
from harness.checks.memory_stores import MemoryStores
from harness.checks.stores import Stores
from harness.load.plan import LoadPlan
from harness.load.protocol import Load
from harness.load.sim.executor import VirtualLoad
from harness.model.message import Tell
from harness.rehearsal.conduct import Conductor
from harness.rehearsal.environment import Environment
from harness.rehearsal.lifecycle import run_identity
from harness.rehearsal.running import Running
from harness.stack.protocol import Stack, StackNeeds
from harness.stack.sim.stack import MemoryStack
from harness.stack.sim.world import Planted, World

_SPOOL = "spool"


class Simulated(Environment):
    """Nothing of a run is outside its report's folder. ``planted`` is wrong in every world."""

    capabilities = MemoryStack.capabilities

    def __init__(self, planted: Planted | None = None) -> None:
        self._planted = planted or Planted()

    def identity(self, clock: Clock, name: str, seed: int) -> str:
        """By the machine's time: the virtual one begins at the same moment in every process."""
        _ = clock
        return run_identity(MachineClock(), name, seed)

    async def sweep(self, say: Tell) -> None:
        """A killed run leaves nothing."""

    def stack(self, run: Conductor[Any, Any], needs: StackNeeds) -> Stack:
        """In a world of its own."""
        assert isinstance(run.clock, VirtualClock), "a world in memory has the virtual clock of its run"
        return MemoryStack(World(run.clock, run.options.seed, self._planted), needs.manifests)

    def load(self, on: Running[Any], plan: LoadPlan, name: str) -> Load:
        """In the harness' own loop."""
        return VirtualLoad(plan, on.folder / _SPOOL / name, _stack(on).world)

    def stores(self, on: Running[Any]) -> Stores:
        """The very objects."""
        return MemoryStores(_stack(on).world, on.stack.endpoints())

    def processors(self) -> dict[str, float]:
        """Virtual time waits for nobody."""
        return {}

    def forget(self, run: Conductor[Any, Any]) -> None:
        """Its spools."""
        shutil.rmtree(run.folder / _SPOOL, ignore_errors=True)


def _stack(on: Running[Any]) -> MemoryStack:
    assert isinstance(on.stack, MemoryStack)
    return on.stack
