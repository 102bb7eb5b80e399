"""What would be saved of a month's bill. Pure."""

from __future__ import annotations

import msgspec

from harness.base.units import DAY_S
from harness.model.message import Message, message
from harness.rehearsals.cost.month import bill
from harness.rehearsals.cost.month.bill import GB, GIB
from harness.rehearsals.cost.types import CostPlan, PodSizes


class Saving(msgspec.Struct, frozen=True, kw_only=True):
    """What a step would take off the corrected bill of a month, dollars."""

    name: Message
    usd: float


def ranked(plan: CostPlan, pod: PodSizes) -> tuple[Saving, ...]:
    """Every saving, the largest first: those of the document, and to have one pod less on average."""
    tables, prices = plan.tables, plan.prices
    whole = plan.corrected(pod)
    found = (
        Saving(
            name=message("committed use of the pods, one year: {share}", share=f"{prices.pods.commitment:.0%}"),
            usd=whole.pods * prices.pods.commitment,
        ),
        Saving(
            name=message(
                "committed use of the database, one year: {share}", share=f"{prices.database.commitment:.0%}"
            ),
            usd=instance(plan) * prices.database.commitment,
        ),
        Saving(name=message("one pod less on average"), usd=bill.pod(pod.requested, prices, tables.hours)),
        Saving(name=message("logs kept for {days} days", days=f"{tables.savings.logs_kept_then_s / DAY_S:g}"),
               usd=saved(plan)),
    )  # fmt: skip
    return tuple(sorted(found, key=lambda each: -each.usd))


def saved(plan: CostPlan) -> float:
    """By keeping the logs shorter."""
    gib = plan.tables.quantities.log_gb * GB / GIB
    then, now = plan.tables.savings.logs_kept_then_s, plan.tables.savings.logs_kept_s
    return bill.kept(gib, now, plan.prices) - bill.kept(gib, then, plan.prices)


def instance(plan: CostPlan) -> float:
    """The database without its storage, which no commitment covers."""
    usage = bill.as_printed(plan.tables, plan.prices)
    return bill.database(usage.database, 0.0, plan.prices, plan.tables.hours, ha=True)
