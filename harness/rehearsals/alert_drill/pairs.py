"""What had to fire beside what did, and what of a firing was not delivered. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from harness.model.message import Message, message
from harness.objectives.firing import Spell
from harness.rehearsals.alert_drill.expected import Due
from harness.rehearsals.alert_drill.types import AlertDrillDetails, AlertDrillPlan, Delivery, Firing

_NS = 1_000_000_000
GATHERED_S = 0.75  # until what happened is evidence, and on the page that is scraped
DELIVERED_S = 5.0  # beyond what Alertmanager may hold a notification
FIRST_S = 30.0  # before its first sample: of the first evaluations Prometheus tells Alertmanager, and writes none yet


class Pair(msgspec.Struct, frozen=True):
    """A stretch that had to be (s from the load's begin) beside the one that was, either of them ``None``."""

    due: Spell | None
    seen: Firing | None


#: Alerts, each with its stretches.
Mine = Sequence[tuple[Due, list[Pair]]]


def tolerance_s(plan: AlertDrillPlan) -> float:
    """One evaluation and one scrape, and the time in which evidence is gathered."""
    return plan.scaled(plan.evaluate_s) + plan.scaled(plan.scrape_s) + GATHERED_S


def paired(details: AlertDrillDetails, wanted: Due) -> list[Pair]:
    """In order; a firing belongs to the stretch that it overlaps."""
    seen = sorted(
        (f for f in (*details.firings, *details.burns) if is_of(f, wanted)), key=lambda firing: firing.fired_ns
    )
    pairs: list[Pair] = []
    for spell in wanted.spells:
        end_ms = spell.resolved_ms if spell.resolved_ms is not None else ms_of(details, details.asked_ns)
        slack_ms = wanted.for_s * 500 + 5000
        own = [f for f in seen if spell.fired_ms - slack_ms <= ms_of(details, f.fired_ns) <= end_ms]
        pairs.append(Pair(spell, own[0] if own else None))
        seen = [f for f in seen if not own or f is not own[0]]
    return [*pairs, *(Pair(None, firing) for firing in seen)]


def is_of(firing: Firing | Delivery, wanted: Due) -> bool:
    """Whether it is of that alert."""
    return (firing.alert, firing.objective, firing.job) == (wanted.alert, wanted.objective, wanted.job) and (
        not wanted.severity or firing.severity == wanted.severity
    )


def ms_of(details: AlertDrillDetails, at_ns: int) -> float:
    """A moment, from the load's begin."""
    return (at_ns - details.origin_ns) / 1e6


def at_once(pair: Pair) -> bool:
    """Whether it had to fire from the first evaluation on: the made history alone says so."""
    return pair.due is not None and pair.due.fired_ms == 0


def off_by_s(details: AlertDrillDetails, pair: Pair) -> tuple[float | None, float | None]:
    """How much later than it had to it fired and resolved (s); ``None`` where either did not."""
    if pair.due is None or pair.seen is None:
        return None, None
    fired = (ms_of(details, pair.seen.fired_ns) - pair.due.fired_ms) / 1000
    if pair.due.resolved_ms is None or pair.seen.resolved_ns is None:
        return fired, None
    return fired, (ms_of(details, pair.seen.resolved_ns) - pair.due.resolved_ms) / 1000


def fired_off_s(plan: AlertDrillPlan, details: AlertDrillDetails, pairs: Iterable[Pair]) -> list[float]:
    """How far off each fired, too early or too late (s). One that had to at once did before its first sample, which may
    be that of Prometheus' third evaluation: it is off by what is later than that."""
    offs = [(off_by_s(details, pair)[0], at_once(pair)) for pair in pairs]
    unwritten_s = 2 * plan.scaled(plan.evaluate_s)
    return [max(0.0, off - unwritten_s) if first else abs(off) for off, first in offs if off is not None]


def misdelivered(details: AlertDrillDetails, wanted: Due, pairs: Sequence[Pair]) -> Iterator[Message]:
    """What of an alert came where it does not go, and what of each stretch that it fired did not come where it does."""
    own = [each for each in details.deliveries if is_of(each, wanted) and not each.flaw]
    yield from (message("{route}: not its route", route=each.route) for each in own if each.route not in wanted.routes)
    for pair in pairs:
        if pair.seen is not None:
            yield from _undelivered(details, wanted, pair, own)


def _undelivered(details: AlertDrillDetails, wanted: Due, pair: Pair, own: Sequence[Delivery]) -> Iterator[Message]:
    """What of one stretch of firing did not come within what Alertmanager may hold it."""
    assert pair.seen is not None
    within_ns = round((sum(details.waits_s) + DELIVERED_S) * _NS)
    early_ns = round(FIRST_S * _NS) if at_once(pair) else 0
    for what, resolved, at_ns, first_ns in (
        (message("firing"), False, pair.seen.fired_ns, pair.seen.fired_ns - early_ns),
        (message("resolved"), True, pair.seen.resolved_ns, pair.seen.resolved_ns),
    ):
        if at_ns is None or first_ns is None:
            continue
        came = {d.route for d in own if d.resolved == resolved and first_ns <= d.at_ns <= at_ns + within_ns}
        for route in wanted.routes:
            if route not in came:
                yield message("{route}: {what} {objective}", route=route, what=what, objective=str(wanted.objective))
