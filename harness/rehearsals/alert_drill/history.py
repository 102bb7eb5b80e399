"""The days before the drill, made: probes of 30 days, requests and their latencies of 7, each with an old outage that
leaves the window just after the drill's own has crossed the limit. Pure.

So a window of days is drilled as it is: the outage planted now brings the share above its limit, and it comes down once
the old one is more than 30 (7) days ago. The history weighs as much as makes that so, by the plan's own rates.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.base.clock import NS
from harness.base.units import DAY_S
from harness.model.stack import FaultKind
from harness.rehearsals.alert_drill.types import AlertDrillPlan

STEP_S = 600
_LEADING = 6  # samples before the old outage
_ABOVE = 0.8  # of the limit: the share once the old outage has left, and all of the new one has come
_SLOW = (FaultKind.LATENCY, FaultKind.DATABASE_SLOW)
_CROSSING = 0.4  # of the new outage: when the limit is crossed


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """The history of one share: ``bad`` of ``all`` events, the bad ones at once, ``days`` before they leave."""

    days: int
    bad: float
    all: float

    def samples(self, leaves_ns: int, until_ns: int) -> Iterator[tuple[int, float, float]]:
        """Samples as (ns, bad so far, good so far), up to ``until_ns``: the old outage lies between the sample
        that leaves the window at ``leaves_ns`` and the next."""
        jump_ns = leaves_ns - round(self.days * DAY_S * NS)
        first_ns = jump_ns - _LEADING * STEP_S * NS
        count = (until_ns - first_ns) // (STEP_S * NS)
        for number in range(count + 1):
            at_ns = first_ns + number * STEP_S * NS
            yield at_ns, round(self.bad) if at_ns > jump_ns else 0, round((self.all - self.bad) * number / count)

    @property
    def end(self) -> tuple[float, float]:
        """Bad and good at its end: where the drill's own counters go on."""
        return round(self.bad), round(self.all - self.bad)


def probes(plan: AlertDrillPlan) -> Past:
    """Of the availability, whose alert is at 99.5 %."""
    return _failures(plan, 30, 0.005, plan.probes.rate_per_s)


def requests(plan: AlertDrillPlan) -> Past:
    """Of the failed requests, whose budget's alert is at 80 % of 1 %."""
    return _failures(plan, 7, 0.008, _requests_per_s(plan))


def latencies(plan: AlertDrillPlan) -> Past:
    """Of the requests that took longer than the objective's 0.5 s, whose budget's alert is at 80 % of 5 %: the last
    slow trial of the drill is what crosses it."""
    rate = _requests_per_s(plan)
    *others, last = (plan.scaled(t.lasts_s) * rate for t in plan.trials if t.fault.kind in _SLOW)
    return _past(7, 0.04, last, sum(others), plan.load_s * rate)


def _requests_per_s(plan: AlertDrillPlan) -> float:
    return plan.population.users / plan.population.pace_s


def _failures(plan: AlertDrillPlan, days: int, limit: float, rate: float) -> Past:
    outage = sum(plan.scaled(t.lasts_s) * rate for t in plan.trials if t.fault.kind is FaultKind.UNAVAILABLE)
    others = sum(plan.scaled(t.lasts_s) * rate * t.fault.share for t in plan.trials if t.fault.kind is FaultKind.ERRORS)
    return _past(days, limit, outage, others, plan.load_s * rate)


def _past(days: int, limit: float, outage: float, others: float, live: float) -> Past:
    whole = (outage + others) / (limit * _ABOVE)
    return Past(days=days, bad=max(0.0, limit * whole - others - _CROSSING * outage), all=max(0.0, whole - live))
