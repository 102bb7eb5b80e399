"""The burn-rate alerts of a drill, the correction of the alerts without a window: that the pages and the tickets of all
three objectives fire when they must and are delivered. Pure.

Their windows of hours and days hold the made history besides, and are never scaled, so that most of them fire once in a
drill, and stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.base.message import gettext_noop
from harness.rehearsals.alert_drill.expected import FiringDue, Mine, misdelivered, ms_of, off_s, tolerance_s
from harness.rehearsals.alert_drill.types import AlertDrillDetails, AlertDrillPlan, Firing
from harness.rules.fact import Fact, FactsOf
from harness.rules.objectives.alerts import BURN_URGENCY
from harness.rules.objectives.firing import Spell

PHRASES = {
    "burn.tolerance_s": gettext_noop("{seen} are two evaluations, a scrape and the time in which evidence is gathered"),
    "burn.off_s": gettext_noop("fired at most {off} off"),
    "burn.wrong": gettext_noop("had to fire for {due} of {count} objectives: {seen} missed or without a cause"),
    "burn.silent": gettext_noop("objectives of which it never had to fire: {seen} of {of}"),
    "burn.lacking": gettext_noop("fired for {of} objectives; not delivered: {seen}"),
    "burn.fired": gettext_noop("fired for {seen} of {objectives} objectives"),
    "burn.objectives": gettext_noop("{seen} objectives"),
}
#: By whether it pages: what its judgements are called.
_NAMES = {True: "page", False: "ticket"}
BURNS = [f"burn.{name}.{what}" for name in _NAMES.values() for what in ("fires", "routes")]


def burn_tolerance_s(plan: AlertDrillPlan) -> float:
    """One evaluation more than of an alert as written: the shares are recorded by one group of rules, and read by
    another."""
    return tolerance_s(plan) + plan.scaled(plan.evaluate_s)


def burns(plan: AlertDrillPlan, details: AlertDrillDetails, found: Mine) -> Iterator[Fact]:
    """Of the pages and of the tickets: that they fire when they must and else not, and that they are delivered; nothing
    where the plan's objectives name none, as before they did."""
    for pages, urgency in BURN_URGENCY.items():
        mine = [(each, pairs) for each, pairs in found if each.severity == urgency.severity]
        if mine:
            fact = FactsOf(PHRASES, case=_NAMES[pages])
            yield from _fires(fact, plan, details, mine)
            yield from _delivered(fact, details, mine)


def _fires(fact: FactsOf, plan: AlertDrillPlan, details: AlertDrillDetails, mine: Mine) -> Iterator[Fact]:
    """By the first stretch of each objective that is long enough to be seen wherever scrapes and evaluations lie."""
    limit_s = burn_tolerance_s(plan)
    offs, wrong, silent = list[float](), list[str](), 0
    for due, pairs in mine:
        seen = [pair.seen for pair in pairs if pair.seen is not None]
        first = next((each for each in due.spells if _lasts_s(details, each) > 2 * limit_s), None)
        silent += first is None
        if first is not None:
            off = _off_s(details, due, first, seen)
            offs += [] if off is None else [off]
            wrong += [f"{due.objective}: missed"] if off is None else []
        fired_s = [ms_of(details, each.fired_ns) / 1000 for each in seen]
        wrong += [f"{due.objective}: without a cause" for each in fired_s if _outside(due, each, limit_s)]
    yield fact("burn.tolerance_s", limit_s)
    yield off_s(fact, "burn.off_s", offs, len(offs), examples=wrong[:5])
    yield fact("burn.wrong", len(wrong), due=str(len(mine) - silent), count=str(len(mine)))
    yield fact("burn.silent", silent, of=len(mine))


def _lasts_s(details: AlertDrillDetails, spell: Spell) -> float:
    end_ms = ms_of(details, details.asked_ns) if spell.resolved_ms is None else spell.resolved_ms
    return (end_ms - spell.fired_ms) / 1000


def _off_s(details: AlertDrillDetails, due: FiringDue, first: Spell, seen: Sequence[Firing]) -> float | None:
    """How far off the firing was that was on in the stretch ``first``: from its begin, or from that of a shorter one
    before it, which may have been seen as one with it. ``None``: there was none."""
    begins_ms = [each.fired_ms for each in due.spells if each.fired_ms <= first.fired_ms]
    on = [
        each
        for each in seen
        if (first.resolved_ms is None or ms_of(details, each.fired_ns) <= first.resolved_ms)
        and (each.resolved_ns is None or ms_of(details, each.resolved_ns) >= first.fired_ms)
    ]
    return min((abs(ms_of(details, each.fired_ns) - ms) / 1000 for each in on for ms in begins_ms), default=None)


def _outside(due: FiringDue, at_s: float, limit_s: float) -> bool:
    """Whether it is in none of the stretches, not even by what scrapes and evaluations may lie apart."""
    return not any(
        each.fired_ms / 1000 - limit_s <= at_s
        and (each.resolved_ms is None or at_s <= each.resolved_ms / 1000 + limit_s)
        for each in due.spells
    )


def _delivered(fact: FactsOf, details: AlertDrillDetails, mine: Mine) -> Iterator[Fact]:
    """Each that fired is told on each of its routes, and on no other; of each objective one at least."""
    lacking = [what for due, pairs in mine for what in misdelivered(details, due, pairs)]
    count = sum(any(pair.seen is not None for pair in pairs) for _, pairs in mine)
    yield fact("burn.lacking", len(lacking), of=count, examples=lacking[:5])
    yield fact("burn.fired", count, objectives=str(len(mine)))
    yield fact("burn.objectives", len(mine))
