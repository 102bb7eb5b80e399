"""``python -m harness secret_rotation``."""

from __future__ import annotations

from dataclasses import dataclass

from harness.rehearsal.arguments import Parts, Staged
from harness.rehearsals.secret_rotation.types import RotationPlan


@dataclass(frozen=True, kw_only=True)
class SecretRotation(Parts, Staged):
    """Secret Manager by CSI, a password rotated (kind).

    The volume as written, as corrected; the database password in place, and by two roles in turn.
    """

    name = "secret_rotation"
    example = "--on kind --only two_roles"
    component = "-secret-manager"

    def planned(self) -> RotationPlan:
        return self.read(RotationPlan)
