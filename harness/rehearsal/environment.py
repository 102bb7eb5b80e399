"""Where runs are conducted: what gives a run its name, its stack, its load, and the reach to its stores."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from harness.base import machine
from harness.base.clock import Clock
from harness.checks.stores import Stores, StoresAt
from harness.load.plan import LoadPlan
from harness.load.process import LoadProcesses
from harness.load.protocol import Load
from harness.model.evidence import BUSY, STOLEN, WAITED
from harness.model.message import Tell, message
from harness.model.stack import Rung
from harness.rehearsal.lifecycle import Work, run_identity
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Rehearsal
from harness.stack.protocol import Stack, StackNeeds
from harness.stack.rungs import stack_for, sweep
from harness.stack.state.lease import remove_run_folder, run_folder

if TYPE_CHECKING:
    from harness.rehearsal.conduct import Conductor
    from harness.rehearsal.running import Running


class Environment:
    """This machine: the rung that the options name, the load as processes. A rehearsal asks it for nothing itself:
    ``conduct`` and ``Running`` do. ``capabilities`` are those of a run without a stack of its own, if known.
    """

    capabilities: Collection[str] | None = None

    def identity(self, clock: Clock, name: str, seed: int) -> str:
        """The id of a run that begins now, which no other run has: by the process that owns it."""
        return run_identity(clock, name, seed)

    async def sweep(self, say: Tell) -> None:
        """Removes what killed runs of any rung left, and says what; and what there is of others, which stays."""
        await sweep(lambda line: say(message("left by a killed run: {what}", what=line)), say)

    def child(self, on: Running[Any], rehearsal: Rehearsal[Any, Any], plan: Any, options: Options) -> Work:
        """A run of the sequence ``on``, not yet begun. Raises ``RehearsalError`` where none comes about."""
        from harness.rehearsal.conduct import Conductor

        return Conductor(rehearsal, plan, options, on.clock, on.progress, environment=self)

    def stack(self, run: Conductor[Any, Any], needs: StackNeeds) -> Stack:
        """The stack of a run, not yet up: the rung's own."""
        return stack_for(
            run.options, needs, run_id=run.run_id, folder=run.folder, clock=run.clock, progress=run.progress
        )

    def load(self, on: Running[Any], plan: LoadPlan, name: str) -> Load:
        """What carries out ``plan`` on the run's stack, not yet started: two processes, with their files in the run's
        folder of state. ``name`` tells several of a run apart."""
        return LoadProcesses(plan, run_folder(on.run_id) / name, on.clock, logs=on.folder / "logs" / name)

    def stores(self, on: Running[Any]) -> Stores:
        """The stores of the run's stack, which is up."""
        return StoresAt(on.stack.endpoints())

    def processors(self) -> dict[str, float]:
        """What this machine's kernel counts of how its processors are shared, by the names of ``machine_share``."""
        counted = {WAITED: machine.waited_s(), STOLEN: machine.stolen_s(), BUSY: machine.busy_s()}
        return {name: value for name, value in counted.items() if value is not None}

    def forget(self, run: Conductor[Any, Any]) -> None:
        """Removes what was kept for the run beside its report, its folder of state; idempotent."""
        remove_run_folder(run.run_id)


RUNGS = Environment()


def environment_of(rung: Rung) -> Environment:
    """Where the runs of a rung are conducted."""
    if rung is not Rung.SIM:
        return RUNGS
    from harness.rehearsal.simulated import Simulated  # FastAPI loads here

    return Simulated()
