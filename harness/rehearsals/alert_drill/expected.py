"""When each alert had to fire, by our own arithmetic on the evidence: what users and probes saw, and the made history.

Counters are read at the scrapes' distance and the rule is evaluated at its own; Prometheus' scrapes and evaluations lie
elsewhere within theirs, which is what the judge allows for. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.evidence.gathered import Gathered
from harness.model.evidence import ProbeRow, RequestRow, Side
from harness.objectives.alerts import BURN_URGENCY, Alert, Route
from harness.objectives.counter import Counter, shares
from harness.objectives.firing import Spell, spells, states
from harness.objectives.sloth import Objective
from harness.rehearsals.alert_drill import exporter, history
from harness.rehearsals.alert_drill.types import BUDGET, ERRORS, LATENCY, USERS, AlertDrillDetails, AlertDrillPlan

_MS = 1_000_000
#: What a call may take (s) by the alert on latency, and by its objective.
ALERT_S, OBJECTIVE_S = 0.6, 0.5
Pair = tuple[Counter, Counter]


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """The stretches in which an alert of a job had to fire, in ms from the load's begin; ``severity`` "": it has one
    alone. It is held for ``for_s``, and reaches ``routes``."""

    alert: str
    objective: str
    job: str
    severity: str
    for_s: float
    routes: tuple[Route, ...]
    spells: tuple[Spell, ...]


def due(plan: AlertDrillPlan, alerts: Iterable[Alert], details: AlertDrillDetails, evidence: Gathered) -> Iterator[Due]:
    """Of every alert as written, those on requests by what users saw; then of the burn-rate alerts of each objective
    that names them: the page, then the ticket."""
    readings = _Readings(plan, details, evidence)
    for alert in alerts:
        held = readings.held(alert, *readings.of(alert))
        yield Due(
            alert=alert.name, objective=alert.objective, job=USERS if alert.name in (ERRORS, LATENCY) else "",
            severity="", for_s=alert.for_s, routes=alert.routes,
            spells=tuple(spells(states(held, round(alert.for_s * 1000)))),
        )  # fmt: skip
    for objective in (each for each in plan.objectives if each.alert):
        for pages, urgency in BURN_URGENCY.items():
            held = readings.burning(objective, pages=pages)
            yield Due(
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
