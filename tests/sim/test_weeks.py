"""Weeks 1 to 4 of the rollout table, whole, in virtual time."""

from __future__ import annotations

from pathlib import Path

from harness.model.errors import Exit
from harness.model.verdict import Decision
from tests.sim.week import week


def test_a_healthy_week_advances(tmp_path: Path) -> None:
    seen = week(tmp_path, 3)
    assert (seen.run.decision, seen.run.exit_status) == (Decision.ADVANCE, Exit.OK), seen.why
    assert seen.run.errors == ()
