"""``python -m harness secret_rotation``."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from harness.rehearsal.arguments import Parts, Staged
from harness.rehearsals.secret_rotation.plan import PLAN, load
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
        plan = load(self.plan or PLAN)
        return msgspec.structs.replace(plan, parts=self.chosen(plan.parts))
