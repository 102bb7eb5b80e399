"""Loads the plan of the load stages from YAML, strictly."""

from __future__ import annotations

from pathlib import Path

from harness.base import planfile
from harness.base.data import PLANS
from harness.rehearsals.load_stages.types import LoadStagesPlan

PLAN = PLANS / "load_stages.yaml"


def load(path: Path = PLAN) -> LoadStagesPlan:
    """The plan in ``path``. Raises ``BadInput`` naming the file, the line and the value."""
    return planfile.load(path, LoadStagesPlan)
