"""The whole rollout in virtual time: its weeks in order, and resumed after one that held."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.model.rollout_run import Rollout
from harness.model.run import Run
from harness.model.verdict import Decision
from harness.options import RunOptions
from harness.progress import Progress
from harness.rollout import RealWeeks, RolloutRehearsal, new_rollout, resumable
from tests.sim import clock
from tests.sim.clock import VirtualClock
from tests.sim.week import options_of, table
from tests.sim.world import Planted, World

SEED = 3


class SimWeeks:
    """Each week in a world of its own, as each brings its own stack up and down; ``planted`` in the runs so numbered."""

    def __init__(self, time: VirtualClock, planted: Mapping[int, Planted]) -> None:
        self._time = time
        self._weeks = RealWeeks(time, Progress(time, io.StringIO()))
        self._planted = planted
        self._begun = 0

    async def run(self, options: RunOptions) -> Run:
        self._begun += 1
        world = World(self._time, options.seed, options.reports, self._planted.get(self._begun, Planted()))
        with world.in_place():
            return await self._weeks.run(options)

    def interrupt(self) -> None:
        self._weeks.interrupt()


def rehearsal(
    folder: Path, time: VirtualClock, weeks: tuple[int, ...], runner: SimWeeks, begun: Rollout | None = None
) -> RolloutRehearsal:
    options = {number: options_of(folder, table(number), seed=SEED) for number in weeks}
    rollout = begun or new_rollout(options[weeks[0]], weeks, (), "", time)
    progress = Progress(time, io.StringIO())
    return RolloutRehearsal(rollout, weeks=options, folder=folder, runner=runner, clock=time, progress=progress)


@pytest.mark.nightly
def test_all_four_weeks_advance_in_order(tmp_path: Path) -> None:
    async def whole() -> Rollout:
        time = VirtualClock(asyncio.get_running_loop())
        return await rehearsal(tmp_path / "rollout", time, (1, 2, 3, 4), SimWeeks(time, {})).run()

    (tmp_path / "rollout").mkdir()
    ended, virtual_s = clock.run(whole())
    assert (ended.decision, ended.exit_status, ended.next_week) == (Decision.ADVANCE, 0, None), ended.stopped
    assert [(each.week, each.attempt, each.decision) for each in ended.weeks] == [
        (week, 1, Decision.ADVANCE) for week in (1, 2, 3, 4)
    ]
    assert 330 + 120 + 120 + 330 < virtual_s < 960


@pytest.mark.nightly
def test_a_week_that_held_is_entered_again_and_the_next_follows(tmp_path: Path) -> None:
    async def whole() -> tuple[Rollout, Rollout]:
        time = VirtualClock(asyncio.get_running_loop())
        runner = SimWeeks(time, {1: Planted(puts_lost=7)})
        first = await rehearsal(tmp_path / "rollout", time, (2, 3), runner).run()
        return first, await rehearsal(tmp_path / "rollout", time, (2, 3), runner, resumable(first)).run()

    (tmp_path / "rollout").mkdir()
    (held, ended), _ = clock.run(whole())
    assert (held.decision, held.next_week, len(held.weeks)) == (Decision.HOLD, 2, 1), held.stopped
    assert (ended.decision, ended.next_week) == (Decision.ADVANCE, None), ended.stopped
    assert [(each.week, each.attempt, each.decision) for each in ended.weeks] == [
        (2, 1, Decision.HOLD),
        (2, 2, Decision.ADVANCE),
        (3, 1, Decision.ADVANCE),
    ]
