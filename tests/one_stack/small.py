"""The weeks over one population, a tenth of the users and some minutes of virtual time."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from harness.base.progress import Progress
from harness.base.virtual import VirtualClock
from harness.evidence.store import stored
from harness.model.result import Result
from harness.rehearsals.one_stack.rehearsal import REHEARSAL
from harness.rehearsals.one_stack.types import OneStackPlan
from harness.run.rehearsal import RunRecord
from harness.run.result import details_of
from harness.run.runner import Runner
from harness.run.scenarios.load import parse
from harness.stack.sim.world import PlantedFaults
from tests.corpus.today import Left
from tests.sim.week import Named, options_of

#: Developers, beta users and general users on the API, week by week.
SHARES = ((5, 0, 0), (5, 10, 0), (5, 10, 10), (5, 10, 35))
TEXT = """\
title: "Week {week}"
population:
  pace: 5s
  fetch_interval: 5s
  audiences:
  - {{name: developers, users: 5, flag_on: {on[0]}}}
  - {{name: beta, users: 10, flag_on: {on[1]}}}
  - {{name: general, users: 35, flag_on: {on[2]}}}
window: {window}
probes: {{rate: 1/s, canary_users: 8}}
success: [error_ratio < 15%]
rollback: [error_ratio > 20%]
"""


def plan(window: str = "20s", **changes: Any) -> OneStackPlan:
    """All four weeks."""
    texts = {week: TEXT.format(week=week, on=on, window=window) for week, on in enumerate(SHARES, 1)}
    weeks = tuple(parse(text, "week.yaml", f"week{week}") for week, text in texts.items())
    return OneStackPlan(**{"weeks": weeks, "before_s": 20.0, **changes})


def ran(folder: Path, plan: OneStackPlan, planted: PlantedFaults | None = None) -> tuple[Result, Path]:
    """The result of a run below ``folder``, and the run's own folder."""
    options = options_of(folder, "rollout_one_stack", seed=1)
    time = VirtualClock()
    progress = Progress(time, io.StringIO())
    run = Runner(REHEARSAL, plan, options, time, progress, environment=Named(planted))
    return time.run(run.run()), run.folder


def left(folder: Path) -> Left:
    """What a healthy run left that the plan rolled back once, with too short windows to say much of the target."""
    asked = plan(window="5s", before_s=5.0, roll_back_after=3)
    result, run = ran(folder, asked)
    details = details_of(REHEARSAL, result)
    return Left("rollout_one_stack", asked, RunRecord(facts=result.facts, details=details, evidence=stored(run)))
