"""A week's whole run in virtual time, by the flow of ``harness.run``."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import msgspec

from harness.evidence.store import read_rows
from harness.model.evidence import Row
from harness.model.run import Run
from harness.model.stack import Fault, Rung
from harness.options import RunOptions
from harness.progress import Progress
from harness.run import Rehearsal
from harness.rungs import overlay
from harness.targets import bundled
from scenarios.load import load
from tests.sim import clock
from tests.sim.clock import VirtualClock
from tests.sim.world import Planted, World


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """How it went: the run's document, the evidence as it was gathered, what was printed, the seconds it lasted."""

    run: Run
    rows: tuple[Row, ...]
    printed: str
    virtual_s: float

    @property
    def verdicts(self) -> dict[str, str]:
        """Of every criterion and check, by id."""
        return {each.id: str(each.verdict) for each in (*self.run.criteria, *self.run.checks)}

    @property
    def why(self) -> str:
        """For a test that fails."""
        lines = [f"{each.id}: {each.verdict}; {each.reason}" for each in (*self.run.criteria, *self.run.checks)]
        return "\n".join((str(self.run.decision), *lines, *self.run.errors))


def week(
    folder: Path,
    number: int,
    *,
    seed: int = 1,
    planted: Planted = Planted(),  # noqa: B008 - frozen
    faults: tuple[Fault, ...] = (),
    fetch_interval_s: float | None = None,
) -> Week:
    """Runs week ``number`` of the rollout table below ``folder``, which is new."""
    scenario = load(f"rollout_week{number}")
    if fetch_interval_s is not None:
        population = msgspec.structs.replace(scenario.population, fetch_interval_s=fetch_interval_s)
        scenario = msgspec.structs.replace(scenario, population=population)
    options = RunOptions(
        scenario=scenario,
        scenario_name=scenario.name,
        rung=Rung.SIM,
        rung_reason="as asked",
        target=bundled(),
        seed=seed,
        reports=folder,
        manifests=overlay(Rung.LOCAL),
        faults=faults,
    )
    printed = io.StringIO()

    async def whole() -> Run:
        time = VirtualClock(asyncio.get_running_loop())
        with World(time, seed, folder, planted).in_place():
            return await Rehearsal(options, time, Progress(time, printed), time.now_ns()).run()

    run, virtual_s = clock.run(whole())
    rows = tuple(read_rows(folder / run.run_id / "evidence.sqlite", appended=True))
    return Week(run=run, rows=rows, printed=printed.getvalue(), virtual_s=virtual_s)
