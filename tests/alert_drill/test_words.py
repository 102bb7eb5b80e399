"""What the judge says of stretches that had to be beside those that were, to the word: on time, too late by a
millisecond, missed, without a cause, told to the wrong people. Times of the load in ms, at 30 times the document's speed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec
import pytest

from harness.base.clock import NS
from harness.base.units import Unit
from harness.evidence.gathered import Gathered
from harness.model.judgement import Judgement
from harness.model.message import english
from harness.model.verdict import Verdict
from harness.objectives.alerts import Route
from harness.objectives.firing import Spell
from harness.rehearsals.alert_drill import judge
from harness.rehearsals.alert_drill.expected import Due
from harness.rehearsals.alert_drill.pairs import Mine, Pair
from harness.rehearsals.alert_drill.types import (
    AVAILABILITY,
    BUDGET,
    CLAIM,
    ERRORS,
    AlertDrillDetails,
    AlertDrillPlan,
    Delivery,
    Firing,
    Planted,
)
from tests.alert_drill.made import PLANNED
from tests.rehearsal.made import by_id

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
#: One evaluation and one scrape of 15 s, by 30, and three quarters of a second.
TOLERANCE_S = 1.75
ORIGIN_NS, MS = 1_000 * NS, 1_000_000
SCALED = "minutes divided by 30: no evidence for the document's own"
SLACK, EMAIL, PAGER = Route.SLACK, Route.EMAIL, Route.PAGERDUTY
#: Two trials in which errors are to fire, and two others; five seconds (150 s by 30) may pass until the next.
PLANTED = [
    Planted(trial=name, begun_ns=ORIGIN_NS + begun_s * NS, ended_ns=ORIGIN_NS + (begun_s + 10) * NS)
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


def pair(due_ms: tuple[int, int | None] | None, seen: Firing | None) -> Pair:
    return Pair(None if due_ms is None else Spell(*due_ms), seen)


def wanted(alert: str = ERRORS, *routes: Route, severity: str = "") -> Due:
    return Due(alert=alert, objective="", job="", severity=severity, for_s=0.0, routes=routes or (SLACK,), spells=())


def budget(objective: str) -> Due:
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
        monkeypatch.setattr(judge, "compared", lambda *_: mine)
        monkeypatch.setattr(judge, "shown", lambda *_: {each.trial for each in PLANTED} - {*void})
        given: dict[str, Any] = {
            "origin_ns": ORIGIN_NS,
            "asked_ns": ORIGIN_NS + 200 * NS,
            "planted": PLANTED,
            "waits_s": (1.0, 2.0),
        }
        return by_id(judge.judged(plan, AlertDrillDetails(**given | changes), Gathered()))[id_]

    return of


def timed(each: Judgement) -> tuple[Verdict, float | None, int, str]:
    """What is said of a time: verdict, the largest that it was off by, samples and reason."""
    assert (each.limit, each.unit) == ((None, Unit.NONE) if each.value is None else (TOLERANCE_S, Unit.SECONDS))
    assert each.also == ("phase2.monitoring",) and each.gates
    return each.verdict, each.value, each.samples, each.reason


FIRES = "had to fire {} times, {} of them missed; " + SCALED
RESOLVES = "had to resolve {} times, {} of them missed; " + SCALED
D = (40_000, 50_000)  # had to fire 40 s after the load began, and to resolve after 50


@pytest.mark.parametrize(
    ("pairs", "fires", "resolves"),
    [
        ([], (UNKNOWN, None, 0, FIRES.format(0, 0)), (UNKNOWN, None, 0, RESOLVES.format(0, 0))),
        ([pair(D, fired(41_750, 48_250))], (PASS, 1.75, 1, FIRES.format(1, 0)), (PASS, 1.75, 1, RESOLVES.format(1, 0))),
        ([pair(D, fired(38_250, 51_750))], (PASS, 1.75, 1, FIRES.format(1, 0)), (PASS, 1.75, 1, RESOLVES.format(1, 0))),
        ([pair(D, fired(41_751, 50_000))], (FAIL, 1.751, 1, FIRES.format(1, 0)), (PASS, 0.0, 1, RESOLVES.format(1, 0))),
        ([pair(D, fired(38_249, 50_000))], (FAIL, 1.751, 1, FIRES.format(1, 0)), (PASS, 0.0, 1, RESOLVES.format(1, 0))),
        ([pair(D, fired(40_000, 51_751))], (PASS, 0.0, 1, FIRES.format(1, 0)), (FAIL, 1.751, 1, RESOLVES.format(1, 0))),
        ([pair(D, fired(40_500, None))], (PASS, 0.5, 1, FIRES.format(1, 0)), (FAIL, None, 1, RESOLVES.format(1, 1))),
        ([pair(D, None)], (FAIL, None, 1, FIRES.format(1, 1)), (FAIL, None, 1, RESOLVES.format(1, 1))),
        (  # the worst of them counts, and one that was missed is not made good by another
            [pair(D, fired(40_250, 50_500)), pair(D, fired(41_000, 50_250)), pair(D, None)],
            (FAIL, 1.0, 3, FIRES.format(3, 1)), (FAIL, 0.5, 3, RESOLVES.format(3, 1)),
        ),
        (  # what was not to end before the drill did has nothing to resolve
            [pair((40_000, None), fired(40_000, None)), pair(D, fired(40_000, 50_000))],
            (PASS, 0.0, 2, FIRES.format(2, 0)), (PASS, 0.0, 1, RESOLVES.format(1, 0)),
        ),
        (  # one of the made history has its first sample at the third evaluation, and one without a cause is no other's
            [pair((0, 50_000), fired(1_000, 50_000)), pair(D, fired(40_000, 50_000)), pair(None, fired(70_000, 71_000))],
            (PASS, 0.0, 2, FIRES.format(2, 0)), (PASS, 0.0, 2, RESOLVES.format(2, 0)),
        ),
        *(
            (
                [pair((0, 50_000), fired(at_ms, 50_000)), pair(D, fired(40_000, 50_000))],
                (verdict, off_s, 2, FIRES.format(2, 0)), (PASS, 0.0, 2, RESOLVES.format(2, 0)),
            )
            for at_ms, verdict, off_s in (
                (-4_000, PASS, 0.0), (2_750, PASS, 1.75), (2_751, FAIL, 1.751), (60_000, FAIL, 59.0),
            )
        ),
    ],
)  # fmt: skip
def test_when_an_alert_fires_and_resolves(
    pairs: list[Pair], fires: tuple[Any, ...], resolves: tuple[Any, ...], said: Said
) -> None:
    mine = [(wanted(), pairs), (wanted(AVAILABILITY), [pair(D, None)])]  # another's is not counted
    found = said("alert.error_ratio.fires", mine)
    assert timed(found) == fires
    assert english(found.asked) == "fires when it must, by our own arithmetic on what users and probes saw"
    found = said("alert.error_ratio.resolves", mine)
    assert timed(found) == resolves and english(found.asked) == "resolves when it must"
    assert timed(said("alert.availability.fires", mine)) == (FAIL, None, 1, FIRES.format(1, 1))
    assert found.claim == "alert.error_ratio"


def test_in_the_document_s_own_minutes(said: Said) -> None:
    plan = msgspec.structs.replace(PLANNED, scale=1.0)
    found = said("alert.error_ratio.fires", [(wanted(), [pair(D, fired(70_750, 50_000))])], plan)
    assert (found.verdict, found.value, found.limit) == (PASS, 30.75, 30.75)
    assert found.reason == "had to fire 1 times, 0 of them missed; in the document's own minutes"


QUIET = "{} breaches that are too short, too small or of another kind: it fired {} times without a cause"
SEEN = (
    "; {} times what was seen went above its limit outside the breaches that were to: it had to fire, and whether it "
)
SEEN += "stays quiet was not seen"


@pytest.mark.parametrize(
    ("alert", "pairs", "verdict", "reason"),
    [
        (ERRORS, [], PASS, QUIET.format(2, 0)),
        (AVAILABILITY, [], PASS, QUIET.format(3, 0)),
        (ERRORS, [pair(None, fired(20_000))], FAIL, QUIET.format(2, 1)),
        (ERRORS, [pair(None, fired(20_000)), pair(None, fired(25_000))], FAIL, QUIET.format(2, 2)),
        (ERRORS, [pair((40_000, None), None), pair((95_000, None), None)], PASS, QUIET.format(2, 0)),
        (ERRORS, [pair((39_999, None), None)], UNKNOWN, QUIET.format(2, 0) + SEEN.format(1)),
        (ERRORS, [pair((55_000, None), None)], PASS, QUIET.format(2, 0)),
        (
            ERRORS,
            [pair((55_001, None), None), pair((62_000, None), None)],
            UNKNOWN,
            QUIET.format(2, 0) + SEEN.format(2),
        ),
        (ERRORS, [pair(None, fired(20_000)), pair((39_000, None), None)], FAIL, QUIET.format(2, 1) + SEEN.format(1)),
        (BUDGET, [pair((62_000, None), None)], PASS, QUIET.format(3, 0)),  # what spends a budget is another's to say
    ],
)
def test_whether_an_alert_stays_quiet(alert: str, pairs: list[Pair], verdict: Verdict, reason: str, said: Said) -> None:
    """Errors fire in two of the four trials that took place, and each up to five seconds behind its end."""
    found = said(f"{CLAIM[alert]}.quiet", [(wanted(alert), pairs)])
    assert timed(found) == (verdict, None, int(reason[0]), f"{reason}; {SCALED}")
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
    unseen = f"; what users saw does not show the breach of {void}: whether it stays quiet in it was not seen"
    told_of = QUIET.format(count, 0) + (unseen if verdict is UNKNOWN else "")
    assert timed(found) == (verdict, None, count, f"{told_of}; {SCALED}")


def test_of_breaches_that_nobody_saw_all_are_named(said: Said) -> None:
    planted = [*PLANTED, Planted(trial="errors_below_limit", begun_ns=ORIGIN_NS, ended_ns=ORIGIN_NS + NS)]
    found = said(
        "alert.error_ratio.quiet",
        [(wanted(), [])],
        of_trials(*(each.trial for each in planted)),
        ["errors_too_short"],
        planted=planted,
    )
    both = "errors_too_short, errors_below_limit"
    unseen = f"; what users saw does not show the breach of {both}: whether it stays quiet in it was not seen"
    assert timed(found) == (UNKNOWN, None, 1, f"{QUIET.format(1, 0)}{unseen}; {SCALED}")


@pytest.mark.parametrize(("alert", "count"), [(ERRORS, 1), (AVAILABILITY, 2)])
def test_a_trial_of_the_plan_that_was_not_planted_leaves_the_quiet_open(alert: str, count: int, said: Said) -> None:
    """Of whatever kind it is."""
    planted = [each for each in PLANTED if each.trial != "latency"]
    found = said(f"{CLAIM[alert]}.quiet", [(wanted(alert), [])], void=["latency"], planted=planted)
    unseen = "; what users saw does not show the breach of latency: whether it stays quiet in it was not seen"
    assert timed(found) == (UNKNOWN, None, count, f"{QUIET.format(count, 0)}{unseen}; {SCALED}")


def test_an_alert_that_was_never_to_stay_quiet_says_nothing_of_it(said: Said) -> None:
    for plan in (of_trials(), of_trials("errors", "outage")):
        found = said("alert.error_ratio.quiet", [(wanted(), [])], plan)
        assert timed(found) == (UNKNOWN, None, 0, f"{QUIET.format(0, 0)}; {SCALED}")


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
    pairs: list[Pair], deliveries: list[Delivery], verdict: Verdict, lacking: tuple[str, ...], said: Said
) -> None:
    found = said("alert.error_ratio.routes", [(wanted(), pairs)], deliveries=deliveries)
    times = sum(each.seen is not None for each in pairs)
    count = 6 if len(pairs) == 3 else len(lacking)
    assert (found.verdict, found.samples) == (verdict, times)
    assert found.reason == f"{times} times it fired; not delivered: {count}"
    assert tuple(map(str, found.examples)) == lacking
    assert (found.claim, found.also) == ("alert.error_ratio", ("phase2.monitoring",))


#: Of an alert with several objectives, those that this is not seen of.
NEVER_FIRED = "; of {} it never fired: whom it reaches then was not seen"
NEVER_FIRES = "; of {} it never had to: whether it fires then was not seen; " + SCALED
NEVER_RESOLVES = "; of {} it never had to: whether it resolves then was not seen; " + SCALED
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
    latency: list[Pair], fires: tuple[Any, ...], resolves: tuple[Any, ...], routes: tuple[Any, ...], said: Said
) -> None:
    """And those are named; what was seen of the first is well."""
    mine = [(wanted(BUDGET), ONE), (budget("latency"), latency), (budget("errors"), list[Pair]())]
    came = [told("slack", 48_000, alert=BUDGET), told("slack", 50_000, resolved=True, alert=BUDGET)]
    came += [msgspec.structs.replace(came[0], objective="latency")]
    for what, begin, rest, (verdict, samples, open_) in (
        ("fires", "had to fire {} times, 0 of them missed", NEVER_FIRES, fires),
        ("resolves", "had to resolve {} times, 0 of them missed", NEVER_RESOLVES, resolves),
        ("routes", "{} times it fired; not delivered: 0", NEVER_FIRED, routes),
    ):
        found = said(f"alert.error_budget.{what}", mine, deliveries=came)
        told_of = begin.format(samples) + rest.format(open_)
        assert (found.verdict, found.samples, found.reason) == (verdict, samples, told_of)


def test_an_objective_that_the_made_history_alone_breaks_cannot_resolve_and_is_named(said: Said) -> None:
    """From the first evaluation to the last: it leaves nothing open. One that began later does."""
    for due_ms, verdict in (((0, None), PASS), ((1, None), UNKNOWN)):
        mine = [(wanted(BUDGET), ONE), (budget("availability"), [pair(due_ms, fired(0))])]
        found = said("alert.error_budget.resolves", mine)
        once = "had to resolve 1 times, 0 of them missed"
        assert timed(found) == (verdict, 0.0, 1, once + NEVER_RESOLVES.format("availability"))


def test_the_routes_of_an_alert_are_those_of_all_its_rules(said: Said) -> None:
    found = said("alert.error_budget.routes", [(wanted(BUDGET, SLACK, EMAIL), []), (wanted(BUDGET, SLACK), [])])
    assert english(found.asked) == "reaches email, slack, and nobody else"
    assert english(said("alert.error_budget.routes", []).asked) == "reaches , and nobody else"


NEVER_CAME = f"; never fired: {AVAILABILITY}; whether this receiver gets them then was not seen"


@pytest.mark.parametrize(
    ("available", "deliveries", "verdict", "reason", "examples"),
    [
        (ONE, [told("pagerduty", 1), told("pagerduty", 2, alert=AVAILABILITY)], PASS, "2 notifications, 0 of them refused",
         ()),
        (ONE, [told("pagerduty", 1)], FAIL, "1 notifications, 0 of them refused", (AVAILABILITY,)),
        (ONE, [told("slack", 1)], FAIL, "0 notifications, 0 of them refused", (AVAILABILITY, ERRORS)),
        (
            ONE,
            [told("pagerduty", n, flaw=f"no key {n}") for n in range(4)] + [told("pagerduty", 9, alert=AVAILABILITY)],
            FAIL, "5 notifications, 4 of them refused", ("no key 0", "no key 1", "no key 2"),
        ),
        ([pair(D, None)], [told("pagerduty", 1)], UNKNOWN, f"1 notifications, 0 of them refused{NEVER_CAME}", ()),
        ([], [told("pagerduty", 1)], UNKNOWN, f"1 notifications, 0 of them refused{NEVER_CAME}", ()),
        ([], [], FAIL, f"0 notifications, 0 of them refused{NEVER_CAME}", (ERRORS,)),
    ],
)  # fmt: skip
def test_what_a_receiver_got(
    available: list[Pair],
    deliveries: list[Delivery],
    verdict: Verdict,
    reason: str,
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
    assert (found.verdict, found.reason, tuple(map(str, found.examples))) == (verdict, reason, examples)
    assert (found.samples, found.claim) == (int(reason[0]), "alert.route.pagerduty")
    assert english(found.asked) == "takes the notifications as the real service would"


def test_where_no_alert_was_there_a_receiver_is_not_judged(said: Said) -> None:
    assert said("alert.route.slack", [], deliveries=[told("slack", 1)]).verdict is UNKNOWN
