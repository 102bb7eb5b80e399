"""``python -m harness scaling`` and ``zone_loss``: two plans of one form."""

from __future__ import annotations

from dataclasses import dataclass

from harness.rehearsals.scaling.types import ScalingPlan
from harness.run.arguments import PartsOfPlan, Staged


@dataclass(frozen=True, kw_only=True)
class ScalingCommand(PartsOfPlan, Staged):
    """Pods scaled by hand, by manifest and by the HPA; a drain.

    And the document's kubectl commands, with the HPA on and off.
    """

    name = rehearsal = "scaling"
    example = "--only manual --only drain"

    def planned(self) -> ScalingPlan:
        return self.read(ScalingPlan)


@dataclass(frozen=True, kw_only=True)
class ZoneLossCommand(ScalingCommand):
    """A zone lost under load, as written and with a spread (kind).

    Every node of it is frozen, on a cluster of its own.
    """

    name = "zone_loss"
    example = "--on kind"
