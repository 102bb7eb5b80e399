"""Loads the plan of the scaling rehearsal from YAML, strictly."""

from __future__ import annotations

from pathlib import Path

from harness.base import planfile
from harness.base.data import PLANS
from harness.rehearsals.scaling.types import ScalingPlan

PLAN = PLANS / "scaling.yaml"
ZONE_LOSS = PLAN.with_name("zone_loss.yaml")


def load(path: Path = PLAN) -> ScalingPlan:
    """The plan in ``path``. Raises ``BadInput`` naming the file, the line and the value."""
    return planfile.load(path, ScalingPlan)
