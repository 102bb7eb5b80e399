"""``python -m harness scaling`` and ``zone_loss``: two plans of one form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec

from harness.rehearsal.arguments import Parts, Staged
from harness.rehearsals.scaling.plan import PLAN, ZONE_LOSS, load
from harness.rehearsals.scaling.types import ScalingPlan


@dataclass(frozen=True, kw_only=True)
class Scaling(Parts, Staged):
    """Scaling by hand, by manifest and by the HPA, a drain, and the document's commands."""

    name = rehearsal = "scaling"
    example = "--only manual --only drain"
    bundled: ClassVar[Path] = PLAN

    def planned(self) -> ScalingPlan:
        plan = load(self.plan or self.bundled)
        return msgspec.structs.replace(plan, parts=self.chosen(plan.parts))


@dataclass(frozen=True, kw_only=True)
class ZoneLoss(Scaling):
    """A zone lost under load, with the manifests as written, then with topology spread (environment kind)."""

    name = "zone_loss"
    example = "--on kind"
    bundled = ZONE_LOSS
