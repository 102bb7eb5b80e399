"""``python -m harness alert_drill``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.base.errors import BadInput
from harness.objectives.files import defined
from harness.rehearsal.arguments import TargetOnLocal
from harness.rehearsal.command import given_unread, option
from harness.rehearsals.alert_drill.theirs.asked_for import with_theirs
from harness.rehearsals.alert_drill.types import PLAN, AlertDrillPlan

_MOST = 30.0


def _scale(text: str) -> float:
    if not 1 <= (scale := float(text)) <= _MOST:
        raise ValueError(f"{text} is not within 1..{_MOST:g}")
    return scale


@dataclass(frozen=True, kw_only=True)
class AlertDrill(TargetOnLocal):
    """The four alerts on a real Prometheus and Alertmanager.

    Each breach is planted; each alert fires, stays quiet, resolves, and reaches Slack, mail and PagerDuty's stand-ins.
    With --alerts a team's own are asked about the same evidence.
    """

    name = "alert_drill"
    example = "--scale 1"

    scale: float = option(
        "what the document's minutes are divided by; 1 takes 90 minutes", _scale, default=PLAN.scale, metavar="N"
    )
    alerts: Path | None = option(
        "a folder of your own Prometheus rules or Cloud Monitoring policies: what each does, and what is wrong with it",
        Path,
        metavar="DIR",
    )
    of: str | None = option(
        "with --alerts: drill nothing, and ask about the evidence of this stored run (its folder, or its name below "
        "the reports folder)",
        metavar="RUN",
    )

    def unread(self) -> tuple[str, ...]:
        """How fast it is drilled, where nothing is."""
        return () if self.of is None else ("scale",)

    def planned(self) -> AlertDrillPlan:
        if given_unread(self):
            raise BadInput("--of drills nothing, and --scale is how fast it is drilled", remedy="leave one of them out")
        plan = msgspec.structs.replace(PLAN, scale=self.scale, objectives=defined())
        return with_theirs(plan, self.alerts, self.of, self.reports)
