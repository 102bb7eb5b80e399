"""``python -m harness alert_drill``."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from harness.model.stack import Target
from harness.objectives.files import defined
from harness.rehearsal.arguments import OnLocal, WithTarget
from harness.rehearsal.command import option
from harness.rehearsals.alert_drill.types import PLAN, AlertDrillPlan
from harness.stack.targets import resolve

_MOST = 30.0


def _scale(text: str) -> float:
    if not 1 <= (scale := float(text)) <= _MOST:
        raise ValueError(f"{text} is not within 1..{_MOST:g}")
    return scale


@dataclass(frozen=True, kw_only=True)
class AlertDrill(WithTarget, OnLocal):
    """The four alerts on a real Prometheus and Alertmanager.

    Each breach is planted; each alert fires, stays quiet, resolves, and reaches Slack, mail and PagerDuty's stand-ins.
    """

    name = "alert_drill"
    example = "--scale 1"

    scale: float = option(
        "what the document's minutes are divided by; 1 takes 90 minutes", _scale, default=PLAN.scale, metavar="N"
    )

    def planned(self) -> AlertDrillPlan:
        return msgspec.structs.replace(PLAN, scale=self.scale, objectives=defined())

    def asked(self) -> Target:
        return resolve(self.target)
