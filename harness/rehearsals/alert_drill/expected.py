"""When each alert had to fire, by our own arithmetic on the evidence: what users and probes saw, and the made history.

Counters are read at the scrapes' distance and the rule is evaluated at its own; Prometheus' scrapes and evaluations lie
elsewhere within theirs, which is what the judge allows for. Pure.

What had to fire beside what did, and what of a firing was not delivered. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.base.units import Unit, show
from harness.evidence.store import Gathered
from harness.model.evidence import ProbeRow, RequestRow, Side
from harness.model.message import Message, message
from harness.rehearsals.alert_drill import exporter, history
from harness.rehearsals.alert_drill.types import (
    BUDGET,
    ERRORS,
    LATENCY,
    USERS,
    AlertDrillDetails,
    AlertDrillPlan,
    Delivery,
    Firing,
)
from harness.rules.objectives.alerts import BURN_URGENCY, Alert, Route
from harness.rules.objectives.counter import Counter, shares
from harness.rules.objectives.firing import Spell, spells, states
from harness.rules.objectives.sloth import Objective
from harness.rules.rule import Fact, FactsOf

_MS = 1_000_000
#: What a call may take (s) by the alert on latency, and by its objective.
ALERT_S, OBJECTIVE_S = 0.6, 0.5
Pair = tuple[Counter, Counter]


class FiringDue(msgspec.Struct, frozen=True, kw_only=True):
    """The stretches in which an alert of a job had to fire, in ms from the load's begin; ``severity`` "": it has one
    alone. It is held for ``for_s``, and reaches ``routes``."""

    alert: str
    objective: str
    job: str
    severity: str
    for_s: float
    routes: tuple[Route, ...]
    spells: tuple[Spell, ...]


def due(
    plan: AlertDrillPlan, alerts: Iterable[Alert], details: AlertDrillDetails, evidence: Gathered
) -> Iterator[FiringDue]:
    """Of every alert as written, those on requests by what users saw; then of the burn-rate alerts of each objective
    that names them: the page, then the ticket."""
    readings = _Readings(plan, details, evidence)
    for alert in alerts:
        held = readings.held(alert, *readings.of(alert))
        yield FiringDue(
            alert=alert.name, objective=alert.objective, job=USERS if alert.name in (ERRORS, LATENCY) else "",
            severity="", for_s=alert.for_s, routes=alert.routes,
            spells=tuple(spells(states(held, round(alert.for_s * 1000)))),
        )  # fmt: skip
    for objective in (each for each in plan.objectives if each.alert):
        for pages, urgency in BURN_URGENCY.items():
            held = readings.burning(objective, pages=pages)
            yield FiringDue(
                alert=objective.alert, objective=objective.name, job="", severity=urgency.severity, for_s=0.0,
                routes=urgency.routes, spells=tuple(spells(states(held, 0))),
            )  # fmt: skip


class _Readings:
    """The counters, as scrapes read them."""

    def __init__(self, plan: AlertDrillPlan, details: AlertDrillDetails, evidence: Gathered) -> None:
        self._details = details
        end_ms = (details.asked_ns - details.origin_ns) // _MS
        self._evaluations_ms = np.arange(0, end_ms + 1, round(plan.scaled(plan.evaluate_s) * 1000))
        scrape_ms = round(plan.scaled(plan.scrape_s) * 1000)
        self._times_ms = np.arange(-2 * scrape_ms, end_ms + 1, scrape_ms)
        calls = [row for row in evidence.requests if row.side is Side.API]
        answered = [row for row in calls if row.status]
        took_s = np.array([exporter.latency_s(row) for row in answered])
        past = exporter.pasts(plan)
        self._failed = self._live(past.requests, calls, [exporter.failed(row) for row in calls])
        self._probes = self._live(past.probes, evidence.probes, [not row.good for row in evidence.probes])
        self._above_alert = self._live(past.latencies, answered, took_s > ALERT_S)
        self._above_objective = self._live(past.latencies, answered, took_s > OBJECTIVE_S)

    def of(self, alert: Alert) -> Pair:
        """Bad and good of what the alert is about."""
        if alert.name == LATENCY:
            return self._above_alert
        if alert.name == ERRORS or (alert.name == BUDGET and alert.objective == "errors"):
            return self._failed
        return self._above_objective if alert.objective == "latency" else self._probes

    def held(self, alert: Alert, bad: Counter, good: Counter) -> Iterator[tuple[int, bool]]:
        """Whether its expression holds, at each evaluation."""
        return self._at_each(self._shares((bad, good), alert.window_s) > alert.limit)

    def burning(self, objective: Objective, *, pages: bool) -> Iterator[tuple[int, bool]]:
        """Whether the objective's burn-rate alert holds, at each evaluation."""
        pair = {"availability": self._probes, "errors": self._failed, "latency": self._above_objective}[objective.name]
        return self._at_each(objective.burns(lambda window_s: self._shares(pair, window_s), pages=pages))

    def _shares(self, pair: Pair, window_s: float) -> NDArray[np.float64]:
        bad, good = pair
        return shares(bad, [bad, good], self._evaluations_ms, round(window_s * 1000))

    def _at_each(self, held: NDArray[np.bool_]) -> Iterator[tuple[int, bool]]:
        return zip(self._evaluations_ms.tolist(), held.tolist(), strict=True)

    def _live(
        self, past: history.Past, rows: Sequence[RequestRow | ProbeRow], bad_ones: Sequence[bool] | NDArray[np.bool_]
    ) -> Pair:
        """The counters of ``rows``, by when each was done, behind those of the past."""
        origin_ns, base = self._details.origin_ns, past.end
        times_ms, values = list[int](), (list[float](), list[float]())
        for at_ns, bad, good in past.samples(self._details.leaves_ns, self._details.history_ns):
            times_ms.append((at_ns - origin_ns) // _MS)
            values[0].append(bad)
            values[1].append(good)
        times_ms += self._times_ms.tolist()
        done_ms = (np.array([row.done_ns for row in rows], np.int64) - origin_ns) // _MS
        are_bad = np.array(bad_ones, np.bool_)
        for column, chosen in enumerate((are_bad, ~are_bad)):
            counted = base[column] + np.searchsorted(np.sort(done_ms[chosen]), self._times_ms, side="right")
            values[column].extend(counted.tolist())
        return Counter(times_ms, values[0]), Counter(times_ms, values[1])


_NS = 1_000_000_000
GATHERED_S = 0.75  # until what happened is evidence, and on the page that is scraped
DELIVERED_S = 5.0  # beyond what Alertmanager may hold a notification
FIRST_S = 30.0  # before its first sample: of the first evaluations Prometheus tells Alertmanager, and writes none yet


class StretchPair(msgspec.Struct, frozen=True):
    """A stretch that had to be (s from the load's begin) beside the one that was, either of them ``None``."""

    due: Spell | None
    seen: Firing | None


#: Alerts, each with its stretches.
Mine = Sequence[tuple[FiringDue, list[StretchPair]]]


def tolerance_s(plan: AlertDrillPlan) -> float:
    """One evaluation and one scrape, and the time in which evidence is gathered."""
    return plan.scaled(plan.evaluate_s) + plan.scaled(plan.scrape_s) + GATHERED_S


def paired(details: AlertDrillDetails, wanted: FiringDue) -> list[StretchPair]:
    """In order; a firing belongs to the stretch that it overlaps."""
    seen = sorted(
        (f for f in (*details.firings, *details.burns) if is_of(f, wanted)), key=lambda firing: firing.fired_ns
    )
    pairs: list[StretchPair] = []
    for spell in wanted.spells:
        end_ms = spell.resolved_ms if spell.resolved_ms is not None else ms_of(details, details.asked_ns)
        slack_ms = wanted.for_s * 500 + 5000
        own = [f for f in seen if spell.fired_ms - slack_ms <= ms_of(details, f.fired_ns) <= end_ms]
        pairs.append(StretchPair(spell, own[0] if own else None))
        seen = [f for f in seen if not own or f is not own[0]]
    return [*pairs, *(StretchPair(None, firing) for firing in seen)]


def is_of(firing: Firing | Delivery, wanted: FiringDue) -> bool:
    """Whether it is of that alert."""
    return (firing.alert, firing.objective, firing.job) == (wanted.alert, wanted.objective, wanted.job) and (
        not wanted.severity or firing.severity == wanted.severity
    )


def ms_of(details: AlertDrillDetails, at_ns: int) -> float:
    """A moment, from the load's begin."""
    return (at_ns - details.origin_ns) / 1e6


def at_once(pair: StretchPair) -> bool:
    """Whether it had to fire from the first evaluation on: the made history alone says so."""
    return pair.due is not None and pair.due.fired_ms == 0


def off_by_s(details: AlertDrillDetails, pair: StretchPair) -> tuple[float | None, float | None]:
    """How much later than it had to it fired and resolved (s); ``None`` where either did not."""
    if pair.due is None or pair.seen is None:
        return None, None
    fired = (ms_of(details, pair.seen.fired_ns) - pair.due.fired_ms) / 1000
    if pair.due.resolved_ms is None or pair.seen.resolved_ns is None:
        return fired, None
    return fired, (ms_of(details, pair.seen.resolved_ns) - pair.due.resolved_ms) / 1000


def fired_off_s(plan: AlertDrillPlan, details: AlertDrillDetails, pairs: Iterable[StretchPair]) -> list[float]:
    """How far off each fired, too early or too late (s). One that had to at once did before its first sample, which may
    be that of Prometheus' third evaluation: it is off by what is later than that."""
    offs = [(off_by_s(details, pair)[0], at_once(pair)) for pair in pairs]
    unwritten_s = 2 * plan.scaled(plan.evaluate_s)
    return [max(0.0, off - unwritten_s) if first else abs(off) for off, first in offs if off is not None]


def off_s(fact: FactsOf, name: str, offs: Sequence[float], of: int, examples: Sequence[str] = ()) -> Fact:
    """The worst of ``offs``; without any nothing was off."""
    none, off = (None, show(max(offs), Unit.SECONDS)) if offs else (0.0, "–")
    return fact(name, max(offs, default=None), low=none, high=none, of=of, off=off, examples=examples)


def misdelivered(details: AlertDrillDetails, wanted: FiringDue, pairs: Sequence[StretchPair]) -> Iterator[Message]:
    """What of an alert came where it does not go, and what of each stretch that it fired did not come where it does."""
    own = [each for each in details.deliveries if is_of(each, wanted) and not each.flaw]
    yield from (message("{route}: not its route", route=each.route) for each in own if each.route not in wanted.routes)
    for pair in pairs:
        if pair.seen is not None:
            yield from _undelivered(details, wanted, pair, own)


def _undelivered(
    details: AlertDrillDetails, wanted: FiringDue, pair: StretchPair, own: Sequence[Delivery]
) -> Iterator[Message]:
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
