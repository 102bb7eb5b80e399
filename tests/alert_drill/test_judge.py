"""The judge of the drill: right on a drill that went as it must, and failing on each thing that may go wrong."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.clock import NS
from harness.evidence.store import Gathered
from harness.model.judgement import Verdict
from harness.rehearsals.alert_drill import facts
from harness.rehearsals.alert_drill.expected import at_once, tolerance_s
from harness.rehearsals.alert_drill.facts import burn_tolerance_s, compared, shown
from harness.rehearsals.alert_drill.types import AVAILABILITY, BUDGET, CLAIM, CLAIMS, LATENCY, AlertDrillDetails, Firing
from tests.alert_drill.made import ERRORS, PLANNED, TARGET, drilled, judged

BURNS = ("burn.page.fires", "burn.page.routes", "burn.ticket.fires", "burn.ticket.routes")
WHAT = ("fires", "quiet", "resolves", "routes")


def burns(details: AlertDrillDetails) -> dict[str, Verdict]:
    """Those of the burn rates."""
    return {name: verdict for name, verdict in verdicts(details).items() if name in BURNS}


def verdicts(details: AlertDrillDetails) -> dict[str, Verdict]:
    """By id."""
    return {each.id: each.verdict for each in judged(PLANNED, details, drilled()[1])}


def test_a_drill_that_went_as_it_must_passes() -> None:
    """Four alerts, four things each, and every claim; the document's mistakes are shown."""
    found = verdicts(drilled()[0])
    assert {name: found[name] for name in found if name.startswith(("alert.", "slo."))} == dict.fromkeys(
        [*(f"{claim}.{what}" for claim in CLAIM.values() for what in WHAT), *CLAIMS[len(CLAIM) :]], Verdict.PASS
    )
    assert burns(drilled()[0]) == dict.fromkeys(BURNS, Verdict.PASS)
    shown = {each.erratum for each in judged(PLANNED, *drilled()) if each.verdict is Verdict.ERRATUM_SHOWN}
    assert shown == {
        "alert.pagerduty_phase4", "alert.error_ratio_blind", "alert.availability_no_window", "alert.gap_to_objective",
    }  # fmt: skip


def test_of_a_drill_whose_alerts_neither_fire_nor_arrive_nothing_passes_but_the_quiet() -> None:
    details, evidence = drilled()
    details.firings, details.burns, details.deliveries = [], [], []
    found = {each.id: each for each in judged(PLANNED, details, evidence) if each.id not in CLAIMS[len(CLAIM) + 3 :]}
    passed = {id_ for id_, each in found.items() if each.verdict is Verdict.PASS}
    assert passed == {f"{claim}.quiet" for claim in CLAIM.values()} | {"scrape.target", "scrape.sidecars"}
    assert {each.gates for each in found.values()} == {True} and not any(each.erratum for each in found.values())


def changed(name: str, **to: int | None) -> AlertDrillDetails:
    """The first firing of an alert, otherwise than it was."""
    details = drilled()[0]
    at = next(n for n, each in enumerate(details.firings) if each.alert == name)
    details.firings[at] = msgspec.structs.replace(details.firings[at], **to)
    return details


@pytest.mark.parametrize("name", CLAIM)
def test_an_alert_that_never_fired_fails(name: str) -> None:
    """Not inconclusive: it had to."""
    details = drilled()[0]
    details.firings = [each for each in details.firings if each.alert != name]
    found = verdicts(details)
    assert found[f"{CLAIM[name]}.fires"] is Verdict.FAIL
    assert found[f"{CLAIM[name]}.resolves"] is Verdict.FAIL


def test_one_that_fires_too_late_fails() -> None:
    """By more than an evaluation and a scrape."""
    details = drilled()[0]
    first = next(each for each in details.firings if each.alert == ERRORS)
    late = first.fired_ns + round((tolerance_s(PLANNED) + 0.1) * NS)
    assert verdicts(changed(ERRORS, fired_ns=late))["alert.error_ratio.fires"] is Verdict.FAIL


