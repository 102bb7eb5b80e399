"""The facts of a night of chaos: how each schedule ended, and how many did anything. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.base.message import gettext_noop
from harness.model.message import Message, message, raw_text
from harness.rehearsals.chaos.types import EndedSchedule, NightDetails, NightPlan
from harness.rules.rule import Fact, FactsOf

PHRASES = {
    "schedule.status": gettext_noop("{drawn}: exit status {seen}"),
    "schedule.failed_flaws": gettext_noop("{seen} of {of} requests and probes failed"),
    "schedules.exercised": gettext_noop("{of} of {all} schedules were made, {seen} of them did something"),
}


def facts(plan: NightPlan, details: NightDetails) -> Iterator[Fact]:
    """Of every schedule that was made, or left by the budget, each a case of its seed; and of all."""
    for ended in details.ended:
        yield from _of_schedule(ended)
    for seed in details.left:
        yield from FactsOf(PHRASES, case=str(seed)).none("schedule.status", lacks=(spent(plan, details),))
    exercised, asked = sum(each.exercised > 0 for each in details.ended), str(len(plan.schedules))
    yield FactsOf(PHRASES)("schedules.exercised", exercised, of=len(details.ended), all=asked)


def _of_schedule(ended: EndedSchedule) -> Iterator[Fact]:
    """What broke or fell short stands behind its exit status."""
    fact = FactsOf(PHRASES, case=str(ended.seed))
    broke = (each if isinstance(each, Message) else raw_text(each) for each in ended.broke)
    nothing = (message("it had nothing that the environment can do"),) if ended.nothing else ()
    yield fact(
        "schedule.status", ended.exit_status, drawn=", ".join(ended.drawn), lacks=nothing,
        besides=(*ended.shortcomings, *broke),
    )  # fmt: skip
    yield fact("schedule.failed_flaws", ended.failed, of=ended.calls)


def spent(plan: NightPlan, details: NightDetails) -> Message:
    """That the budget is."""
    made = {"seconds": f"{plan.budget_s:g}", "made": str(len(details.ended)), "all": str(len(plan.schedules))}
    return message("the budget of {seconds} s is spent; {made} of {all} schedules were made", **made)
