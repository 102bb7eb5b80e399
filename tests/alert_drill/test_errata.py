"""What a drill shows of the document's own mistakes, to the word, and what is said of its budgets."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
import pytest

from harness.base.clock import NS
from harness.evidence.store import Gathered
from harness.model.judgement import Kind, Verdict
from harness.model.message import english
from harness.rehearsals.alert_drill.facts import errata
from harness.rehearsals.alert_drill.rehearsal import REHEARSAL
from harness.rehearsals.alert_drill.types import (
    AVAILABILITY,
    ERRORS,
    LATENCY,
    PROBES,
    TARGET,
    USERS,
    AlertDrillDetails,
    Delivery,
    Firing,
    PlantedBreach,
)
from harness.rules import engine
from tests.alert_drill.made import PLANNED, judged
from tests.alert_drill.test_words import ORIGIN_NS, fired, told
from tests.rehearsal.made import by_id

PASS, FAIL = Verdict.PASS, Verdict.FAIL
#: 20 to 30 s after the load began, 40 to 50, 60 to 70, 80 to 92.
PLANTED = [
    PlantedBreach(trial=name, begun_ns=ORIGIN_NS + begun_s * NS, ended_ns=ORIGIN_NS + (begun_s + lasts_s) * NS)
    for name, begun_s, lasts_s in (
        ("errors_below_limit", 20, 10), ("latency_below_limit", 40, 10), ("errors", 60, 10), ("outage", 80, 12),
    )
]  # fmt: skip
OUTAGE = frozenset({"outage"})


def shown(seen: Collection[str] = OUTAGE, **changes: Any) -> dict[str, tuple[str, str]]:
    """Each mistake that is shown, by the id of its judgement: its erratum and why."""
    given: dict[str, Any] = {
        "origin_ns": ORIGIN_NS,
        "asked_ns": ORIGIN_NS + 200 * NS,
        "planted": PLANTED,
        "emitted": {"http_requests_total": {"route": ("/healthz", "/v1/walks")}},
    }
    facts = errata(PLANNED, AlertDrillDetails(**given | changes), seen)
    found = by_id(engine.judged([], REHEARSAL.rules, facts, PLANNED, ()))
    assert all(each.verdict is Verdict.ERRATUM_SHOWN and not each.gates for each in found.values())
    return {each.id: (each.erratum, each.reason) for each in found.values()}


def of(job: str, fired_ms: float, resolved_ms: float | None = None, alert: str = ERRORS) -> Firing:
    """A firing of an alert on the requests of ``job``."""
    return msgspec.structs.replace(fired(fired_ms, resolved_ms, alert), job=job)


# -- the budgets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "claim", "to", "verdict", "reason"),
    [
        ("availability", "availability", {}, PASS, "99.9 % over 30 days leave 43.2 minutes"),
        ("availability", "availability", {"target": 0.99901}, FAIL, "99.901 % over 30 days leave 42.8 minutes"),
        ("availability", "availability", {"days": 28}, FAIL, "99.9 % over 28 days leave 40.3 minutes"),
        ("latency", "latency_p95", {}, PASS, "95 % over 7 days leave 5 % of requests"),
        ("latency", "latency_p95", {"target": 0.949}, FAIL, "94.9 % over 7 days leave 5.1 % of requests"),
        ("errors", "error_ratio", {}, PASS, "99 % over 7 days leave 1 % of requests"),
        ("errors", "error_ratio", {"target": 0.995, "days": 28}, FAIL, "99.5 % over 28 days leave 0.5 % of requests"),
    ],
)
def test_a_budget_is_what_its_target_and_days_leave(
    name: str, claim: str, to: dict[str, Any], verdict: Verdict, reason: str
) -> None:
    """The document prints 43 minutes, 5 % and 1 %: another target of an objective has another."""
    own = [msgspec.structs.replace(e, **to) if e.name == name else e for e in PLANNED.objectives]
    plan = msgspec.structs.replace(PLANNED, objectives=tuple(own))
    found = by_id(judged(plan, AlertDrillDetails(), Gathered()))
    mine = found.pop(f"slo.{claim}.budget")
    assert (mine.verdict, mine.claim, mine.samples) == (verdict, f"slo.{claim}.budget", 1)
    assert mine.reason.startswith(reason)
    assert (mine.kind, english(mine.asked)) == (Kind.CHECK, "the budget is what the target leaves")
    assert {each.verdict for each in found.values()} == {PASS}


# -- who is paged ------------------------------------------------------------------------------------------------------


def test_that_the_alert_on_errors_pages_is_counted_by_what_pagerduty_took() -> None:
    """Not what it would refuse, nor the end of a firing, nor another's alert, nor what came elsewhere."""
    others = [
        told("slack", 82_000),
        told("pagerduty", 82_000, flaw="no key"),
        told("pagerduty", 92_000, resolved=True),
        told("pagerduty", 82_000, alert=AVAILABILITY),
    ]
    paged: list[Delivery] = [told("pagerduty", 62_000), told("pagerduty", 82_000), told("pagerduty", 83_000)]
    reason = "the alert on errors paged by PagerDuty 3 times, which the routes have in Phase 4 alone"
    assert shown(deliveries=[*others, *paged]) == {"drill.pagerduty": ("alert.pagerduty_phase4", reason)}
    assert shown(deliveries=others) == {}


