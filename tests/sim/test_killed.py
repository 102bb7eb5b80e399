"""A week that was killed before it reported: what it left says whether it was rolled back."""

from __future__ import annotations

import contextlib
import sqlite3
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from harness.base.errors import BadInput, Exit
from harness.evidence.store import EVIDENCE
from harness.model.judgement import Decision
from harness.rehearsals.rollout.sequence import (
    PlannedWeek,
    RolloutDetails,
    RolloutPlan,
    WeekAttempt,
    resumable,
    with_killed,
)
from harness.rehearsals.rollout.week import REHEARSAL as WEEK
from harness.report.published import RESULT, RESULT_JSON
from harness.stack.sim.world import PlantedFaults
from tests.sim.week import Week, few, table, week

pytestmark = pytest.mark.sim
SCENARIO = few(table(2), window_s=120)
PLAN = RolloutPlan(weeks=(PlannedWeek(week=2, scenario=SCENARIO),))
FAILING = PlantedFaults(errors=Fraction(1, 10))


def killed(seen: Week) -> None:
    """The week's own folder as it was in the middle of its window: its result as it began, the decision not yet told,
    and nothing behind it; ``seen`` was it."""
    run = RESULT.read(seen.folder / RESULT_JSON)
    begun = msgspec.structs.replace(
        run, decision=None, exit_status=None, judgements=(), sections=(), details=msgspec.to_builtins(WEEK.details())
    )
    RESULT.write(seen.folder, begun)
    with contextlib.closing(sqlite3.connect(seen.folder / EVIDENCE)) as rows:
        ((told_ns,),) = rows.execute("SELECT at_ns FROM events WHERE kind = 'decision'")
        for table, at in (("events", "at_ns"), ("requests", "done_ns"), ("probes", "done_ns")):
            rows.execute(f"DELETE FROM {table} WHERE {at} >= ?", (told_ns,))
        rows.execute("DELETE FROM meta WHERE key = 'rows'")
        rows.commit()


def heard(seen: Week) -> tuple[RolloutDetails, WeekAttempt]:
    """By the rollout in whose folder the week is."""
    details = with_killed(RolloutDetails(rollout="r"), PLAN, seen.folder.parent)
    (attempt,) = details.attempts
    return details, attempt


def test_a_killed_week_is_an_attempt_that_broke(tmp_path: Path) -> None:
    seen = week(tmp_path, SCENARIO)
    killed(seen)
    details, attempt = heard(seen)
    assert (attempt.week, attempt.attempt, attempt.decision) == (2, 1, None)
    assert attempt.exit_status == Exit.RUN_BROKEN and attempt.judgements
    resumable(PLAN, details)


def test_a_killed_week_whose_evidence_rolls_back_was_rolled_back(tmp_path: Path) -> None:
    seen = week(tmp_path, SCENARIO, planted=FAILING)
    assert seen.run.decision is Decision.ROLL_BACK
    killed(seen)
    details, attempt = heard(seen)
    assert (attempt.decision, attempt.exit_status) == (Decision.ROLL_BACK, Exit.ROLLED_BACK)
    with pytest.raises(BadInput, match="was rolled back in week 2"):
        resumable(PLAN, details)


def test_of_a_killed_week_whose_evidence_is_broken_nothing_is_known_but_that_it_was(tmp_path: Path) -> None:
    seen = week(tmp_path, SCENARIO, planted=FAILING)
    killed(seen)
    (seen.folder / EVIDENCE).write_bytes(b"torn")
    _, attempt = heard(seen)
    assert (attempt.decision, attempt.exit_status) == (None, Exit.RUN_BROKEN)
    assert "what it left cannot be judged" in str(attempt.errors[-1])
