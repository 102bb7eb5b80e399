"""``python -m harness alert_drill``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.base.errors import BadInput
from harness.model.message import message
from harness.model.stack import RUNGS, Rung
from harness.objectives.files import defined
from harness.rehearsal.arguments import Staged
from harness.rehearsal.command import flag, given_unread, option, within
from harness.rehearsals.alert_drill.scaled import drilled
from harness.rehearsals.alert_drill.theirs.asked_for import with_theirs
from harness.rehearsals.alert_drill.types import PLAN, AlertDrillPlan


@dataclass(frozen=True, kw_only=True)
class AlertDrill(Staged):
    """The four alerts on a real Prometheus and Alertmanager.

    Each breach is planted; each alert fires, stays quiet, resolves, and reaches Slack, mail and PagerDuty's stand-ins.
    With --alerts a team's own are asked about the same evidence.
    """

    name = "alert_drill"
    example = "--scale 1"

    on: str = option("the environment to run in", choices=RUNGS, default=Rung.LOCAL.value)
    scale: float = option(
        "what the document's minutes are divided by; 1 takes 90 minutes",
        within(1, 30, float),
        default=PLAN.scale,
        metavar="N",
        less=lambda scale: bool(scale > 1),
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
        """Where and how fast it is drilled, where nothing is."""
        return super().unread() if self.of is None else ("scale", "on", "service_port", "signals_at_once")

    def planned(self) -> AlertDrillPlan:
        if self.of is not None and (typed := given_unread(self)):
            told = message("--of drills nothing, and {option} is of a drill", option=flag(typed[0]))
            raise BadInput(told, remedy="leave one of them out")
        plan = msgspec.structs.replace(drilled(self.scale), objectives=defined())
        return with_theirs(plan, self.alerts, self.of, self.reports)
