"""What is said of the burn-rate alerts: on time, off by a millisecond too much, missed, without a cause."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.base.clock import NS
from harness.base.units import Unit
from harness.model.judgement import Expected, Judgement, Kind, Verdict
from harness.model.message import english
from harness.rehearsals.alert_drill.expected import FiringDue, paired
from harness.rehearsals.alert_drill.facts import BURNS, burns
from harness.rehearsals.alert_drill.rehearsal import REHEARSAL
from harness.rehearsals.alert_drill.types import AlertDrillDetails, Delivery, Firing
from harness.rules import engine
from harness.rules.objectives.alerts import BURN_URGENCY
from harness.rules.objectives.firing import Spell
from tests.alert_drill import test_words
from tests.alert_drill.made import PLANNED
from tests.alert_drill.test_words import ORIGIN_NS, told
from tests.rehearsal.made import by_id

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
#: Two evaluations and one scrape of 15 s, by 30, and three quarters of a second.
TOLERANCE_S = 2.25
D = (40_000, 50_000)  # had to fire 40 s after the load began, and to resolve after 50
SEVERITY = {True: "critical", False: "warning"}


def due(*spells: tuple[int, int | None], objective: str = "availability", pages: bool = True) -> FiringDue:
    severity, routes = SEVERITY[pages], BURN_URGENCY[pages].routes
    return FiringDue(
        alert="Burns", objective=objective, job="", severity=severity, for_s=0.0, routes=routes,
        spells=tuple(Spell(*each) for each in spells),
    )  # fmt: skip


def fired(
    fired_ms: float, resolved_ms: float | None = None, objective: str = "availability", *, pages: bool = True
) -> Firing:
    found = test_words.fired(fired_ms, resolved_ms, "Burns")
    return msgspec.structs.replace(found, objective=objective, severity=SEVERITY[pages])


def said(id_: str, wanted: list[FiringDue], seen: list[Firing], **changes: Any) -> Judgement:
    """One judgement on what had to be beside what was; Prometheus was asked 200 s after the load began."""
    given: dict[str, Any] = {"origin_ns": ORIGIN_NS, "asked_ns": ORIGIN_NS + 200 * NS, "waits_s": (1.0, 2.0)}
    details = AlertDrillDetails(burns=seen, **given | changes)
    facts = burns(PLANNED, details, [(each, paired(details, each)) for each in wanted])
    return by_id(engine.judged([Expected("", each) for each in BURNS], REHEARSAL.rules, facts, PLANNED, ()))[id_]


def timed(each: Judgement) -> tuple[Verdict, float | None, int, tuple[str, ...]]:
    """What is said of a time: verdict, the largest that it was off by, samples and examples."""
    assert (each.unit, each.kind, each.gates) == (Unit.SECONDS, Kind.CRITERION, True)
    assert each.limit == TOLERANCE_S or each.verdict is not PASS
    assert each.claims == ("phase2.monitoring",)
    return each.verdict, each.value, each.samples, tuple(map(str, each.examples))


MISSED, STRAY = ("availability: missed",), ("availability: without a cause",)


@pytest.mark.parametrize(
    ("spells", "seen", "said_of"),
    [
        ([D], [fired(40_000, 50_000)], (PASS, 0.0, 1, ())),
        ([D], [fired(42_250, 52_000)], (PASS, 2.25, 1, ())),
        ([D], [fired(42_251, 52_000)], (FAIL, 2.251, 1, ())),
        ([D], [fired(37_750, 50_000)], (PASS, 2.25, 1, ())),
        ([D], [fired(37_749, 50_000)], (FAIL, 2.251, 1, STRAY)),
        ([D], [], (FAIL, None, 0, MISSED)),
        # what lasts no longer than twice the tolerance may lie between two evaluations
        ([(40_000, 44_500)], [], (UNKNOWN, None, 0, ())),
        ([(40_000, 44_501)], [], (FAIL, None, 0, MISSED)),
        ([(195_500, None)], [], (UNKNOWN, None, 0, ())),  # the drill was over
        ([(195_499, None)], [], (FAIL, None, 0, MISSED)),
        ([], [], (UNKNOWN, None, 0, ())),
        # the first that is long enough counts, and may have been seen as one with a short one before it
        ([(40_000, 44_000), (60_000, 70_000)], [fired(60_500, 70_000)], (PASS, 0.5, 1, ())),
        ([(40_000, 44_000), (60_000, 70_000)], [fired(40_500, 70_000)], (PASS, 0.5, 1, ())),
        ([(40_000, 44_000), (60_000, 70_000)], [fired(40_000, 44_000)], (FAIL, None, 0, MISSED)),
        ([D, (60_000, 70_000)], [fired(60_000, 70_000)], (FAIL, None, 0, MISSED)),
        ([D, (60_000, None)], [fired(40_000, 50_000), fired(190_000)], (PASS, 0.0, 1, ())),
        # it was on in it if it was at its very end, or at its very begin
        ([D], [fired(50_000, 60_000)], (FAIL, 10.0, 1, ())),
        ([D], [fired(50_001, 60_000)], (FAIL, None, 0, MISSED)),
        ([D], [fired(38_000, 40_000)], (PASS, 2.0, 1, ())),
        ([D], [fired(38_000, 39_999)], (FAIL, None, 0, MISSED)),
        # one more has its cause as long as the first one's windows may have been seen to
        ([D], [fired(40_000, 45_000), fired(52_250, 53_000)], (PASS, 0.0, 1, ())),
        ([D], [fired(40_000, 45_000), fired(52_251, 53_000)], (FAIL, 0.0, 1, STRAY)),
        (  # five of six are shown
            [D], [fired(40_000, 50_000), *(fired(60_000 + n, 60_000 + n) for n in range(6))],
            (FAIL, 0.0, 1, STRAY * 5),
        ),
    ],
)  # fmt: skip
def test_when_a_burn_rate_alert_fires(
    spells: list[tuple[int, int | None]], seen: list[Firing], said_of: tuple[Any, ...]
) -> None:
    assert timed(said("burn.page.fires", [due(*spells)], seen)) == said_of


def test_the_worst_of_the_objectives_counts_and_each_that_never_had_to_fire_is_missing() -> None:
    """Pages and tickets apart."""
    three = [due(D), due(D, objective="errors"), due(D, objective="latency")]
    seen = [fired(40_500, 50_000), fired(41_000, 50_000, "errors"), fired(40_250, 50_000, "latency")]
    ticket, of_ticket = due((60_000, 70_000), pages=False), fired(62_000, 70_000, pages=False)
    found = said("burn.page.fires", [*three, ticket], [*seen, of_ticket])
    assert timed(found) == (PASS, 1.0, 3, ())
    assert timed(said("burn.ticket.fires", [*three, ticket], [*seen, of_ticket])) == (PASS, 2.0, 1, ())
    found = said("burn.page.fires", three, seen[:1])
    missed = ("errors: missed", "latency: missed")
    assert timed(found) == (FAIL, 0.5, 1, missed)
    silent = [due(D), due(objective="errors"), due(objective="latency")]
    found = said("burn.page.fires", silent, seen[:1])
    assert timed(found) == (UNKNOWN, 0.5, 1, ())


@pytest.mark.parametrize(
    ("pages", "fires", "reaches"),
    [
        (True, "burn rates, page: fires when it must", "burn rates, page: reaches those whom it must"),
        (False, "burn rates, ticket: fires when it must", "burn rates, ticket: reaches those whom it must"),
    ],
)
def test_what_is_asked_of_pages_and_of_tickets(fires: str, reaches: str, *, pages: bool) -> None:
    kind = "burn.page" if pages else "burn.ticket"
    wanted, seen = [due(D, pages=pages)], [fired(40_000, 50_000, pages=pages)]
    asked = english(said(f"{kind}.fires", wanted, seen).asked)
    assert asked == f"{fires}, by our own arithmetic on what users and probes saw"
    assert english(said(f"{kind}.routes", wanted, seen).asked) == f"{reaches}, and nobody else"


def came(route: str, at_ms: float, *, resolved: bool = False, objective: str = "availability") -> Delivery:
    found = told(route, at_ms, resolved=resolved, alert="Burns")
    return msgspec.structs.replace(found, objective=objective, severity="critical")


ALL = [came(route, at_ms, resolved=at_ms > 45_000) for route in ("pagerduty", "slack") for at_ms in (41_000, 51_000)]
ROUTES = "fired for {} objectives; not delivered: {}"
ONE = [fired(40_000, 50_000)]


@pytest.mark.parametrize(
    ("seen", "deliveries", "verdict", "count", "lacking"),
    [
        (ONE, ALL, PASS, 1, ()),
        ([], [], UNKNOWN, 0, ()),  # nothing was there to be told
        (ONE, ALL[1:], FAIL, 1, ("pagerduty: firing availability",)),
        (ONE, ALL[:-1], FAIL, 1, ("slack: resolved availability",)),
        (ONE, [*ALL, came("email", 41_000)], FAIL, 1, ("email: not its route",)),
        (
            ONE, [], FAIL, 1,
            ("pagerduty: firing availability", "slack: firing availability", "pagerduty: resolved availability",
             "slack: resolved availability"),
        ),
        (  # five of six are shown
            [*ONE, fired(70_000)], [], FAIL, 1,
            ("pagerduty: firing availability", "slack: firing availability", "pagerduty: resolved availability",
             "slack: resolved availability", "pagerduty: firing availability"),
        ),
    ],
)  # fmt: skip
def test_whom_a_burn_rate_alert_reaches(
    seen: list[Firing], deliveries: list[Delivery], verdict: Verdict, count: int, lacking: tuple[str, ...]
) -> None:
    """An objective counts once, however often it fired."""
    found = said("burn.page.routes", [due(D)], seen, deliveries=deliveries)
    many = 6 if len(seen) == 2 else len(lacking)
    assert (found.verdict, found.samples) == (verdict, count) and ROUTES.format(count, many) in found.reason
    assert tuple(map(str, found.examples)) == lacking
    assert (found.claims, found.kind, found.gates) == (("phase2.monitoring",), Kind.CRITERION, True)


def test_an_objective_that_never_fired_leaves_open_whom_it_reaches() -> None:
    found = said("burn.page.routes", [due(D), due(objective="errors")], ONE, deliveries=ALL)
    assert (found.verdict, found.samples) == (UNKNOWN, 1) and "fired for 1 of 2 objectives" in found.reason
