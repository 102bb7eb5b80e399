"""A week that was killed before it reported: what it left says whether it was rolled back."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from harness.base.errors import BadInput, Exit
from harness.model.verdict import Decision
from harness.rehearsals.rollout.resuming import with_killed
from harness.rehearsals.rollout.weeks import PlannedWeek, RolloutDetails, RolloutPlan, resumable
from harness.report.published import RESULT, RESULT_JSON
from harness.stack.sim.world import Planted
from tests.sim.week import Week, few, table, week

SCENARIO = few(table(2), window_s=120)
PLAN = RolloutPlan(weeks=(PlannedWeek(week=2, scenario=SCENARIO),))
FAILING = Planted(errors=Fraction(1, 10))


def killed(seen: Week) -> RolloutDetails:
    """The week's own folder as it was before its report; ``seen`` was it."""
    run = RESULT.read(seen.folder / RESULT_JSON)
    before = msgspec.structs.replace(run, decision=None, exit_status=None, judgements=(), sections=(), children=())
    RESULT.write(seen.folder, before)
    return with_killed(RolloutDetails(rollout="r"), PLAN, seen.folder.parent)


def test_a_killed_week_is_an_attempt_that_broke(tmp_path: Path) -> None:
    details = killed(week(tmp_path, SCENARIO))
    (attempt,) = details.attempts
    assert (attempt.week, attempt.attempt, attempt.decision) == (2, 1, None)
    assert attempt.exit_status == Exit.RUN_BROKEN and attempt.judgements
    resumable(PLAN, details)


def test_a_killed_week_whose_evidence_rolls_back_was_rolled_back(tmp_path: Path) -> None:
    seen = week(tmp_path, SCENARIO, planted=FAILING)
    assert seen.run.decision is Decision.ROLL_BACK
    details = killed(seen)
    (attempt,) = details.attempts
    assert (attempt.decision, attempt.exit_status) == (Decision.ROLL_BACK, Exit.ROLLED_BACK)
    with pytest.raises(BadInput, match="was rolled back in week 2"):
        resumable(PLAN, details)


def test_of_a_killed_week_whose_evidence_is_broken_nothing_is_known_but_that_it_was(tmp_path: Path) -> None:
    seen = week(tmp_path, SCENARIO, planted=FAILING)
    (seen.folder / "evidence.sqlite").write_bytes(b"torn")
    (attempt,) = killed(seen).attempts
    assert (attempt.decision, attempt.exit_status) == (None, Exit.RUN_BROKEN)
    assert "what it left cannot be judged" in str(attempt.errors[-1])
