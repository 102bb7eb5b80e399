"""What is said of stretches that had to be beside those that were: on time, too late by a
millisecond, missed, without a cause, told to the wrong people. Times of the load in ms, at 30 times the document's speed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec
import pytest

from harness.base.clock import NS
from harness.base.units import Unit
from harness.evidence.store import Gathered
from harness.model.judgement import Judgement, Verdict
from harness.model.message import english
from harness.rehearsals.alert_drill import facts
from harness.rehearsals.alert_drill.expected import FiringDue, Mine, StretchPair
from harness.rehearsals.alert_drill.types import (
    AVAILABILITY,
    BUDGET,
    CLAIM,
    ERRORS,
    AlertDrillDetails,
    AlertDrillPlan,
    Delivery,
    Firing,
    PlantedBreach,
)
from harness.rules.objectives.alerts import Route
from harness.rules.objectives.firing import Spell
from tests.alert_drill.made import PLANNED, judged
from tests.rehearsal.made import by_id

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
#: One evaluation and one scrape of 15 s, by 30, and three quarters of a second.
TOLERANCE_S = 1.75
ORIGIN_NS, MS = 1_000 * NS, 1_000_000
SCALED = "minutes divided by 30: no evidence for the document's own"
SLACK, EMAIL, PAGER = Route.SLACK, Route.EMAIL, Route.PAGERDUTY
#: Two trials in which errors are to fire, and two others; five seconds (150 s by 30) may pass until the next.
PLANTED = [
    PlantedBreach(trial=name, begun_ns=ORIGIN_NS + begun_s * NS, ended_ns=ORIGIN_NS + (begun_s + 10) * NS)
    for name, begun_s in (("errors_too_short", 20), ("errors", 40), ("latency", 60), ("outage", 80))
]


def of_trials(*names: str) -> AlertDrillPlan:
    """A plan of these trials alone."""
    return msgspec.structs.replace(PLANNED, trials=tuple(each for each in PLANNED.trials if each.name in names))


FOUR = of_trials(*(each.trial for each in PLANTED))
Said = Callable[..., Judgement]


def fired(fired_ms: float, resolved_ms: float | None = None, alert: str = ERRORS) -> Firing:
    ends_ns = None if resolved_ms is None else ORIGIN_NS + round(resolved_ms * MS)
    return Firing(alert=alert, objective="", job="", fired_ns=ORIGIN_NS + round(fired_ms * MS), resolved_ns=ends_ns)


def pair(due_ms: tuple[int, int | None] | None, seen: Firing | None) -> StretchPair:
    return StretchPair(None if due_ms is None else Spell(*due_ms), seen)


def wanted(alert: str = ERRORS, *routes: Route, severity: str = "") -> FiringDue:
    return FiringDue(
        alert=alert, objective="", job="", severity=severity, for_s=0.0, routes=routes or (SLACK,), spells=()
    )


def budget(objective: str) -> FiringDue:
    return msgspec.structs.replace(wanted(BUDGET), objective=objective)


def told(route: str, at_ms: float, *, resolved: bool = False, flaw: str = "", alert: str = ERRORS) -> Delivery:
    return Delivery(
        route=route,
        alert=alert,
        objective="",
        job="",
        resolved=resolved,
        at_ns=ORIGIN_NS + round(at_ms * MS),
        flaw=flaw,
    )


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    """One judgement on what had to be beside what was."""

    def of(id_: str, mine: Mine, plan: AlertDrillPlan = FOUR, void: Collection[str] = (), **changes: Any) -> Judgement:
        monkeypatch.setattr(facts, "compared", lambda *_: mine)
        monkeypatch.setattr(facts, "shown", lambda *_: {each.trial for each in PLANTED} - {*void})
        given: dict[str, Any] = {
            "origin_ns": ORIGIN_NS,
            "asked_ns": ORIGIN_NS + 200 * NS,
            "planted": PLANTED,
            "waits_s": (1.0, 2.0),
        }
        return by_id(judged(plan, AlertDrillDetails(**given | changes), Gathered()))[id_]

    return of


def timed(each: Judgement) -> tuple[Verdict, float | None, int]:
    """What is said of a time: verdict, the largest that it was off by, and samples."""
    assert each.also == ("phase2.monitoring",) and each.gates
    return each.verdict, each.value, each.samples


D = (40_000, 50_000)  # had to fire 40 s after the load began, and to resolve after 50


@pytest.mark.parametrize(
    ("pairs", "fires", "resolves"),
    [
        ([], (UNKNOWN, None, 0), (UNKNOWN, None, 0)),
        ([pair(D, fired(41_750, 48_250))], (PASS, 1.75, 1), (PASS, 1.75, 1)),
        ([pair(D, fired(38_250, 51_750))], (PASS, 1.75, 1), (PASS, 1.75, 1)),
        ([pair(D, fired(41_751, 50_000))], (FAIL, 1.751, 1), (PASS, 0.0, 1)),
        ([pair(D, fired(38_249, 50_000))], (FAIL, 1.751, 1), (PASS, 0.0, 1)),
        ([pair(D, fired(40_000, 51_751))], (PASS, 0.0, 1), (FAIL, 1.751, 1)),
        ([pair(D, fired(40_500, None))], (PASS, 0.5, 1), (FAIL, None, 1)),
        ([pair(D, None)], (FAIL, None, 1), (FAIL, None, 1)),
        (  # the worst of them counts, and one that was missed is not made good by another
            [pair(D, fired(40_250, 50_500)), pair(D, fired(41_000, 50_250)), pair(D, None)],
            (FAIL, 1.0, 3), (FAIL, 0.5, 3),
        ),
        (  # what was not to end before the drill did has nothing to resolve
            [pair((40_000, None), fired(40_000, None)), pair(D, fired(40_000, 50_000))],
            (PASS, 0.0, 2), (PASS, 0.0, 1),
        ),
        (  # one of the made history has its first sample at the third evaluation, and one without a cause is no other's
            [pair((0, 50_000), fired(1_000, 50_000)), pair(D, fired(40_000, 50_000)), pair(None, fired(70_000, 71_000))],
            (PASS, 0.0, 2), (PASS, 0.0, 2),
        ),
        *(
            (
                [pair((0, 50_000), fired(at_ms, 50_000)), pair(D, fired(40_000, 50_000))],
                (verdict, off_s, 2), (PASS, 0.0, 2),
            )
            for at_ms, verdict, off_s in (
                (-4_000, PASS, 0.0), (2_750, PASS, 1.75), (2_751, FAIL, 1.751), (60_000, FAIL, 59.0),
            )
        ),
    ],
)  # fmt: skip
def test_when_an_alert_fires_and_resolves(
    pairs: list[StretchPair], fires: tuple[Any, ...], resolves: tuple[Any, ...], said: Said
) -> None:
    mine = [(wanted(), pairs), (wanted(AVAILABILITY), [pair(D, None)])]  # another's is not counted
    found = said("alert.error_ratio.fires", mine)
    assert timed(found) == fires and found.unit == Unit.SECONDS
    assert found.limit == TOLERANCE_S or found.verdict is not PASS
    assert english(found.asked) == "fires when it must, by our own arithmetic on what users and probes saw"
    found = said("alert.error_ratio.resolves", mine)
    assert timed(found) == resolves and english(found.asked) == "resolves when it must"
    assert timed(said("alert.availability.fires", mine)) == (FAIL, None, 1)
    assert found.claim == "alert.error_ratio"


def test_in_the_document_s_own_minutes(said: Said) -> None:
    plan = msgspec.structs.replace(PLANNED, scale=1.0)
    found = said("alert.error_ratio.fires", [(wanted(), [pair(D, fired(70_750, 50_000))])], plan)
    assert (found.verdict, found.value, found.limit) == (PASS, 30.75, 30.75)
    assert "had to fire 1 times, 0 of them missed; in the document's own minutes" in found.reason


QUIET = "{} breaches that are too short, too small or of another kind: it fired {} times without a cause"


@pytest.mark.parametrize(
    ("alert", "pairs", "verdict", "counts"),
    [
        (ERRORS, [], PASS, (2, 0)),
        (AVAILABILITY, [], PASS, (3, 0)),
        (ERRORS, [pair(None, fired(20_000))], FAIL, (2, 1)),
        (ERRORS, [pair(None, fired(20_000)), pair(None, fired(25_000))], FAIL, (2, 2)),
        (ERRORS, [pair((40_000, None), None), pair((95_000, None), None)], PASS, (2, 0)),
        (ERRORS, [pair((39_999, None), None)], UNKNOWN, (2, 0)),
        (ERRORS, [pair((55_000, None), None)], PASS, (2, 0)),
        (ERRORS, [pair((55_001, None), None), pair((62_000, None), None)], UNKNOWN, (2, 0)),
        (ERRORS, [pair(None, fired(20_000)), pair((39_000, None), None)], FAIL, (2, 1)),
        (BUDGET, [pair((62_000, None), None)], PASS, (3, 0)),  # what spends a budget is another's to say
    ],
)
def test_whether_an_alert_stays_quiet(
    alert: str, pairs: list[StretchPair], verdict: Verdict, counts: tuple[int, int], said: Said
) -> None:
    """Errors fire in two of the four trials that took place, and each up to five seconds behind its end."""
    found = said(f"{CLAIM[alert]}.quiet", [(wanted(alert), pairs)])
    assert (found.verdict, found.samples) == (verdict, counts[0])
    assert QUIET.format(*counts) in found.reason and SCALED in found.reason
    assert ("it had to fire, and whether it stays quiet was not seen" in found.reason) is (verdict is UNKNOWN)
    assert english(found.asked) == "stays quiet when it must"


@pytest.mark.parametrize(
    ("void", "alert", "verdict", "count"),
    [
        ("errors_too_short", ERRORS, UNKNOWN, 1),  # what it is about
        ("errors_too_short", AVAILABILITY, PASS, 2),  # of another kind: it does not count
        ("latency", ERRORS, PASS, 1),
    ],
)
def test_a_breach_that_nobody_saw_shows_no_quiet(
    void: str, alert: str, verdict: Verdict, count: int, said: Said
) -> None:
    found = said(f"{CLAIM[alert]}.quiet", [(wanted(alert), [])], void=[void])
    assert (found.verdict, found.samples) == (verdict, count)
    assert (f"what users saw does not show the breach of {void}: " in found.reason) is (verdict is UNKNOWN)


def test_of_breaches_that_nobody_saw_all_are_named(said: Said) -> None:
    planted = [*PLANTED, PlantedBreach(trial="errors_below_limit", begun_ns=ORIGIN_NS, ended_ns=ORIGIN_NS + NS)]
    found = said(
        "alert.error_ratio.quiet",
        [(wanted(), [])],
        of_trials(*(each.trial for each in planted)),
        ["errors_too_short"],
        planted=planted,
    )
    assert (found.verdict, found.samples) == (UNKNOWN, 1)
    assert "does not show the breach of errors_too_short, errors_below_limit: " in found.reason


@pytest.mark.parametrize(("alert", "count"), [(ERRORS, 1), (AVAILABILITY, 2)])
def test_a_trial_of_the_plan_that_was_not_planted_leaves_the_quiet_open(alert: str, count: int, said: Said) -> None:
    """Of whatever kind it is."""
    planted = [each for each in PLANTED if each.trial != "latency"]
    found = said(f"{CLAIM[alert]}.quiet", [(wanted(alert), [])], void=["latency"], planted=planted)
    assert (found.verdict, found.samples) == (UNKNOWN, count)
    assert "does not show the breach of latency: " in found.reason


def test_an_alert_that_was_never_to_stay_quiet_says_nothing_of_it(said: Said) -> None:
    for plan in (of_trials(), of_trials("errors", "outage")):
        found = said("alert.error_ratio.quiet", [(wanted(), [])], plan)
        assert (found.verdict, found.samples) == (UNKNOWN, 0)


ONE = [pair(D, fired(40_000, 50_000))]
#: Alertmanager may hold what fires for a second and two, and five more pass until it is delivered.
BOTH = [told("slack", 48_000), told("slack", 50_000, resolved=True)]


@pytest.mark.parametrize(
    ("pairs", "deliveries", "verdict", "lacking"),
    [
        ([], [], UNKNOWN, ()),
        ([pair(D, None)], [], UNKNOWN, ()),  # nothing was there to be told
        (ONE, BOTH, PASS, ()),
        (ONE, [told("slack", 40_000), told("slack", 58_000, resolved=True)], PASS, ()),
        (ONE, [told("slack", 48_001), BOTH[1]], FAIL, ("slack: firing ",)),
        (ONE, [told("slack", 39_999), BOTH[1]], FAIL, ("slack: firing ",)),
        (ONE, [BOTH[0], told("slack", 58_001, resolved=True)], FAIL, ("slack: resolved ",)),
        (ONE, [*BOTH, told("email", 41_000)], FAIL, ("email: not its route",)),
        (ONE, [msgspec.structs.replace(each, flaw="no channel") for each in BOTH], FAIL,
         ("slack: firing ", "slack: resolved ")),
        ([pair(D, fired(40_000))], [BOTH[0]], PASS, ()),  # it fired to the end
        ([pair((0, 50_000), fired(40_000, 50_000))], [told("slack", 10_000), BOTH[1]], PASS, ()),
        ([pair((0, 50_000), fired(40_000, 50_000))], [told("slack", 9_999), BOTH[1]], FAIL, ("slack: firing ",)),
        (ONE * 3, [], FAIL, ("slack: firing ", "slack: resolved ") * 2 + ("slack: firing ",)),  # five of six are shown
    ],
)  # fmt: skip
def test_whom_an_alert_reaches(
    pairs: list[StretchPair], deliveries: list[Delivery], verdict: Verdict, lacking: tuple[str, ...], said: Said
) -> None:
    found = said("alert.error_ratio.routes", [(wanted(), pairs)], deliveries=deliveries)
    times = sum(each.seen is not None for each in pairs)
    count = 6 if len(pairs) == 3 else len(lacking)
    assert (found.verdict, found.samples) == (verdict, times)
    assert f"{times} times it fired; not delivered: {count}" in found.reason
    assert tuple(map(str, found.examples)) == lacking
    assert (found.claim, found.also) == ("alert.error_ratio", ("phase2.monitoring",))


#: Of an alert with several objectives.
TO_THE_END = pair((40_000, None), fired(40_000))


@pytest.mark.parametrize(
    ("latency", "fires", "resolves", "routes"),
    [
        ([], (UNKNOWN, 1, "latency, errors"), (UNKNOWN, 1, "latency, errors"), (UNKNOWN, 1, "latency, errors")),
        ([pair(None, fired(45_000))], (UNKNOWN, 1, "latency, errors"), (UNKNOWN, 1, "latency, errors"),
         (UNKNOWN, 2, "errors")),
        ([TO_THE_END], (UNKNOWN, 2, "errors"), (UNKNOWN, 1, "latency, errors"), (UNKNOWN, 2, "errors")),
    ],
)  # fmt: skip
def test_an_alert_is_open_by_each_objective_of_which_nothing_was_seen(
    latency: list[StretchPair], fires: tuple[Any, ...], resolves: tuple[Any, ...], routes: tuple[Any, ...], said: Said
) -> None:
    """And those are named; what was seen of the first is well."""
    mine = [(wanted(BUDGET), ONE), (budget("latency"), latency), (budget("errors"), list[StretchPair]())]
    came = [told("slack", 48_000, alert=BUDGET), told("slack", 50_000, resolved=True, alert=BUDGET)]
    came += [msgspec.structs.replace(came[0], objective="latency")]
    for what, (verdict, samples, open_) in {"fires": fires, "resolves": resolves, "routes": routes}.items():
        found = said(f"alert.error_budget.{what}", mine, deliveries=came)
        assert (found.verdict, found.samples) == (verdict, samples)
        assert f"of {open_} it never " in found.reason


def test_an_objective_that_the_made_history_alone_breaks_cannot_resolve_and_is_named(said: Said) -> None:
    """From the first evaluation to the last: it leaves nothing open. One that began later does."""
    for due_ms, verdict in (((0, None), PASS), ((1, None), UNKNOWN)):
        mine = [(wanted(BUDGET), ONE), (budget("availability"), [pair(due_ms, fired(0))])]
        found = said("alert.error_budget.resolves", mine)
        assert timed(found) == (verdict, 0.0, 1)
        assert "of availability it never had to: whether it resolves then was not seen" in found.reason


@pytest.mark.parametrize(
    ("available", "deliveries", "verdict", "counts", "examples"),
    [
        (ONE, [told("pagerduty", 1), told("pagerduty", 2, alert=AVAILABILITY)], PASS, (2, 0),
         ()),
        (ONE, [told("pagerduty", 1)], FAIL, (1, 0), (AVAILABILITY,)),
        (ONE, [told("slack", 1)], FAIL, (0, 0), (AVAILABILITY, ERRORS)),
        (
            ONE,
            [told("pagerduty", n, flaw=f"no key {n}") for n in range(4)] + [told("pagerduty", 9, alert=AVAILABILITY)],
            FAIL, (5, 4), ("no key 0", "no key 1", "no key 2"),
        ),
        ([pair(D, None)], [told("pagerduty", 1)], UNKNOWN, (1, 0), ()),
        ([], [told("pagerduty", 1)], UNKNOWN, (1, 0), ()),
        ([], [], FAIL, (0, 0), (ERRORS,)),
    ],
)  # fmt: skip
def test_what_a_receiver_got(
    available: list[StretchPair],
    deliveries: list[Delivery],
    verdict: Verdict,
    counts: tuple[int, int],
    examples: tuple[str, ...],
    said: Said,
) -> None:
    """PagerDuty is to be told of errors, which fired, and of the availability; a page of the burn rates is another's to
    judge."""
    mine = [
        (wanted(ERRORS, PAGER), ONE),
        (wanted(AVAILABILITY, PAGER), available),
        (wanted(BUDGET, EMAIL), ONE),
        (wanted("Burns", PAGER, severity="x"), ONE),
    ]
    found = said("alert.route.pagerduty", mine, deliveries=deliveries)
    assert (found.verdict, tuple(map(str, found.examples))) == (verdict, examples)
    assert (found.samples, found.value, found.claim) == (*counts, "alert.route.pagerduty")
    assert (f"never fired: {AVAILABILITY}; whether" in found.reason) is (verdict is UNKNOWN)
    assert english(found.asked) == "takes the notifications as the real service would"


def test_where_no_alert_was_there_a_receiver_is_not_judged(said: Said) -> None:
    assert said("alert.route.slack", [], deliveries=[told("slack", 1)]).verdict is UNKNOWN
