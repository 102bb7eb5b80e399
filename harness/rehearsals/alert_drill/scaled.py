"""The drill's plan by the length of its minutes. Pure.

A database whose statements take 0.4 s is a fault as users meet it, and in short minutes only their latency knows of it.
In the document's own it lasts for 13: what waits for connections is refused by thousands at its end (429) where users
ask for more than the pods can do, and where they ask for less, readiness (one statement, within 0.8 s) fails by chance,
so that availability knows of a trial that is the latency's alone. There the answers are late in front of the pods.
"""

from __future__ import annotations

import msgspec

from harness.model.stack import Fault, FaultKind
from harness.rehearsals.alert_drill.types import PLAN, AlertDrillPlan, Trial

#: The minutes of a drill that is divided by no more are long.
LONG = 4.0
_LATE = Fault(kind=FaultKind.LATENCY, delay_ms=700.0)


def drilled(scale: float) -> AlertDrillPlan:
    """The plan of a drill whose minutes are divided by ``scale``."""
    plan = msgspec.structs.replace(PLAN, scale=scale)
    return plan if scale > LONG else msgspec.structs.replace(plan, trials=tuple(map(_in_front, plan.trials)))


def _in_front(trial: Trial) -> Trial:
    slow = trial.fault.kind is FaultKind.DATABASE_SLOW
    return msgspec.structs.replace(trial, fault=_LATE) if slow else trial
