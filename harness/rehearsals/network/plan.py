"""Loads the plan of the network rehearsal from YAML, strictly."""

from __future__ import annotations

from pathlib import Path

from harness.base import planfile
from harness.rehearsals.network.types import NetworkPlan
from scenarios import claims

PLAN = Path(claims.__file__).parent / "plans" / "network.yaml"


def load(path: Path = PLAN) -> NetworkPlan:
    """The plan in ``path``. Raises ``BadInput`` naming the file, the line and the value."""
    return planfile.load(path, NetworkPlan)
