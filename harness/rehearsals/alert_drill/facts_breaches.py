"""Whether a breach was one: what users saw while it was planted, beside what it was to do to them. Pure.

An alert's quiet shows something only where there was a breach to be quiet about.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.evidence.gathered import Gathered
from harness.model.evidence import ProbeRow, RequestRow, Side
from harness.model.stack import FaultKind
from harness.rehearsals.alert_drill.expected import ALERT_S, OBJECTIVE_S
from harness.rehearsals.alert_drill.exporter import failed, latency_s
from harness.rehearsals.alert_drill.types import (
    ERRORS,
    LATENCY,
    AlertDrillDetails,
    AlertDrillPlan,
    Breach,
    PlantedBreach,
)
from harness.rehearsals.alert_drill.watching import alerts

_SLOW = (FaultKind.LATENCY, FaultKind.DATABASE_SLOW)
_BELOW_LIMIT = "_below_limit"


def about(trial: Breach) -> str:
    """The alert on users' requests whose breach a trial plants, large enough or not."""
    return LATENCY if trial.fault.kind in _SLOW else ERRORS


def below_limit(trial: Breach) -> bool:
    """Whether it is to break the objective alone, and not the limit of the alert that it is about."""
    return trial.name.endswith(_BELOW_LIMIT)


def shown(plan: AlertDrillPlan, details: AlertDrillDetails, evidence: Gathered) -> frozenset[str]:
    """The trials that took place and did to users what they were to, with probes beside them."""
    planted = {each.trial: each for each in details.planted}
    calls = [row for row in evidence.requests if row.side is Side.API]
    return frozenset(
        trial.name
        for trial in plan.trials
        if (at := planted.get(trial.name)) is not None
        and any(_ended_in(at, row) for row in evidence.probes)
        and _broke(plan, trial, [row for row in calls if _ended_in(at, row)])
    )


def _ended_in(at: PlantedBreach, row: RequestRow | ProbeRow) -> bool:
    return at.begun_ns <= row.done_ns <= at.ended_ns


def _broke(plan: AlertDrillPlan, trial: Breach, calls: Sequence[RequestRow]) -> bool:
    """By the shares of its alert over the whole trial. Of a slow one below the limit most of the slow calls have to lie
    below it: a machine that stands still for a second makes no other breach of it."""
    limit = next(each.limit for each in alerts(plan.objectives, plan.scale) if each.name == about(trial))
    if about(trial) == ERRORS:
        share = _share([failed(row) for row in calls])
        budget = next(each.budget for each in plan.objectives if each.name == "errors")
        return budget < share <= limit if below_limit(trial) else share > limit
    took_s = [latency_s(row) for row in calls if row.status]
    above = _share([each > ALERT_S for each in took_s])
    if not below_limit(trial):
        return above > limit
    return _share([each > OBJECTIVE_S for each in took_s]) > max(limit, 2 * above)


def _share(bad: Sequence[bool]) -> float:
    return sum(bad) / len(bad) if bad else 0.0
