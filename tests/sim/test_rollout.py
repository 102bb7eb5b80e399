"""The whole rollout in virtual time: its weeks in order, and resumed after one that held."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.base.clock import Clock
from harness.base.progress import Progress
from harness.model.result import Result
from harness.model.scenario import Scenario
from harness.model.verdict import Decision
from harness.rehearsal.conduct import Conductor
from harness.rehearsal.options import Options
from harness.rehearsals.rollout.details import WeekDetails
from harness.rehearsals.rollout.sequence import Rollout
from harness.rehearsals.rollout.week import REHEARSAL as WEEK
from harness.rehearsals.rollout.weeks import PlannedWeek, RolloutDetails, RolloutPlan
from tests.rehearsal.again import judged_again
from tests.sim import clock
from tests.sim.clock import VirtualClock
from tests.sim.week import options_of, table
from tests.sim.world import Planted, World

SEED = 3


class InAWorld:
    """A week in a world of its own, as each brings its own stack up and down."""

    def __init__(self, world: World, conductor: Conductor[Scenario, WeekDetails]) -> None:
        self._world = world
        self._conductor = conductor

    async def run(self) -> Result:
        with self._world.in_place():
            return await self._conductor.run()

    def interrupt(self) -> None:
        self._conductor.interrupt()


class SimWeeks:
    """``planted`` in the runs so numbered."""

    def __init__(self, time: VirtualClock, planted: Mapping[int, Planted]) -> None:
        self._time = time
        self._planted = planted
        self._begun = 0

    def __call__(self, plan: Scenario, options: Options, clock: Clock, progress: Progress) -> InAWorld:
        self._begun += 1
        world = World(self._time, options.seed, options.reports, self._planted.get(self._begun, Planted()))
        made = Conductor(WEEK, plan, options, clock, progress, environment=world)
        return InAWorld(world, made)


def conductor(
    folder: Path,
    time: VirtualClock,
    weeks: tuple[int, ...],
    runner: SimWeeks,
    resumed: tuple[Path, RolloutDetails] | None = None,
) -> Conductor[RolloutPlan, RolloutDetails]:
    plan = RolloutPlan(weeks=tuple(PlannedWeek(week=week, scenario=table(week)) for week in weeks))
    world = World(time, SEED, folder, Planted())
    return Conductor(
        Rollout(runner),
        plan,
        options_of(folder, "rollout", seed=SEED),
        time,
        Progress(time, io.StringIO()),
        environment=world,
        resumed=resumed,
    )


def attempts(result: Result) -> list[tuple[str, Decision | None]]:
    return [(each.part, each.decision) for each in result.children]


@pytest.mark.nightly
def test_all_four_weeks_advance_in_order(tmp_path: Path) -> None:
    async def whole() -> tuple[Result, Path]:
        time = VirtualClock(asyncio.get_running_loop())
        made = conductor(tmp_path, time, (1, 2, 3, 4), SimWeeks(time, {}))
        return await made.run(), made.folder

    (ended, folder), virtual_s = clock.run(whole())
    assert (ended.decision, ended.exit_status) == (Decision.ADVANCE, 0), ended.facts.errors
    assert attempts(ended) == [(f"week{week}", Decision.ADVANCE) for week in (1, 2, 3, 4)]
    assert 330 + 120 + 120 + 330 < virtual_s < 960
    judged_again(Rollout(SimWeeks.__call__), RolloutPlan, folder)  # type: ignore[arg-type]  # it makes no week


@pytest.mark.nightly
def test_a_week_that_held_is_entered_again_and_the_next_follows(tmp_path: Path) -> None:
    async def whole() -> tuple[Result, Result]:
        time = VirtualClock(asyncio.get_running_loop())
        runner = SimWeeks(time, {1: Planted(puts_lost=7)})
        first = conductor(tmp_path, time, (2, 3), runner)
        held = await first.run()
        again = conductor(tmp_path, time, (2, 3), runner, (first.folder, first.details))
        return held, await again.run()

    (held, ended), _ = clock.run(whole())
    assert (held.decision, attempts(held)) == (Decision.HOLD, [("week2", Decision.HOLD)]), held.facts.errors
    assert ended.decision is Decision.ADVANCE, ended.facts.errors
    assert attempts(ended) == [("week2", Decision.HOLD), ("week2", Decision.ADVANCE), ("week3", Decision.ADVANCE)]
