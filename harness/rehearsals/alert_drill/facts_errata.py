"""What a drill shows of the document's own mistakes, and the budgets recomputed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from harness.base.message import gettext_noop
from harness.model.message import message
from harness.rehearsals.alert_drill.facts_breaches import about, below_limit
from harness.rehearsals.alert_drill.types import (
    AVAILABILITY,
    BUDGET_CLAIM,
    ERRORS,
    TARGET,
    USERS,
    AlertDrillDetails,
    AlertDrillPlan,
    Firing,
)
from harness.rules.fact import Fact, FactsOf
from harness.rules.objectives.alerts import BURN_URGENCY
from harness.rules.objectives.budget import budget_s

PHRASES = {
    "budget.left": gettext_noop("{target} % over {days} days leave {budget}"),
    "budget.printed": gettext_noop("the document prints {seen}"),
    "errors.paged": gettext_noop(
        "the alert on errors paged by PagerDuty {seen} times, which the routes have in Phase 4 alone"
    ),
    "outage.by_users": gettext_noop(
        "nothing reached the API for {seconds} s: by what users saw the alert on errors fired, by the API's own "
        "counters it did not, for they stood still"
    ),
    "outage.met": gettext_noop("users met the outage: {seen}"),
    "outage.by_target": gettext_noop("by the API's own counters it fired {seen} times"),
    "outage.counters": gettext_noop("counters that the alert asks for, and were scraped: {seen}"),
    "window.burn_s": gettext_noop(
        "the burn rate paged {burn} s after the first breach began, the alert as written {written} s after: over 30 "
        "days, of which the made history had nearly spent what it allows"
    ),
    "window.written_s": gettext_noop("the alert as written fired {seen} after the first breach began"),
    "gap.quiet": gettext_noop("quiet, as written, in {trials}"),
}
_NS = 1_000_000_000
TICKET = BURN_URGENCY[False].severity
#: Error Budget as the document prints it: 43 minutes a month, 5 % and 1 % of requests.
_PRINTED = {"availability": 43.0, "latency": 0.05, "errors": 0.01}


def budgets(plan: AlertDrillPlan) -> Iterator[Fact]:
    """The budget of each objective, recomputed from its target and window; whole minutes, as the document prints."""
    for each in plan.objectives:
        fact = FactsOf(PHRASES, case=BUDGET_CLAIM[each.name].split(".")[1])
        value, target = each.budget, f"{each.target * 100:g}"
        left = message("{share} % of requests", share=f"{value * 100:g}")
        if each.name == "availability":
            minutes = budget_s(each.target, each.days) / 60
            value, left = float(int(minutes)), message("{minutes} minutes", minutes=f"{minutes:.1f}")
        yield fact("budget.left", value, of=1, target=target, days=str(each.days), budget=left)
        yield fact("budget.printed", _PRINTED[each.name])


def errata(plan: AlertDrillPlan, details: AlertDrillDetails, seen: Collection[str]) -> Iterator[Fact]:
    """What the drill shows of the document's own mistakes, by the trials that were ``seen``."""
    fact, taken = FactsOf(PHRASES), [each for each in details.deliveries if not each.flaw and not each.resolved]
    yield fact("errors.paged", sum((each.route, each.alert) == ("pagerduty", ERRORS) for each in taken))
    outage = next((each for each in details.planted if each.trial == "outage"), None)
    if outage is None:
        return
    by_users = [f for f in _of(details.firings, ERRORS, USERS) if f.fired_ns >= outage.begun_ns]
    by_target = [f for f in _of(details.firings, ERRORS, TARGET) if _on(f, outage.begun_ns, details.asked_ns)]
    yield fact("outage.by_users", len(by_users), seconds=f"{(outage.ended_ns - outage.begun_ns) / _NS:.0f}")
    yield fact("outage.by_target", len(by_target))
    yield fact("outage.met", int(outage.trial in seen))
    yield fact("outage.counters", int(details.scraped != 0 and _counts(details)))
    yield from _window(fact, details, details.planted[0].begun_ns)
    small = list(_quiet_below(plan, details, seen))
    yield fact("gap.quiet", len(small), trials=", ".join(small))


def _counts(details: AlertDrillDetails) -> bool:
    """Whether Prometheus had of the target itself what the alert on errors asks for."""
    return any(each.startswith("/v1/") for each in details.emitted.get("http_requests_total", {}).get("route", ()))


def _quiet_below(plan: AlertDrillPlan, details: AlertDrillDetails, seen: Collection[str]) -> Iterator[str]:
    """The breaches between an objective and the limit of its alert that were seen, and in which this alert, which did
    fire in another, was not on at any time."""
    planted = {each.trial: each for each in details.planted}
    for trial in (each for each in plan.trials if below_limit(each) and each.name in seen):
        own, at = _of(details.firings, about(trial), USERS), planted[trial.name]
        if own and not any(_on(f, at.begun_ns, at.ended_ns) for f in own):
            yield trial.name


def _on(firing: Firing, begun_ns: int, ended_ns: int) -> bool:
    return firing.fired_ns <= ended_ns and (firing.resolved_ns is None or firing.resolved_ns >= begun_ns)


def _window(fact: FactsOf, details: AlertDrillDetails, begun_ns: int) -> Iterator[Fact]:
    """The burn rate beside the alert as written, from the first breach that probes saw."""
    burns = [f for f in details.burns if f.objective == "availability" and f.severity != TICKET]
    firsts = [
        min((f.fired_ns for f in its if f.fired_ns >= begun_ns), default=None)
        for its in (burns, _of(details.firings, AVAILABILITY))
    ]
    burn_s, written_s = (None if at_ns is None else (at_ns - begun_ns) / _NS for at_ns in firsts)
    if burn_s is not None and written_s is not None:
        yield fact("window.burn_s", burn_s, burn=f"{burn_s:.0f}", written=f"{written_s:.0f}")
        yield fact("window.written_s", written_s)


def _of(firings: Iterable[Firing], alert: str, job: str = "") -> list[Firing]:
    return [each for each in firings if (each.alert, each.job) == (alert, job)]