def test_of_a_drill_without_its_outage_only_the_pages_are_told() -> None:
    """Everything else is seen by it, or beside it."""
    whole: dict[str, Any] = {
        "seen": {each.trial for each in PLANTED},
        "firings": [of(USERS, 65_000, 70_000), of(USERS, 82_000), fired(90_000, alert=AVAILABILITY)],
        "burns": [burn(82_000)],
        "deliveries": [told("pagerduty", 82_000)],
    }
    assert {*shown(**whole)} == {"drill.pagerduty", "drill.blind", "drill.window", "drill.gap"}
    assert {*shown(**whole, planted=PLANTED[:-1])} == {"drill.pagerduty"}


# -- what the API's own counters do not see ----------------------------------------------------------------------------

BLIND = (
    "alert.error_ratio_blind",
    "nothing reached the API for 12 s: by what users saw the alert on errors fired, by the API's own counters it did "
    "not, for they stood still",
)


@pytest.mark.parametrize(
    ("firings", "blind"),
    [
        ([of(USERS, 82_000, 92_000)], True),
        ([of(USERS, 80_000)], True),
        ([], False),
        ([of(USERS, 79_999)], False),  # it was on already
        ([of(PROBES, 82_000)], False),
        ([fired(82_000)], False),
        ([of(USERS, 82_000, alert=LATENCY)], False),
        ([of(USERS, 82_000), of(TARGET, 83_000)], False),  # they saw it too
        ([of(USERS, 82_000), of(TARGET, 70_000, 80_000)], False),  # on when the outage began
        ([of(USERS, 82_000), of(TARGET, 70_000, 79_999)], True),
        ([of(USERS, 82_000), of(TARGET, 200_000)], False),  # until Prometheus was asked
        ([of(USERS, 82_000), of(TARGET, 83_000, alert=LATENCY)], True),
    ],
)
def test_an_outage_that_users_alone_see_shows_that_the_alert_is_blind(firings: list[Firing], *, blind: bool) -> None:
    """Its seconds are the outage's."""
    assert shown(firings=firings) == ({"drill.blind": BLIND} if blind else {})


