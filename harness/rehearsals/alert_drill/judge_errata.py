"""What a drill shows of the document's own mistakes, and the budgets recomputed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from harness.model.judgement import Judgement, Kind, observation
from harness.model.message import Message, Told, message
from harness.model.verdict import Verdict
from harness.objectives.alerts import BURN_URGENCY
from harness.objectives.budget import budget_s
from harness.rehearsals.alert_drill.judge_breaches import about, below_limit
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

_NS = 1_000_000_000
TICKET = BURN_URGENCY[False].severity
ERRATUM_PHASE, ERRATUM_BLIND = "alert.pagerduty_phase4", "alert.error_ratio_blind"
ERRATUM_WINDOW, ERRATUM_GAP = "alert.availability_no_window", "alert.gap_to_objective"
#: Error Budget as the document prints it: 43 minutes a month, 5 % and 1 % of requests.
_PRINTED = {"availability": 43.0, "latency": 0.05, "errors": 0.01}


def budgets(plan: AlertDrillPlan) -> Iterator[Judgement]:
    """The budget of each objective, recomputed from its target and window."""
    for each in plan.objectives:
        claim, printed = BUDGET_CLAIM[each.name], _PRINTED[each.name]
        minutes = each.name == "availability"
        value = budget_s(each.target, each.days) / 60 if minutes else each.budget
        right = int(value) == printed if minutes else value == printed
        shown = message("{share} % of requests", share=f"{value * 100:g}")
        if minutes:
            shown = message("{minutes} minutes", minutes=f"{value:.1f}")
        target, days = f"{each.target * 100:g}", str(each.days)
        told = message("{target} % over {days} days leave {budget}", target=target, days=days, budget=shown)
        yield Judgement(
            id=claim, claim=claim, kind=Kind.CHECK, verdict=Verdict.PASS if right else Verdict.FAIL, told=(told,),
            asked=(message("the budget is what the target leaves"),), samples=1,
        )  # fmt: skip


def errata(plan: AlertDrillPlan, details: AlertDrillDetails, seen: Collection[str]) -> Iterator[Judgement]:
    """What the drill shows of the document's own mistakes, by the trials that were ``seen``."""
    paged = [
        each
        for each in details.deliveries
        if each.route == "pagerduty" and each.alert == ERRORS and not each.flaw and not each.resolved
    ]
    if paged:
        told = message("the alert on errors paged by PagerDuty {count} times, which the routes have in Phase 4 alone",
                       count=str(len(paged)))  # fmt: skip
        yield observation("drill.pagerduty", (told,), erratum=ERRATUM_PHASE)
    outage = next((each for each in details.planted if each.trial == "outage"), None)
    if outage is None:
        return
    by_users = [f for f in _of(details.firings, ERRORS, USERS) if f.fired_ns >= outage.begun_ns]
    by_target = [f for f in _of(details.firings, ERRORS, TARGET) if _on(f, outage.begun_ns, details.asked_ns)]
    if outage.trial in seen and by_users and not by_target and details.scraped != 0 and _counts(details):
        yield observation("drill.blind", (_blind(outage.ended_ns - outage.begun_ns),), erratum=ERRATUM_BLIND)
    yield from _window(details, details.planted[0].begun_ns)
    if small := list(_quiet_below(plan, details, seen)):
        told_gap: Told = (message("quiet, as written, in {trials}", trials=", ".join(small)),)
        yield observation("drill.gap", told_gap, erratum=ERRATUM_GAP)


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


def _blind(lasted_ns: int) -> Message:
    return message(
        "nothing reached the API for {seconds} s: by what users saw the alert on errors fired, by the API's own "
        "counters it did not, for they stood still",
        seconds=f"{lasted_ns / _NS:.0f}",
    )


def _window(details: AlertDrillDetails, begun_ns: int) -> Iterator[Judgement]:
    """The burn rate beside the alert as written, from the first breach that probes saw."""
    burns = sorted(
        f.fired_ns
        for f in details.burns
        if f.fired_ns >= begun_ns and f.objective == "availability" and f.severity != TICKET
    )
    written = sorted(f.fired_ns for f in _of(details.firings, AVAILABILITY) if f.fired_ns >= begun_ns)
    if burns and written and burns[0] < written[0]:
        told = message(
            "the burn rate paged {burn} s after the first breach began, the alert as written {written} s after: over "
            "30 days, of which the made history had nearly spent what it allows",
            burn=f"{(burns[0] - begun_ns) / _NS:.0f}",
            written=f"{(written[0] - begun_ns) / _NS:.0f}",
        )
        yield observation("drill.window", (told,), erratum=ERRATUM_WINDOW)


def _of(firings: Iterable[Firing], alert: str, job: str = "") -> list[Firing]:
    return [each for each in firings if (each.alert, each.job) == (alert, job)]
