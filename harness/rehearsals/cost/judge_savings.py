"""What the document would save, judged by the unit prices: committed use, the budget's alert, shorter logs. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.base.units import DAY_S, Unit
from harness.judge.claimed import held, shown_as
from harness.model.judgement import Judgement, observation
from harness.model.message import Message, message
from harness.rehearsals.cost.judge_region import anywhere, by_those, priced
from harness.rehearsals.cost.month import bill
from harness.rehearsals.cost.month.bill import GB, GIB, dollars, money, near
from harness.rehearsals.cost.types import DOCUMENT, CostPlan, PodSizes


class Saving(msgspec.Struct, frozen=True, kw_only=True):
    """What a step would take off the corrected bill of a month, dollars."""

    name: Message
    usd: float


def ranked(plan: CostPlan, pod: PodSizes) -> tuple[Saving, ...]:
    """Every saving, the largest first: those of the document, and to have one pod less on average."""
    tables, prices = plan.tables, plan.prices
    whole = plan.corrected(pod)
    gib = tables.quantities.log_gb * GB / GIB
    found = (
        Saving(
            name=message("committed use of the pods, one year: {share}", share=f"{prices.pods.commitment:.0%}"),
            usd=whole.pods * prices.pods.commitment,
        ),
        Saving(
            name=message(
                "committed use of the database, one year: {share}", share=f"{prices.database.commitment:.0%}"
            ),
            usd=_instance(plan) * prices.database.commitment,
        ),
        Saving(name=message("one pod less on average"), usd=bill.pod(pod.requested, prices, tables.hours)),
        Saving(name=message("logs kept for {days} days", days=f"{tables.savings.logs_kept_then_s / DAY_S:g}"),
               usd=_saved(plan, gib)),
    )  # fmt: skip
    return tuple(sorted(found, key=lambda each: -each.usd))


def savings(plan: CostPlan, pod: PodSizes) -> Iterator[Judgement]:
    """Each promise of コスト削減策, and their order."""
    yield _commitment(plan, pod)
    yield from _budget_alert(plan)
    yield _log_retention(plan)
    told = tuple(message("{name}: {amount} a month", name=each.name, amount=money(each.usd))
                 for each in ranked(plan, pod))  # fmt: skip
    order = observation("cost.savings", told, part=DOCUMENT)  # to choose by: the choice is a team's
    yield by_those(plan, order)


def _commitment(plan: CostPlan, pod: PodSizes) -> Judgement:
    """Of the two together, which weigh by what a region charges: where either alone is judged alike, so is any mean."""
    prices, printed = plan.prices, plan.tables.savings.commitment
    whole = plan.corrected(pod)
    instance = _instance(plan)
    share = (whole.pods * prices.pods.commitment + instance * prices.database.commitment) / (whole.pods + instance)
    told = message(
        "a year's commitment takes {pods} off the pods and {database} off the database, {both} of the two together; "
        "the document says {printed}",
        pods=f"{prices.pods.commitment:.0%}",
        database=f"{prices.database.commitment:.0%}",
        both=f"{share:.0%}",
        printed=f"{printed:.0%}",
    )
    either = {_taken_off(plan, each, told).verdict for each in (prices.pods.commitment, prices.database.commitment)}
    return (anywhere if len(either) == 1 else priced)(plan, _taken_off(plan, share, told))


def _taken_off(plan: CostPlan, share: float, told: Message) -> Judgement:
    """What is printed, where a commitment takes off ``share``."""
    tables, claim, printed = plan.tables, "cost.saving.commitment", plan.tables.savings.commitment
    measured = {"value": printed, "limit": round(share, 4), "unit": Unit.RATIO}
    if near(share, printed, tables.tolerance):
        return held(DOCUMENT, claim, True, told, **measured)
    if printed > share:
        return shown_as(DOCUMENT, "cost.commitment_37", told, claim=claim, **measured)
    return held(DOCUMENT, claim, False, told, **measured)


def _budget_alert(plan: CostPlan) -> Iterator[Judgement]:
    """An alert is of use when a bill that doubles, or the most pods all month, reaches it."""
    tables, claim = plan.tables, "cost.saving.budget_alert"
    at, doubled = tables.savings.budget_alert_usd, 2 * tables.printed.total_usd
    most = max(row.total_usd for row in tables.replicas)
    told = message(
        "the alert is at {at}; a doubled bill is {doubled}, the most pods all month {most}",
        at=money(at),
        doubled=money(doubled),
        most=money(most),
    )
    amount = dollars(at, max(doubled, most))
    if at > max(doubled, most):
        yield shown_as(DOCUMENT, "cost.budget_alert_too_high", told, claim=claim, **amount)
    else:
        yield held(DOCUMENT, claim, True, told, **amount)
    cost, checklist = tables.savings.budget_alert_phase, tables.savings.checklist_phase
    phases = message(
        "the alert is there from phase {cost} in the chapter on costs, from phase {checklist} in the checklist",
        cost=str(cost),
        checklist=str(checklist),
    )
    if cost == checklist:
        yield held(DOCUMENT, "checklist.cost.alerts", True, phases)
    else:
        yield shown_as(DOCUMENT, "checklist.budget_alert_phase", phases, claim="checklist.cost.alerts")


def _log_retention(plan: CostPlan) -> Judgement:
    tables, claim = plan.tables, "cost.saving.log_retention"
    gib = tables.quantities.log_gb * GB / GIB
    now = bill.kept(gib, tables.savings.logs_kept_s, plan.prices)
    saved = _saved(plan, gib)
    share, printed = saved / now if now else 0.0, tables.savings.logs_saved
    told = message(
        "{gib} GiB cost {now} kept for {days} days, and {saved} less kept for {then}: the price is for taking them in, "
        "and {included} days are included",
        gib=f"{gib:.1f}",
        now=money(now),
        days=f"{tables.savings.logs_kept_s / DAY_S:g}",
        saved=money(saved),
        then=f"{tables.savings.logs_kept_then_s / DAY_S:g}",
        included=f"{plan.prices.logging.included_s / DAY_S:g}",
    )
    measured = {"value": printed, "limit": round(share, 4), "unit": Unit.RATIO}
    if near(share, printed, tables.tolerance):
        return held(DOCUMENT, claim, True, told, **measured)
    if share == 0:
        return shown_as(DOCUMENT, "cost.retention_saves_nothing", told, claim=claim, **measured)
    return held(DOCUMENT, claim, False, told, **measured)


def _saved(plan: CostPlan, gib: float) -> float:
    """By keeping the logs shorter."""
    then, now = plan.tables.savings.logs_kept_then_s, plan.tables.savings.logs_kept_s
    return bill.kept(gib, now, plan.prices) - bill.kept(gib, then, plan.prices)


def _instance(plan: CostPlan) -> float:
    """The database without its storage, which no commitment covers."""
    usage = bill.as_printed(plan.tables, plan.prices)
    return bill.database(usage.database, 0.0, plan.prices, plan.tables.hours, ha=True)
