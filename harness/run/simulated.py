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
from harness.model.message import ProgressCallback
from harness.run.context import RunContext
from harness.run.lifecycle import run_identity
from harness.run.runner import Environment, Runner
from harness.stack.protocol import Stack, StackNeeds
from harness.stack.sim.stack import MemoryStack
from harness.stack.sim.world import PlantedFaults, SimWorld

_SPOOL = "spool"


class Simulated(Environment):
    """Nothing of a run is outside its report's folder. ``planted`` is wrong in every world."""

    capabilities = MemoryStack.capabilities

    def __init__(self, planted: PlantedFaults | None = None) -> None:
        self._planted = planted or PlantedFaults()

    def identity(self, clock: Clock, name: str, seed: int) -> str:
        """By the machine's time: the virtual one begins at the same moment in every process."""
        _ = clock
        return run_identity(MachineClock(), name, seed)

    async def sweep(self, say: ProgressCallback) -> None:
        """A killed run leaves nothing."""

    def stack(self, run: Runner[Any, Any], needs: StackNeeds) -> Stack:
        """In a world of its own."""
        assert isinstance(run.clock, VirtualClock), "a world in memory has the virtual clock of its run"
        return MemoryStack(SimWorld(run.clock, run.options.seed, self._planted), needs.manifests)

    def load(self, on: RunContext[Any], plan: LoadPlan, name: str) -> Load:
        """In the harness' own loop."""
        return VirtualLoad(plan, on.folder / _SPOOL / name, _stack(on).world)

    def stores(self, on: RunContext[Any]) -> Stores:
        """The very objects."""
        return MemoryStores(_stack(on).world, on.stack.endpoints())

    def processors(self) -> dict[str, float]:
        """Virtual time waits for nobody."""
        return {}

    def forget(self, run: Runner[Any, Any]) -> None:
        """Its spools."""
        shutil.rmtree(run.folder / _SPOOL, ignore_errors=True)


def _stack(on: RunContext[Any]) -> MemoryStack:
    assert isinstance(on.stack, MemoryStack)
    return on.stack
