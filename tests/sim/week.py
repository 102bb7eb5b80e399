"""A week's whole run in virtual time, by the flow of ``harness.run``."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import msgspec

from harness.evidence.store import read_rows
from harness.model.evidence import Row
from harness.model.run import Run
from harness.model.scenario import Scenario
from harness.model.stack import Fault, Rung
from harness.model.verdict import CheckResult, CriterionResult
from harness.options import RunOptions
from harness.progress import Progress
from harness.run import Rehearsal
from harness.rungs import overlay
from harness.targets import bundled
from scenarios.load import load
from tests.sim import clock
from tests.sim.clock import VirtualClock
from tests.sim.world import Planted, World


def table(number: int) -> Scenario:
    """Week ``number`` of the document's rollout table, its own windows, users and pace."""
    return load(f"rollout_week{number}")


def cut(scenario: Scenario, *, window_s: float | None = None, **population: Any) -> Scenario:
    """A smaller one, for what needs no more: without the users who keep the flag off, and changed as told."""
    plan = scenario.population
    on = tuple(
        msgspec.structs.replace(each, users=each.flag_on, flag_on=each.flag_on)
        for each in plan.audiences
        if each.flag_on
    )
    plan = msgspec.structs.replace(plan, audiences=on, **population)
    return msgspec.structs.replace(scenario, population=plan, window_s=window_s or scenario.window_s)


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """How it went: the run's document, the evidence as it was gathered, what was printed, the seconds it lasted."""

    run: Run
    rows: tuple[Row, ...]
    printed: str
    virtual_s: float

    @property
    def told(self) -> dict[str, CriterionResult | CheckResult]:
        """Every criterion and check, by id."""
        return {each.id: each for each in self.run.criteria} | {each.id: each for each in self.run.checks}

    @property
    def why(self) -> str:
        """For a test that fails."""
        lines = [f"{each.id}: {each.verdict}; {each.reason}" for each in self.told.values()]
        return "\n".join((str(self.run.decision), *lines, *self.run.errors))

    def bytes(self) -> bytes:
        """Everything that is to repeat: the evidence as it was gathered, and the document."""
        return b"\n".join(msgspec.json.encode(each) for each in (*self.rows, self.run))


def options_of(folder: Path, scenario: Scenario, *, seed: int, faults: tuple[Fault, ...] = ()) -> RunOptions:
    """What ``--on sim`` would resolve to, with reports in ``folder``."""
    return RunOptions(
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


def week(
    folder: Path,
    scenario: Scenario,
    *,
    seed: int = 1,
    planted: Planted = Planted(),  # noqa: B008 - frozen
    faults: tuple[Fault, ...] = (),
) -> Week:
    """Runs ``scenario`` below ``folder``, which is new."""
    options = options_of(folder, scenario, seed=seed, faults=faults)
    printed = io.StringIO()

    async def whole() -> Run:
        time = VirtualClock(asyncio.get_running_loop())
        with World(time, seed, folder, planted).in_place():
            return await Rehearsal(options, time, Progress(time, printed), time.now_ns()).run()

    run, virtual_s = clock.run(whole())
    rows = tuple(read_rows(folder / run.run_id / "evidence.sqlite", appended=True))
    return Week(run=run, rows=rows, printed=printed.getvalue(), virtual_s=virtual_s)
