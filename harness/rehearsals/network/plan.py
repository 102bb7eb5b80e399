"""Loads the plan of the network rehearsal from YAML, strictly."""

from __future__ import annotations

from pathlib import Path

from harness.base import planfile
from harness.base.data import PLANS
from harness.rehearsals.network.types import NetworkPlan

PLAN = PLANS / "network.yaml"


def load(path: Path = PLAN) -> NetworkPlan:
    """The plan in ``path``. Raises ``BadInput`` naming the file, the line and the value."""
    return planfile.load(path, NetworkPlan)
