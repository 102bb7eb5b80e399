"""``python -m harness scaling`` and ``zone_loss``: two plans of one form."""

from __future__ import annotations

from dataclasses import dataclass

from harness.rehearsal.arguments import Parts, Staged
from harness.rehearsals.scaling.types import ScalingPlan


@dataclass(frozen=True, kw_only=True)
class Scaling(Parts, Staged):
    """Pods scaled by hand, by manifest and by the HPA; a drain.

    And the document's kubectl commands, with the HPA on and off.
    """

    name = rehearsal = "scaling"
    example = "--only manual --only drain"

    def planned(self) -> ScalingPlan:
        return self.read(ScalingPlan)


@dataclass(frozen=True, kw_only=True)
class ZoneLoss(Scaling):
    """A zone lost under load, as written and with a spread (kind).

    Every node of it is frozen, on a cluster of its own.
    """

    name = "zone_loss"
    example = "--on kind"
