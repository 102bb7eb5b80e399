"""What ``stalled`` measures when PostgreSQL and the archive do as they should, and when they do not. Virtual."""

from __future__ import annotations

from harness.base.clock import NS
from harness.rehearsals.dr_restore.keeper import Stalled, due, measured
from harness.rehearsals.dr_restore.types import StallPlan


def lost(plan: StallPlan, *, leaks: bool = False, archived: bool = True) -> Stalled:
    """``leaks``: segments leave during the stall as before it. Without ``archived`` none ever leaves."""
    begun_ns, end_ns = round(plan.healthy_s * NS), round((plan.healthy_s + plan.stall_s) * NS)
    times: dict[int, int] = {}
    found: set[int] = set()
    for stretch in (due(0, begun_ns, plan), due(begun_ns, end_ns, plan)):
        for at_ns, is_commit in stretch:
            if is_commit:
                times[len(times) + 1] = at_ns
            elif archived and (leaks or at_ns <= begun_ns):
                found = set(times)
    return measured(times, found, begun_ns, end_ns)
