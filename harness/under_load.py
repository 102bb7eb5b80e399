"""A stack under the scenario's users and probes, with their evidence gathered: what several commands run on."""

from __future__ import annotations

from pathlib import Path

from harness.clock import NS, Clock
from harness.collect import Collector
from harness.judge.window import Window
from harness.load.plan import LoadPlan
from harness.load.process import LoadProcesses
from harness.model.due import Due, DueList
from harness.model.flag import FLAG
from harness.model.message import message
from harness.model.rollout import off_template, rollout_template
from harness.options import RunOptions
from harness.population.due import due_list, probes_due
from harness.progress import Progress
from harness.stack.protocol import Stack
from harness.state.lease import run_folder

GATHER_EVERY_S = 0.25
ADMISSION_LIMIT_S = 240.0  # of a machine that many share; a quiet one takes 5
LEAD_S = 1.0


class UnderLoad:
    """One run's. ``gather`` and ``watch`` are to run beside the flow; ``stop`` ends the load."""

    def __init__(
        self, stack: Stack, evidence: Collector, clock: Clock, progress: Progress,
        *, options: RunOptions, run_id: str, logs: Path,
    ) -> None:  # fmt: skip
        self._stack = stack
        self._evidence = evidence
        self._clock = clock
        self._progress = progress
        self._options = options
        self._run_id = run_id
        self._logs = logs
        self._load: LoadProcesses | None = None
        self._origin_ns: int | None = None

    async def admit(self) -> None:
        """Every account made, signed in, its flag fetched; then users and probes begin."""
        scenario = self._options.scenario
        population = scenario.population
        self._progress(f"signing in {population.users} simulated users, {population.flag_on} of them on the API")
        plan = LoadPlan(
            run_id=self._run_id,
            seed=self._options.seed,
            population=population,
            probes=scenario.probes,
            endpoints=self._stack.endpoints(),
            anchor=self._clock.anchor,
            spool="",
            request_timeout_s=scenario.request_timeout_s,
            admission_limit_s=ADMISSION_LIMIT_S,
        )
        self._load = load = LoadProcesses(plan, run_folder(self._run_id), self._clock, logs=self._logs)
        await load.start()
        self._evidence.follow(load.spools)
        await load.admitted(ADMISSION_LIMIT_S)
        self._origin_ns = self._clock.now_ns() + round(LEAD_S * NS)
        await load.go(self._origin_ns)

    def probes_due(self, window: Window) -> tuple[Due, ...]:
        """The probes that the plan has in ``window``; none before the load has begun."""
        if self._origin_ns is None:
            return ()
        return probes_due(
            self._options.scenario.probes, self._options.seed, self._origin_ns, window.start_ns, window.end_ns
        )

    async def answered(self, window: Window) -> DueList:
        """What the plan has in ``window``, which is over, once all of it is in evidence or its time to answer has
        passed: what is then not there will never be.
        """
        scenario = self._options.scenario
        if self._origin_ns is None:
            return DueList(requests=(), probes=())
        start_ns, seed = max(window.start_ns, self._origin_ns), self._options.seed
        due = due_list(scenario, seed, start_ns, window.end_ns, origin_ns=self._origin_ns)
        self._evidence.gather()
        awaited = [each for each in (*due.requests, *due.probes) if each.id not in self._evidence.ledger.calls]
        self._evidence.expect(awaited)
        await self._evidence.last_answers(window.end_ns, scenario.request_timeout_s + 1)
        self._evidence.awaited -= {each.id for each in awaited}
        return due

    async def set_flag(self, on: bool) -> int:
        """Publishes it for the scenario's audiences, or off; the version."""
        at_ns = self._clock.now_ns()  # before the publish: no client can have seen it earlier
        population = self._options.scenario.population
        version = await self._stack.set_flag(rollout_template(population) if on else off_template())
        users = population.flag_on if on else 0
        said = message("published version {version}", version=str(version))
        self._evidence.event(at_ns, "flag", FLAG, said, version=version, on=users)
        return version

    async def gather(self) -> None:
        """For ever; raises when a part of the load dies."""
        while True:
            self._evidence.gather()
            if self._load is not None:
                self._load.check()
            await self._clock.sleep(GATHER_EVERY_S)

    async def watch(self) -> None:
        """The stack's own rows, until it is down; raises when a part of it dies."""
        async for row in self._stack.watch():
            self._evidence.add([row])

    async def stop(self) -> None:
        """Requests under way finish or time out; the last answers are gathered."""
        if self._load is not None:
            await self._load.stop()
            self._evidence.gather_last()
