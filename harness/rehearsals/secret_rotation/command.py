"""``python -m harness secret_rotation``."""

from __future__ import annotations

from dataclasses import dataclass

from harness.rehearsals.secret_rotation.types import RotationPlan
from harness.run.arguments import PartsOfPlan, Staged


@dataclass(frozen=True, kw_only=True)
class SecretRotationCommand(PartsOfPlan, Staged):
    """Secret Manager by CSI, a password rotated (kind).

    The volume as written, as corrected; the database password in place, and by two roles in turn.
    """

    name = "secret_rotation"
    example = "--on kind --only two_roles"
    component = "-secret-manager"

    def planned(self) -> RotationPlan:
        return self.read(RotationPlan)
