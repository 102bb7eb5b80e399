"""Where runs are conducted, as a port: what gives a run its name, its stack, its load, and the reach to its stores."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from harness.base.clock import Clock, MachineClock
from harness.base.errors import BadInput
from harness.base.virtual import VirtualClock
from harness.checks.stores import Stores, StoresAt
from harness.load.plan import LoadPlan
from harness.load.process import LoadProcesses
from harness.load.protocol import Load
from harness.model.stack import Rung
from harness.rehearsal.lifecycle import run_identity
from harness.rehearsal.needs import Needs, StackNeeds
from harness.rehearsal.options import Options
from harness.stack.protocol import Stack
from harness.stack.rungs import stack_for, sweep
from harness.stack.state.lease import remove_run_folder, run_folder

if TYPE_CHECKING:
    from harness.rehearsal.conduct import Conductor
    from harness.rehearsal.running import Running
    from harness.stack.sim.world import Planted


class Environment(Protocol):
    """A rehearsal asks it for nothing itself: ``conduct`` and ``Running`` do."""

    def identity(self, clock: Clock, name: str, seed: int) -> str:
        """The id of a run that begins now, which no other run has."""
        ...

    def accept(self, needs: Needs, options: Options) -> None:
        """Raises ``BadInput`` for what no run here can have, or heed."""
        ...

    async def sweep(self, say: Callable[[str], None]) -> None:
        """Removes what killed runs left, and says what."""
        ...

    def stack(self, run: Conductor[Any, Any], needs: StackNeeds) -> Stack:
        """The stack of a run, not yet up."""
        ...

    def load(self, on: Running[Any], plan: LoadPlan, name: str) -> Load:
        """What carries out ``plan`` on the run's stack, not yet started; ``name`` tells several of a run apart."""
        ...

    def stores(self, on: Running[Any]) -> Stores:
        """The stores of the run's stack, which is up."""
        ...

    def forget(self, run: Conductor[Any, Any]) -> None:
        """Removes what was kept for the run beside its report; idempotent."""
        ...


class Rungs:
    """This machine: the rung that the options name, the load as processes."""

    def identity(self, clock: Clock, name: str, seed: int) -> str:
        """By the process that owns it."""
        return run_identity(clock, name, seed)

    def accept(self, needs: Needs, options: Options) -> None:
        """Anything: what a rung lacks is told part by part, as not exercised."""

    async def sweep(self, say: Callable[[str], None]) -> None:
        """Of any rung."""
        await sweep(say)

    def stack(self, run: Conductor[Any, Any], needs: StackNeeds) -> Stack:
        """The rung's own."""
        return stack_for(
            run.options,
            run_id=run.run_id,
            manifests=needs.manifests,
            folder=run.folder,
            clock=run.clock,
            progress=run.progress,
            gate=needs.gate,
            use_kept=needs.use_kept,
            signals_at_once=run.options.signals_at_once,
            every_program=needs.every_program,
            peak_pods=needs.peak_pods,
            secrets=needs.secrets,
        )

    def load(self, on: Running[Any], plan: LoadPlan, name: str) -> Load:
        """Two processes, with their files in the run's folder of state."""
        return LoadProcesses(plan, run_folder(on.run_id) / name, on.clock, logs=on.folder / "logs" / name)

    def stores(self, on: Running[Any]) -> Stores:
        """Where the stack says."""
        return StoresAt(on.stack.endpoints())

    def forget(self, run: Conductor[Any, Any]) -> None:
        """The run's folder of state."""
        remove_run_folder(run.run_id)


RUNGS = Rungs()


class Simulated:
    """The rung ``sim``: one world in memory a run, in virtual time, with what is ``planted`` in it."""

    def __init__(self, planted: Planted | None = None) -> None:
        self._planted = planted

    def identity(self, clock: Clock, name: str, seed: int) -> str:
        """By the machine's time: the virtual one begins at the same moment in every process."""
        _ = clock
        return run_identity(MachineClock(), name, seed)

    def accept(self, needs: Needs, options: Options) -> None:
        """What can do without all that is not in memory."""
        from harness.report.words import lacking_words
        from harness.stack.sim.stack import CAPABILITIES

        if lacking := sorted(needs.capabilities - CAPABILITIES):
            raise BadInput(f"this cannot be simulated: {lacking_words(lacking)}", remedy="use --on local or --on kind")
        if options.service_port is not None or options.signals_at_once:
            raise BadInput("--service-port and --signals-at-once are of processes, which --on sim has not")

    async def sweep(self, say: Callable[[str], None]) -> None:
        """No run here leaves anything outside its report's folder."""

    def stack(self, run: Conductor[Any, Any], needs: StackNeeds) -> Stack:
        """In a world of its own."""
        from harness.stack.sim.stack import MemoryStack
        from harness.stack.sim.world import Planted, World

        assert isinstance(run.clock, VirtualClock), "a world in memory has the virtual clock of its run"
        return MemoryStack(World(run.clock, run.options.seed, self._planted or Planted()), needs.manifests)

    def load(self, on: Running[Any], plan: LoadPlan, name: str) -> Load:
        """In the harness' own loop."""
        from harness.load.sim.executor import VirtualLoad
        from harness.stack.sim.stack import MemoryStack

        assert isinstance(on.stack, MemoryStack)
        return VirtualLoad(plan, on.folder / _SPOOL / name, on.stack.world)

    def stores(self, on: Running[Any]) -> Stores:
        """The very objects."""
        from harness.checks.memory_stores import MemoryStores
        from harness.stack.sim.stack import MemoryStack

        assert isinstance(on.stack, MemoryStack)
        return MemoryStores(on.stack.world, on.stack.endpoints())

    def forget(self, run: Conductor[Any, Any]) -> None:
        """Its spools."""
        shutil.rmtree(run.folder / _SPOOL, ignore_errors=True)


_SPOOL = "spool"


def environment_of(rung: Rung) -> Environment:
    """Where the runs of a rung are conducted."""
    return Simulated() if rung is Rung.SIM else RUNGS
