"""The burn-rate alerts of a drill, the correction of the alerts without a window, judged: the pages and the tickets of
all three objectives fire when they must and are delivered. Pure.

Their windows of hours and days hold the made history besides, and are never scaled, so that most of them fire once in a
drill, and stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.base.units import Unit
from harness.model.judgement import Judgement
from harness.model.message import message
from harness.model.verdict import Verdict
from harness.objectives.alerts import BURN_URGENCY
from harness.objectives.firing import Spell
from harness.rehearsals.alert_drill.expected import Due
from harness.rehearsals.alert_drill.pairs import Mine, misdelivered, ms_of, tolerance_s
from harness.rehearsals.alert_drill.types import AlertDrillDetails, AlertDrillPlan, Firing

_WORK = ("phase2.monitoring",)
#: By whether it pages: what its judgements are called, and what they ask.
_NAMES = {True: "burn.page", False: "burn.ticket"}
BURNS = [f"{name}.{what}" for name in _NAMES.values() for what in ("fires", "routes")]
_FIRE = {
    True: message("pages of the burn rates fire when they must, by our own arithmetic on what users and probes saw"),
    False: message("tickets of the burn rates fire when they must, by our own arithmetic on what users and probes saw"),
}
_REACH = {
    True: message("pages of the burn rates reach PagerDuty and Slack, and nobody else"),
    False: message("tickets of the burn rates reach Slack, and nobody else"),
}


def burn_tolerance_s(plan: AlertDrillPlan) -> float:
    """One evaluation more than of an alert as written: the shares are recorded by one group of rules, and read by
    another."""
    return tolerance_s(plan) + plan.scaled(plan.evaluate_s)


def burns(plan: AlertDrillPlan, details: AlertDrillDetails, found: Mine) -> Iterator[Judgement]:
    """Of the pages and of the tickets: that they fire when they must and else not, and that they are delivered; nothing
    where the plan's objectives name none, as before they did."""
    for pages, urgency in BURN_URGENCY.items():
        mine = [(each, pairs) for each, pairs in found if each.severity == urgency.severity]
        if mine:
            yield _fires(plan, details, mine, pages=pages)
            yield _delivered(details, mine, pages=pages)


def _fires(plan: AlertDrillPlan, details: AlertDrillDetails, mine: Mine, *, pages: bool) -> Judgement:
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
    late = sum(each > limit_s for each in offs)
    verdict = Verdict.FAIL if wrong or late else Verdict.INCONCLUSIVE if silent else Verdict.PASS
    told = message(
        "had to fire for {due} of {count} objectives: {wrong} missed or without a cause, {late} too early or too late",
        due=str(len(mine) - silent), count=str(len(mine)), wrong=str(len(wrong)), late=str(late),
    )  # fmt: skip
    return Judgement(
        id=f"{_NAMES[pages]}.fires", also=_WORK, verdict=verdict, asked=(_FIRE[pages],), told=(told,),
        value=max(offs, default=None), limit=limit_s, unit=Unit.SECONDS, samples=len(offs), examples=tuple(wrong[:5]),
    )  # fmt: skip


def _lasts_s(details: AlertDrillDetails, spell: Spell) -> float:
    end_ms = ms_of(details, details.asked_ns) if spell.resolved_ms is None else spell.resolved_ms
    return (end_ms - spell.fired_ms) / 1000


def _off_s(details: AlertDrillDetails, due: Due, first: Spell, seen: Sequence[Firing]) -> float | None:
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


def _outside(due: Due, at_s: float, limit_s: float) -> bool:
    """Whether it is in none of the stretches, not even by what scrapes and evaluations may lie apart."""
    return not any(
        each.fired_ms / 1000 - limit_s <= at_s
        and (each.resolved_ms is None or at_s <= each.resolved_ms / 1000 + limit_s)
        for each in due.spells
    )


def _delivered(details: AlertDrillDetails, mine: Mine, *, pages: bool) -> Judgement:
    """Each that fired is told on each of its routes, and on no other; of each objective one at least."""
    lacking = [what for due, pairs in mine for what in misdelivered(details, due, pairs)]
    count = sum(any(pair.seen is not None for pair in pairs) for _, pairs in mine)
    verdict = Verdict.FAIL if lacking else Verdict.INCONCLUSIVE if count < len(mine) else Verdict.PASS
    told = message(
        "fired for {count} objectives; not delivered: {lacking}", count=str(count), lacking=str(len(lacking))
    )
    return Judgement(
        id=f"{_NAMES[pages]}.routes", also=_WORK, verdict=verdict, asked=(_REACH[pages],), told=(told,), samples=count,
        examples=tuple(lacking[:5]),
    )  # fmt: skip
