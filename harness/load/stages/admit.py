"""The users that make steps (stages, knees, even arrivals) on a stack: signed in, followed and ended as ``Users``."""

from __future__ import annotations

from harness.load.stages.plan import WorkerPlan
from harness.load.stages.process import StageProcesses
from harness.load.users import LoadHost
from harness.model.message import message
from harness.stack.state.lease import run_folder


class StepUsers:
    """``accounts`` users on the API, shared by ``workers`` processes."""

    def __init__(
        self, host: LoadHost, *, seed: int, accounts: int, workers: int = 1, request_timeout_s: float = 10.0
    ) -> None:
        self._host = host
        self._seed = seed
        self.accounts = accounts
        self._workers = workers
        self._request_timeout_s = request_timeout_s
        self._load: StageProcesses | None = None

    async def load(self) -> StageProcesses:
        """The load, with everybody signed in: the first call starts it. From then on a part of it that dies ends the
        run; it is stopped before the stack is taken down."""
        if self._load is None:
            host = self._host
            host.say(message("signing in {users} simulated users", users=str(self.accounts)))
            plan = WorkerPlan(
                run_id=host.run_id,
                seed=self._seed,
                accounts=self.accounts,
                workers=self._workers,
                endpoints=host.stack.endpoints(),
                anchor=host.clock.anchor,
                request_timeout_s=self._request_timeout_s,
            )
            folder, logs = run_folder(host.run_id), host.folder / "logs"
            self._load = StageProcesses(plan, folder, host.clock, logs=logs)
            self._load.pods = host.load_pods
            host.add_finalizer(self._stop)
            await self._load.start()
            host.evidence.follow(self._load.spools)
            host.run_in_background(self._load.watch())
        return self._load

    async def _stop(self) -> None:
        if self._load is not None:
            await self._load.stop()
            self._host.evidence.gather(last=True)
