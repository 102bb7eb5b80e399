"""Loads the plan of a recovery rehearsal from YAML, strictly."""

from __future__ import annotations

from pathlib import Path

from harness.base import planfile
from harness.base.data import PLANS
from harness.rehearsals.dr_restore.types import RecoveryPlan

PATH = PLANS / "dr_restore.yaml"


def load(path: Path = PATH) -> RecoveryPlan:
    """The plan in ``path``. Raises ``BadInput`` naming the file, the line and the value."""
    return planfile.load(path, RecoveryPlan)
