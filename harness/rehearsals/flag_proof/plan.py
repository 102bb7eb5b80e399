"""Loads the plan of the flag's proof from YAML, strictly."""

from __future__ import annotations

from pathlib import Path

from harness.base import planfile
from harness.base.data import PLANS
from harness.rehearsals.flag_proof.types import FlagPlan

PATH = PLANS / "flag_proof.yaml"


def load(path: Path = PATH) -> FlagPlan:
    """The plan in ``path``. Raises ``BadInput`` naming the file, the line and the value."""
    return planfile.load(path, FlagPlan)
