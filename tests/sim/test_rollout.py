"""The whole rollout in virtual time: its weeks in order, and resumed after one that held."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest

from harness.base.clock import NS
from harness.base.progress import Progress
from harness.base.virtual import VirtualClock
from harness.model.judgement import Decision
from harness.model.result import Result
from harness.rehearsals.rollout.sequence import REHEARSAL, PlannedWeek, RolloutDetails, RolloutPlan
from harness.report.published import RESULT, RESULT_JSON
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal
from harness.run.runner import Environment, Runner
from harness.run.simulated import Simulated
from harness.stack.sim.world import PlantedFaults
from tests.rehearsal.again import judged_again
from tests.sim.week import options_of, table

SEED = 3
#: All four weeks by the machine's own clock, to their reports.
MOST_S = 60.0
SIMULATED = Simulated()


class PlantedWeeks(Simulated):
    """``planted`` in the first week that is entered, nothing in the others."""

    def __init__(self, planted: PlantedFaults) -> None:
        super().__init__()
        self._first = planted

    def child(
        self, on: RunContext[Any], rehearsal: Rehearsal[Any, Any], plan: Any, options: Options
    ) -> Runner[Any, Any]:
        environment, self._first = Simulated(self._first), PlantedFaults()
        return Runner(rehearsal, plan, options, on.clock, on.progress, environment=environment)


def rollout(
    folder: Path,
    weeks: tuple[int, ...],
    environment: Environment = SIMULATED,
    resumed: tuple[Path, RolloutDetails, Result] | None = None,
) -> Runner[RolloutPlan, RolloutDetails]:
    """The weeks run to their end, each process in a time of its own."""
    plan = RolloutPlan(weeks=tuple(PlannedWeek(week=week, scenario=table(week)) for week in weeks))
    time = VirtualClock()
    made = Runner(
        REHEARSAL,
        plan,
        options_of(folder, "rollout", seed=SEED),
        time,
        Progress(time, io.StringIO()),
        environment=environment,
        resumed=resumed,
    )
    time.run(made.run())
    return made


def result_of(run: Runner[RolloutPlan, RolloutDetails]) -> Result:
    return RESULT.read(run.folder / RESULT_JSON)


def attempts(result: Result) -> list[tuple[str, Decision | None]]:
    return [(each.part, each.decision) for each in result.children]


@pytest.mark.nightly
def test_all_four_weeks_advance_three_times_the_same(tmp_path: Path) -> None:
    """With one seed: the same verdicts and values, to the digit, and the same page of each week but for its name."""
    runs, took_s = [], []
    for number in range(3):
        began_s = time.monotonic()
        runs.append(rollout(tmp_path / str(number), (1, 2, 3, 4)))
        took_s.append(time.monotonic() - began_s)
    assert min(took_s) <= MOST_S, took_s  # what else the machine does only adds
    results = [result_of(run) for run in runs]
    for ended in results:
        assert (ended.decision, ended.exit_status) == (Decision.ADVANCE, 0), ended.facts.errors
        assert attempts(ended) == [(f"week{week}", Decision.ADVANCE) for week in (1, 2, 3, 4)]
        assert ended.judgements == results[0].judgements
    weeks = [[RESULT.read(run.folder / each.folder / RESULT_JSON) for each in result_of(run).children] for run in runs]
    for again in weeks[1:]:
        for one, other in zip(weeks[0], again, strict=True):
            assert one.judgements == other.judgements
            assert (one.sections, one.details) == (other.sections, other.details)
    virtual_s = (runs[0].clock.now_ns() - runs[0].clock.anchor.monotonic_ns) / NS
    assert 330 + 120 + 120 + 330 < virtual_s < 960
    judged_again(REHEARSAL, RolloutPlan, runs[0].folder)


@pytest.mark.nightly
def test_a_week_that_held_is_entered_again_and_the_next_follows(tmp_path: Path) -> None:
    environment = PlantedWeeks(PlantedFaults(puts_lost=7))
    first = rollout(tmp_path, (2, 3), environment)
    held = result_of(first)
    assert (held.decision, attempts(held)) == (Decision.HOLD, [("week2", Decision.HOLD)]), held.facts.errors
    goes_on = first.folder, first.details, held
    ended = result_of(rollout(tmp_path, (2, 3), environment, goes_on))
    assert ended.decision is Decision.ADVANCE, ended.facts.errors
    assert attempts(ended) == [("week2", Decision.HOLD), ("week2", Decision.ADVANCE), ("week3", Decision.ADVANCE)]
