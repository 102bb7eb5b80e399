"""Loads the plan of the rehearsal of secrets from YAML, strictly."""

from __future__ import annotations

from pathlib import Path

from harness.base import planfile
from harness.base.data import PLANS
from harness.rehearsals.secret_rotation.types import RotationPlan

PLAN = PLANS / "secret_rotation.yaml"


def load(path: Path = PLAN) -> RotationPlan:
    """The plan in ``path``. Raises ``BadInput`` naming the file, the line and the value."""
    return planfile.load(path, RotationPlan)
