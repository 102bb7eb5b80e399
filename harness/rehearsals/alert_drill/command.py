"""``python -m harness alert_drill``.

The drill's plan by the length of its minutes. Pure.

A database whose statements take 0.4 s is a fault as users meet it, and in short minutes only their latency knows of it.
In the document's own it lasts for 13: what waits for connections is refused by thousands at its end (429) where users
ask for more than the pods can do, and where they ask for less, readiness (one statement, within 0.8 s) fails by chance,
so that availability knows of a trial that is the latency's alone. There the answers are late in front of the pods.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.base.errors import BadInput
from harness.model.message import message
from harness.model.stack import RUNGS, EnvironmentKind, Fault, FaultKind
from harness.rehearsals.alert_drill.types import PLAN, AlertDrillPlan, Breach
from harness.rules.objectives.files import defined
from harness.run.arguments import Staged
from harness.run.command import flag, given_unread, option, within

#: The minutes of a drill that is divided by no more are long.
LONG = 4.0
_LATE = Fault(kind=FaultKind.LATENCY, delay_ms=700.0)


def drilled(scale: float) -> AlertDrillPlan:
    """The plan of a drill whose minutes are divided by ``scale``."""
    plan = msgspec.structs.replace(PLAN, scale=scale)
    return plan if scale > LONG else msgspec.structs.replace(plan, trials=tuple(map(_in_front, plan.trials)))


def _in_front(trial: Breach) -> Breach:
    slow = trial.fault.kind is FaultKind.DATABASE_SLOW
    return msgspec.structs.replace(trial, fault=_LATE) if slow else trial


@dataclass(frozen=True, kw_only=True)
class AlertDrillCommand(Staged):
    """The four alerts on a real Prometheus and Alertmanager.

    Each breach is planted; each alert fires, stays quiet, resolves, and reaches Slack, mail and PagerDuty's stand-ins.
    With --alerts a team's own are asked about the same evidence.
    """

    name = "alert_drill"
    example = "--scale 1"

    on: str = option("the environment to run in", choices=RUNGS, default=EnvironmentKind.LOCAL.value)
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
        from harness.rehearsals.alert_drill.theirs.asking import with_theirs  # psutil loads when it is needed

        plan = msgspec.structs.replace(drilled(self.scale), objectives=defined())
        return with_theirs(plan, self.alerts, self.of, self.reports)
