"""What a drill shows of the document's own mistakes, and the budgets recomputed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.model.judgement import Judgement, Kind, observation
from harness.model.message import Message, Told, message
from harness.model.verdict import Verdict
from harness.objectives.alerts import BURN_URGENCY
from harness.objectives.budget import budget_s
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


def errata(details: AlertDrillDetails) -> Iterator[Judgement]:
    """What the drill shows of the document's own mistakes."""
    paged = [
        each for each in details.deliveries if each.route == "pagerduty" and each.alert == ERRORS and not each.flaw
    ]
    if paged:
        told = message("the alert on errors paged by PagerDuty {count} times, which the routes have in Phase 4 alone",
                       count=str(len(paged)))  # fmt: skip
        yield observation("drill.pagerduty", (told,), erratum=ERRATUM_PHASE)
    outage = next((each for each in details.planted if each.trial == "outage"), None)
    if outage is None:
        return
    by_job = {
        job: [f for f in _of(details.firings, ERRORS, job) if f.fired_ns >= outage.begun_ns] for job in (USERS, TARGET)
    }
    if by_job[USERS] and not by_job[TARGET] and (details.scraped or details.targets):
        yield observation("drill.blind", (_blind(outage.ended_ns - outage.begun_ns),), erratum=ERRATUM_BLIND)
    yield from _window(details, details.planted[0].begun_ns)
    small = [
        each.trial
        for each in details.planted
        if each.trial.endswith("_below_limit")
        and not any(f.job == USERS and each.begun_ns <= f.fired_ns <= each.ended_ns for f in details.firings)
    ]
    if small:
        told_gap: Told = (message("quiet, as written, in {trials}", trials=", ".join(small)),)
        yield observation("drill.gap", told_gap, erratum=ERRATUM_GAP)


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
    if burns and written:
        told = message(
            "the burn rate paged {burn} s after the first breach began, the alert as written {written} s after: over "
            "30 days, of which the made history had nearly spent what it allows",
            burn=f"{(burns[0] - begun_ns) / _NS:.0f}",
            written=f"{(written[0] - begun_ns) / _NS:.0f}",
        )
        yield observation("drill.window", (told,), erratum=ERRATUM_WINDOW)


def _of(firings: Iterable[Firing], alert: str, job: str = "") -> list[Firing]:
    return [each for each in firings if (each.alert, each.job) == (alert, job)]
