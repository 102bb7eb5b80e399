"""``python -m harness flag_proof``."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from harness.rehearsals.flag_proof.types import FlagPlan
from harness.run.arguments import OwnPlan, TargetOnLocal
from harness.run.command import option


@dataclass(frozen=True, kw_only=True)
class FlagProofCommand(OwnPlan, TargetOnLocal):
    """How the flag switches clients, and that no walk is lost.

    How long every client takes to change sides, for several fetch intervals, in virtual time and on real phones.
    """

    name = "flag_proof"
    example = "--virtual-only"

    virtual_only: bool = option("only what needs no stack: seconds, not minutes", default=False, own=bool)

    def planned(self) -> FlagPlan:
        return msgspec.structs.replace(self.read(FlagPlan), virtual_only=self.virtual_only)
