"""When each probe is due and whose it is: GET and PUT in turn over the canaries. Pure."""

from __future__ import annotations

from harness.base.ticks import NS
from harness.model.scenario import ProbePlan


def offset_ns(plan: ProbePlan, number: int) -> int:
    """When the probe is due, after the run's origin."""
    return round(number * NS / plan.rate_per_s)


def canary_of(plan: ProbePlan, number: int) -> int:
    """The number of the canary, from 0, that makes the probe: each PUTs and then GETs."""
    return number // 2 % plan.canary_users
