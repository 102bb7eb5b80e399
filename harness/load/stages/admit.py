"""The load of steps (stages, knees, even arrivals) on a stack: its processes started, followed and ended."""

from __future__ import annotations

from harness.load.stages.plan import WorkerPlan
from harness.load.stages.process import StageProcesses
from harness.load.users import Host
from harness.stack.state.lease import run_folder
from harness.stack.state.ports import any_free_port


async def admit_steps(
    host: Host, *, seed: int, accounts: int, workers: int = 1, request_timeout_s: float
) -> StageProcesses:
    """Starts the load's processes with their accounts; they are stopped before the stack is taken down."""
    plan = WorkerPlan(
        run_id=host.run_id,
        seed=seed,
        accounts=accounts,
        worker=0,
        workers=workers,
        master_port=any_free_port(),
        endpoints=host.stack.endpoints(),
        anchor=host.clock.anchor,
        spool="",
        request_timeout_s=request_timeout_s,
    )
    load = StageProcesses(plan, run_folder(host.run_id), host.clock, logs=host.folder / "logs")

    async def stop() -> None:
        await load.stop()
        host.evidence.gather_last()

    host.at_end(stop)
    await load.start()
    host.evidence.follow(load.spools)
    return load