@pytest.mark.parametrize(
    ("changes", "blind"),
    [
        ({}, True),
        ({"seen": ()}, False),  # no user met the outage
        ({"seen": ("errors",)}, False),
        ({"scraped": 0}, False),
        ({"scraped": 1}, True),
        ({"scraped": None}, True),  # a run of before did not count
        ({"emitted": {}}, False),
        ({"emitted": {"http_requests_total": {"status": ("200",)}}}, False),
        ({"emitted": {"http_requests_total": {"route": ("/healthz",)}}}, False),
        ({"emitted": {"http_requests_total": {"route": ("/v1/walks",)}}}, True),
        ({"emitted": {"http_requests_refused_total": {"route": ("/v1/walks",)}}}, False),
    ],
)
def test_that_an_alert_is_blind_is_shown_by_counters_that_it_could_have_seen(
    changes: dict[str, Any], *, blind: bool
) -> None:
    assert shown(firings=[of(USERS, 82_000)], **changes) == ({"drill.blind": BLIND} if blind else {})


# -- no window ---------------------------------------------------------------------------------------------------------


def burn(fired_ms: float, objective: str = "availability", severity: str = "critical") -> Firing:
    return msgspec.structs.replace(fired(fired_ms, alert="Burns"), objective=objective, severity=severity)


@pytest.mark.parametrize(
    ("burns", "written_ms", "seconds"),
    [
        ([burn(82_000)], [90_000], (62, 70)),
        ([burn(90_000), burn(20_000)], [91_000, 85_000], (0, 65)),  # the first of each, from the first breach on
        ([burn(19_999), burn(83_000)], [19_000, 20_000, 90_000], None),
        ([burn(19_999), burn(83_000)], [19_000, 90_000], (63, 70)),
        ([burn(90_000)], [90_000], None),  # no sooner
        ([burn(90_001)], [90_000], None),
        ([burn(82_000, "errors"), burn(82_000, severity="warning")], [90_000], None),
        ([burn(82_000, "errors"), burn(82_000, severity="warning"), burn(84_000)], [90_000], (64, 70)),
        ([], [90_000], None),
        ([burn(82_000)], [], None),
    ],
)
def test_a_burn_rate_that_pages_sooner_shows_the_want_of_a_window(
    burns: list[Firing], written_ms: list[float], seconds: tuple[int, int] | None
) -> None:
    """By a page about the availability, not a ticket; the seconds are from the first breach's begin."""
    firings = [fired(at_ms, alert=AVAILABILITY) for at_ms in written_ms]
    found = shown(burns=burns, firings=[of("", 70_000, alert=LATENCY), *firings])
    if seconds is None:
        assert found == {}
        return
    assert found == {"drill.window": (
        "alert.availability_no_window",
        f"the burn rate paged {seconds[0]} s after the first breach began, the alert as written {seconds[1]} s after: "
        "over 30 days, of which the made history had nearly spent what it allows",
    )}  # fmt: skip


# -- between the objective and the alert -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("firings", "trials"),
    [
        ([(ERRORS, 65_000, 70_000), (LATENCY, 65_000, 70_000)], "errors_below_limit, latency_below_limit"),
        ([(ERRORS, 65_000, 70_000)], "errors_below_limit"),  # the other never fired: it may be dead
        ([(ERRORS, 65_000, 70_000), (LATENCY, 35_000, 40_000)], "errors_below_limit"),  # to its very begin
        ([(ERRORS, 65_000, 70_000), (LATENCY, 35_000, 39_999)], "errors_below_limit, latency_below_limit"),
        ([(ERRORS, 65_000, 70_000), (LATENCY, 50_000, None)], "errors_below_limit"),  # from its very end
        ([(ERRORS, 65_000, 70_000), (LATENCY, 50_001, None)], "errors_below_limit, latency_below_limit"),
        ([(ERRORS, 25_000, None), (LATENCY, 30_000, None)], ""),
    ],
)
def test_a_breach_in_which_its_alert_is_quiet_shows_the_gap(
    firings: list[tuple[str, float, float | None]], trials: str
) -> None:
    """Between an objective and the limit of its alert."""
    small = {"errors_below_limit", "latency_below_limit"}
    found = shown(small, firings=[of(USERS, begin, end, alert) for alert, begin, end in firings])
    gap = {"drill.gap": ("alert.gap_to_objective", f"quiet, as written, in {trials}")}
    assert found == (gap if trials else {})
