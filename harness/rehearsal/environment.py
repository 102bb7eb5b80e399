"""Where runs are conducted, as a port: what gives a run its name, its stack, its load, and the reach to its stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from harness.base.clock import Clock
from harness.checks.stores import Stores, StoresAt
from harness.load.plan import LoadPlan
from harness.load.process import LoadProcesses
from harness.load.protocol import Load
from harness.model.stack import Rung
from harness.rehearsal.lifecycle import run_identity
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Needs
from harness.stack.protocol import Stack, StackNeeds
from harness.stack.rungs import stack_for, sweep
from harness.stack.state.lease import remove_run_folder, run_folder

if TYPE_CHECKING:
    from harness.rehearsal.conduct import Conductor
    from harness.rehearsal.running import Running


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
            run.options, needs, run_id=run.run_id, folder=run.folder, clock=run.clock, progress=run.progress
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


def environment_of(rung: Rung) -> Environment:
    """Where the runs of a rung are conducted."""
    if rung is not Rung.SIM:
        return RUNGS
    from harness.rehearsal.simulated import Simulated  # FastAPI loads here

    return Simulated()