def test_one_that_does_not_resolve_fails() -> None:
    """It went on."""
    assert verdicts(changed(ERRORS, resolved_ns=None))["alert.error_ratio.resolves"] is Verdict.FAIL


def quick() -> Gathered:
    """The evidence without what was slower than the objective of the latency: its budget is never spent."""
    evidence = Gathered()
    evidence.see(row for row in drilled()[1].requests if row.done_ns - row.due_ns < NS // 2)
    evidence.see(drilled()[1].probes)
    return evidence


def test_a_budget_that_never_had_to_fire_leaves_its_alert_open() -> None:
    """Two of three budgets are not all: of its firing, its end and its routes nothing was seen."""
    details, _ = drilled()
    details.firings = [each for each in details.firings if each.objective != "latency"]
    found = {each.id.removeprefix("alert.error_budget."): each for each in judged(PLANNED, details, quick())}
    for what in ("fires", "resolves", "routes"):
        assert found[what].verdict is Verdict.INCONCLUSIVE and "latency it never" in found[what].reason
    details.firings = [each for each in details.firings if each.objective != "errors"]
    missed = {each.id: each.verdict for each in judged(PLANNED, details, quick())}
    assert missed["alert.error_budget.fires"] is missed["alert.error_budget.resolves"] is Verdict.FAIL


def test_a_budget_that_cannot_come_back_within_a_drill_is_named() -> None:
    """30 days of made history are above what it may spend: the others resolve, and of it nothing is said."""
    found = {each.id: each for each in judged(PLANNED, *drilled())}["alert.error_budget.resolves"]
    assert found.verdict is Verdict.PASS and "of availability it never had to" in found.reason


def test_one_that_had_to_fire_from_the_first_evaluation_on_and_did_fires_when_it_must(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """How early it fired is not known, and it is not missed."""
    whole = compared(PLANNED, *drilled())
    budget = [(each, pairs) for each, pairs in whole if each.objective == "availability" and not each.severity][-1:]
    assert budget[0][0].alert == BUDGET and at_once(budget[0][1][0])
    monkeypatch.setattr(facts, "compared", lambda *_: budget)
    assert verdicts(drilled()[0])["alert.error_budget.fires"] is Verdict.PASS


def test_one_that_had_to_fire_from_the_first_evaluation_on_and_fired_a_minute_late_fails() -> None:
    """As where its rule has it held for a while."""
    details = drilled()[0]
    at = next(n for n, f in enumerate(details.firings) if (f.alert, f.objective) == (BUDGET, "availability"))
    late = msgspec.structs.replace(details.firings[at], fired_ns=details.origin_ns + 60 * NS)
    details.firings[at] = late
    assert verdicts(details)["alert.error_budget.fires"] is Verdict.FAIL


def test_one_that_fires_without_a_cause_fails() -> None:
    """Within the breach that is too short."""
    details = drilled()[0]
    at_ns = details.planted[0].begun_ns
    details.firings.append(Firing(alert=ERRORS, objective="", job="users", fired_ns=at_ns, resolved_ns=at_ns + NS))
    assert verdicts(details)["alert.error_ratio.quiet"] is Verdict.FAIL


def test_one_that_had_to_fire_in_a_breach_that_was_to_be_too_small_is_inconclusive() -> None:
    """On a busy machine 510 ms are more than 600: the alert did right, and shows nothing of its quiet."""
    trials = tuple(
        msgspec.structs.replace(each, fires=()) if each.name == "errors" else each for each in PLANNED.trials
    )
    plan = msgspec.structs.replace(PLANNED, trials=trials)
    quiet = next(each for each in judged(plan, *drilled()) if each.id == "alert.error_ratio.quiet")
    assert quiet.verdict is Verdict.INCONCLUSIVE and quiet.holds
    assert "1 times what was seen went above its limit" in quiet.reason


def test_a_breach_in_which_an_alert_fired_shows_no_gap() -> None:
    """It was not quiet."""
    details, evidence = drilled()
    small = next(each for each in details.planted if each.trial == "errors_below_limit")
    details.firings.append(Firing(alert=ERRORS, objective="", job="users", fired_ns=small.begun_ns, resolved_ns=None))
    gap = next(each for each in judged(PLANNED, details, evidence) if each.id == "drill.gap")
    assert gap.reason == "quiet, as written, in latency_below_limit"


@pytest.mark.parametrize(
    ("void", "of"),
    [
        ("errors_too_short", "error_ratio"), ("errors_below_limit", "error_ratio"),
        ("latency_too_short", "latency_p95"), ("latency_below_limit", "latency_p95"),
    ],
)  # fmt: skip
def test_a_breach_that_did_nothing_shows_neither_quiet_nor_gap(void: str, of: str) -> None:
    """Of the alert that it is about; of the others it does not count."""
    found = {each.id: each for each in judged(PLANNED, *drilled(void))}
    quiet = {name: found[f"{claim}.quiet"] for name, claim in CLAIM.items()}
    assert {each.id for each in quiet.values() if each.holds} == {f"alert.{of}.quiet"}
    assert f"does not show the breach of {void}: " in found[f"alert.{of}.quiet"].reason
    assert quiet[AVAILABILITY].samples == 5
    assert void not in found["drill.gap"].reason


def test_without_evidence_no_quiet_and_no_gap_is_shown() -> None:
    """That nothing fired is all that there is."""
    details, _ = drilled()
    found = {each.id: each for each in judged(PLANNED, details, Gathered())}
    assert {found[f"{claim}.quiet"].holds for claim in CLAIM.values()} == {True}
    assert not {"drill.gap", "drill.blind"} & found.keys()


@pytest.mark.parametrize("stands_still_s", [0.0, 0.4, 12.0])
def test_a_machine_that_stands_still_for_a_moment_makes_no_other_breach(stands_still_s: float) -> None:
    """Of 23 s above the objective's 500 ms and below the alert's 600."""
    details, evidence = drilled()
    at = next(each for each in details.planted if each.trial == "latency_below_limit")
    late = Gathered()
    late.see(evidence.probes)
    until_ns = at.begun_ns + round(stands_still_s * NS)
    late.see(
        msgspec.structs.replace(row, due_ns=row.due_ns - NS) if at.begun_ns < row.done_ns < until_ns else row
        for row in evidence.requests
    )
    assert ("latency_below_limit" in shown(PLANNED, details, late)) is (stands_still_s < 10)


def test_each_of_the_four_things_of_each_alert_shows_the_work_item() -> None:
    shown = {each.id for each in judged(PLANNED, *drilled()) if "phase2.monitoring" in each.also}
    assert shown == {f"{claim}.{what}" for claim in CLAIM.values() for what in WHAT} | set(BURNS)


@pytest.mark.parametrize("route", ["slack", "pagerduty"])
def test_a_notification_that_did_not_come_fails(route: str) -> None:
    """On each of the alert's routes."""
    details = drilled()[0]
    details.deliveries = [each for each in details.deliveries if not (each.alert == ERRORS and each.route == route)]
    found = verdicts(details)
    assert found["alert.error_ratio.routes"] is Verdict.FAIL
    assert found["alert.route.pagerduty"] is (Verdict.FAIL if route == "pagerduty" else Verdict.PASS)


def test_a_notification_to_somebody_else_fails() -> None:
    """The mailing list is not told of errors."""
    details = drilled()[0]
    first = next(each for each in details.deliveries if each.alert == ERRORS)
    details.deliveries.append(msgspec.structs.replace(first, route="email"))
    assert verdicts(details)["alert.error_ratio.routes"] is Verdict.FAIL


def test_a_notification_that_the_real_service_would_refuse_fails() -> None:
    """It came, and did not count."""
    details = drilled()[0]
    details.deliveries = [
        msgspec.structs.replace(each, flaw="channel #general") if each.route == "slack" else each
        for each in details.deliveries
    ]
    found = verdicts(details)
    assert found["alert.route.slack"] is Verdict.FAIL
    assert found["alert.latency_p95.routes"] is Verdict.FAIL


def test_no_evidence_is_no_pass() -> None:
    """Of a drill that broke before Prometheus was asked only the budgets are judged."""
    found = verdicts(AlertDrillDetails())
    assert set(found) == {"slo.availability.budget", "slo.latency_p95.budget", "slo.error_ratio.budget"}


def first_of(found: AlertDrillDetails, trial: str) -> int:
    """When it began."""
    return next(each.begun_ns for each in found.planted if each.trial == trial)


@pytest.mark.parametrize("lasts_ns", [None, 10 * NS])
def test_an_alert_that_was_on_before_a_breach_began_shows_no_gap(lasts_ns: int | None) -> None:
    """It was not quiet in it."""
    details, evidence = drilled()
    begun_ns = first_of(details, "latency_below_limit") - 1
    ends_ns = None if lasts_ns is None else begun_ns + lasts_ns
    details.firings.append(Firing(alert=LATENCY, objective="", job="users", fired_ns=begun_ns, resolved_ns=ends_ns))
    gap = next(each for each in judged(PLANNED, details, evidence) if each.id == "drill.gap")
    assert gap.reason == "quiet, as written, in errors_below_limit"


def test_nor_does_one_that_never_fired() -> None:
    """It may be dead."""
    details, evidence = drilled()
    details.firings = [each for each in details.firings if each.alert != LATENCY]
    gap = next(each for each in judged(PLANNED, details, evidence) if each.id == "drill.gap")
    assert gap.reason == "quiet, as written, in errors_below_limit"


def test_a_notification_of_the_end_is_no_page() -> None:
    details, evidence = drilled()
    paged = next(each for each in judged(PLANNED, details, evidence) if each.id == "drill.pagerduty")
    assert " 2 times" in paged.reason
    details.deliveries = [each for each in details.deliveries if each.resolved]
    assert "drill.pagerduty" not in verdicts(details)


def test_a_burn_rate_that_pages_after_the_alert_as_written_shows_no_want_of_a_window() -> None:
    details = drilled()[0]
    last_ns = max(each.fired_ns for each in details.firings)
    details.burns = [msgspec.structs.replace(each, fired_ns=last_ns + NS) for each in details.burns]
    assert "drill.window" not in verdicts(details)


def test_the_blind_alert_is_not_shown_where_it_was_on_when_the_outage_began() -> None:
    """Nor is it where the target has no counters that it asks for, nor where the outage was none."""
    details = drilled()[0]
    early = Firing(alert=ERRORS, objective="", job=TARGET, fired_ns=first_of(details, "outage") - NS, resolved_ns=None)
    details.firings.append(early)
    assert "drill.blind" not in verdicts(details)
    details.firings[-1] = msgspec.structs.replace(early, resolved_ns=early.fired_ns + NS // 2)
    assert "drill.blind" in verdicts(details)
    emitted: list[dict[str, dict[str, tuple[str, ...]]]]
    emitted = [{}, {"go_goroutines": {}}, {"http_requests_total": {"route": ("/healthz",)}}]
    for details.emitted in emitted:
        assert "drill.blind" not in verdicts(details)


def test_the_blind_alert_is_not_shown_where_the_target_s_counters_fired_too() -> None:
    """Then they saw the outage."""
    details = drilled()[0]
    at_ns = details.planted[-1].begun_ns + NS
    details.firings.append(Firing(alert=ERRORS, objective="", job=TARGET, fired_ns=at_ns, resolved_ns=None))
    assert "drill.blind" not in verdicts(details)


def test_nor_where_nobody_scraped_them() -> None:
    """An alert on what nobody scrapes is quiet whatever happens."""
    details = drilled()[0]
    details.scraped = 0
    assert "drill.blind" not in verdicts(details)


# -- the burn rates -----------------------------------------------------------------------------------------------------

EACH = pytest.mark.parametrize("severity", ["critical", "warning"])
OBJECTIVE = pytest.mark.parametrize("objective", ["availability", "errors", "latency"])
KIND = {"critical": "burn.page", "warning": "burn.ticket"}


def but(severity: str, what: str, verdict: Verdict = Verdict.FAIL) -> dict[str, Verdict]:
    """Everything well but one."""
    return dict.fromkeys(BURNS, Verdict.PASS) | {f"{KIND[severity]}.{what}": verdict}


@EACH
@OBJECTIVE
def test_a_burn_rate_alert_that_never_fired_fails(severity: str, objective: str) -> None:
    """A page or a ticket, of each objective; nothing of it is delivered then."""
    details = drilled()[0]
    own = [each for each in details.burns if (each.objective, each.severity) == (objective, severity)]
    assert own
    details.burns = [each for each in details.burns if each not in own]
    kind = KIND[severity]
    assert burns(details) == but(severity, "fires") | {f"{kind}.routes": Verdict.INCONCLUSIVE}


@EACH
@OBJECTIVE
@pytest.mark.parametrize("sooner", [True, False])
def test_a_burn_rate_alert_that_fires_at_another_time_fails(severity: str, objective: str, *, sooner: bool) -> None:
    """By more than two evaluations and a scrape, for the first time."""
    details = drilled()[0]
    off_ns = round((burn_tolerance_s(PLANNED) + 0.1) * NS)
    at = next(n for n, f in enumerate(details.burns) if (f.objective, f.severity) == (objective, severity))
    moved = details.burns[at].fired_ns + (-off_ns if sooner else off_ns)
    details.burns[at] = msgspec.structs.replace(details.burns[at], fired_ns=moved)
    assert burns(details)[f"{KIND[severity]}.fires"] is Verdict.FAIL


@EACH
def test_a_burn_rate_alert_without_a_cause_fails(severity: str) -> None:
    """It fired, and was delivered, before anything was broken."""
    details = drilled()[0]
    own = next(each for each in details.burns if (each.objective, each.severity) == ("latency", severity))
    early = msgspec.structs.replace(own, fired_ns=details.origin_ns, resolved_ns=details.origin_ns + NS)
    details.burns.insert(0, early)
    assert burns(details)[f"{KIND[severity]}.fires"] is Verdict.FAIL


@EACH
@OBJECTIVE
def test_a_burn_rate_alert_that_reaches_slack_under_the_other_s_name_alone_fails(severity: str, objective: str) -> None:
    """Slack is told of a page and of a ticket by the same name: the severity tells them apart."""
    details = drilled()[0]
    details.deliveries = [
        each
        for each in details.deliveries
        if (each.route, each.objective, each.severity) != ("slack", objective, severity)
    ]
    assert burns(details) == but(severity, "routes")


def test_a_ticket_that_pages_fails() -> None:
    """Nobody is woken by a ticket."""
    details = drilled()[0]
    ticket = next(each for each in details.deliveries if each.severity == "warning")
    details.deliveries.append(msgspec.structs.replace(ticket, route="pagerduty"))
    assert burns(details) == but("warning", "routes")


def test_a_drill_in_which_an_objective_never_had_to_burn_says_nothing_of_it() -> None:
    """Two of three are not all."""
    details, _ = drilled()
    details.burns = [each for each in details.burns if each.objective != "latency"]
    found = {each.id: each for each in judged(PLANNED, details, quick())}
    assert found["burn.page.fires"].verdict is found["burn.ticket.fires"].verdict is Verdict.INCONCLUSIVE
    assert "had to fire for 2 of 3 objectives" in found["burn.page.fires"].reason
