"""What is said of a team's own alerts, to the word: of each what is wrong with it or what it did, of each breach who
tells of it. Seconds are the document's, from the course's begin.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.model.judgement import Judgement, Verdict
from harness.model.message import english
from harness.rehearsals.alert_drill.facts import expected
from harness.rehearsals.alert_drill.facts_theirs import theirs
from harness.rehearsals.alert_drill.rehearsal import REHEARSAL
from harness.rehearsals.alert_drill.theirs.facts import BreachStretch, QueriedRules, QueryAnswer, SeriesHeld
from harness.rehearsals.alert_drill.types import AVAILABILITY, BUDGET, ERRORS, LATENCY, AlertDrillPlan
from harness.rules import engine
from harness.rules.objectives.firing import Spell
from tests.alert_drill.test_theirs import asked
from tests.objectives import parsed
from tests.rehearsal.made import by_id

PASS, FAIL, UNKNOWN, NOT_EXERCISED = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED
ONE = "theirs.r.yaml:0"
QUIET = "it stays quiet: its query never held"
#: From 600 to 1140 s it may begin to fire in it: a minute more than the breach lasts.
ERRORS_COURSE = (BreachStretch(name="errors", begin_s=600, end_s=1080),)


def held(*spells: tuple[int, int | None], longest_s: float = 420) -> SeriesHeld:
    """A series that fires, from and to in s."""
    found = tuple(Spell(at_s * 1000, None if to_s is None else to_s * 1000) for at_s, to_s in spells)
    return SeriesHeld(labels={}, longest_s=longest_s, spells=found)


def fires(*times_s: int) -> QueryAnswer:
    """An alert that fires then, ten seconds each."""
    return QueryAnswer(held=(held(*((at_s, at_s + 10) for at_s in times_s)),))


def judged(plan: AlertDrillPlan, of: QueriedRules, **changes: Any) -> dict[str, Judgement]:
    facts = theirs(plan, msgspec.structs.replace(of, **changes))
    return by_id(engine.judged(expected(plan), REHEARSAL.rules, facts, plan, ()))


def said(*rules: tuple[str, QueryAnswer], **changes: Any) -> dict[str, Judgement]:
    return judged(*asked(*rules), **changes)


def changed(plan: AlertDrillPlan, at: int = 0, **to: Any) -> AlertDrillPlan:
    """One of its rules, otherwise than it was."""
    own = [msgspec.structs.replace(each, **to) if n == at else each for n, each in enumerate(plan.theirs)]
    return msgspec.structs.replace(plan, theirs=tuple(own))


# -- each of them ------------------------------------------------------------------------------------------------------


def test_an_alert_is_named_by_its_place_and_counts_the_series_that_held() -> None:
    found = said(("share", QueryAnswer(held=(held((915, 1095)), held((915, 1095)), held(longest_s=20)))))[ONE]
    assert (found.verdict, found.samples, found.gates) == (PASS, 3, True)
    assert english(found.asked) == "r.yaml:0"
    assert found.reason == "share: 0 mistakes in it; it fires 1 times; 315 s into errors"


@pytest.mark.parametrize(
    ("times_s", "reason"),
    [
        ([300], "it fires 1 times; at 5.0 minutes"),
        ([599], "it fires 1 times; at 10.0 minutes"),
        ([600], "it fires 1 times; 0 s into errors"),
        ([1140], "it fires 1 times; 540 s into errors"),
        ([1141], "it fires 1 times; at 19.0 minutes"),
        ([3000, 300, 2000, 900], "it fires 4 times; at 5.0 minutes; 300 s into errors; 0 s into latency; at 50.0 minutes"),
        (
            [3300, 3000, 300, 2000, 900, 3400],
            "it fires 6 times; at 5.0 minutes; 300 s into errors; 0 s into latency; at 50.0 minutes; and 2 times more",
        ),
    ],
)  # fmt: skip
def test_when_it_fired_is_told_of_the_first_four_times(times_s: list[int], reason: str) -> None:
    """By the breach that it began in, else by the course's minutes."""
    assert said(("share", fires(*times_s)))[ONE].reason == f"share: 0 mistakes in it; {reason}"


def test_series_that_begin_together_and_end_apart_are_two_firings() -> None:
    """Whichever ends first, or never does."""
    answer = QueryAnswer(held=(held((915, None)), held((915, 1095)), held((700, 2000)), held((800, 900))))
    reason = "it fires 4 times; 100 s into errors; 200 s into errors; 315 s into errors"
    assert said(("share", answer))[ONE].reason == f"share: 0 mistakes in it; {reason}"


def test_of_what_held_too_briefly_the_longest_is_told() -> None:
    found = said(("share", QueryAnswer(held=(held(longest_s=180), held(longest_s=299.4)))))[ONE]
    assert (
        found.reason
        == "share: 0 mistakes in it; it stays quiet: its query held for at most 299 s of the 5m that it must"
    )


def test_a_run_that_is_too_short_is_told_by_the_seconds_that_it_lacks() -> None:
    found = said(("growth", QueryAnswer()), seconds=3_899.0, course=())[ONE]
    assert (found.verdict, found.gates) == (UNKNOWN, True)
    told = (
        "the run lasts 3899 s, and 3,900 s are what it looks back over and must hold for: whether it fires was not seen"
    )
    assert told in found.reason and QUIET in found.reason


@pytest.mark.parametrize(("seconds", "verdict"), [(299, UNKNOWN), (300, PASS)])
def test_a_drill_need_not_last_for_what_a_query_looks_back_over(seconds: float, verdict: Verdict) -> None:
    """It has made days before it: only for what it must hold for."""
    assert said(("growth", QueryAnswer()), seconds=seconds, course=ERRORS_COURSE)[ONE].verdict is verdict
    assert said(("growth", QueryAnswer()), seconds=3_600.0 + seconds, course=())[ONE].verdict is verdict


def test_what_no_run_holds_does_not_gate() -> None:
    """The platform's metrics, each once and in order; and a condition that is no PromQL."""
    query = parsed.kept()["platform"]
    up = msgspec.json.decode(msgspec.json.encode(query).replace(b"kube_pod_container_status_restarts_total", b"up"))
    plan, of = asked(("platform", QueryAnswer()), ("p95", QueryAnswer()))
    both = {"type": "binaryExpr", "op": "or", "lhs": up, "rhs": {**query, "op": "or", "lhs": query, "rhs": query}}
    found = judged(changed(plan, 1, expr=""), of, answers=(QueryAnswer(tree=both), QueryAnswer()))
    assert {each: found[each].reason for each in (ONE, "theirs.r.yaml:1")} == {
        ONE: "the platform's metrics, which no run of the harness holds: kube_pod_container_status_restarts_total, up",
        "theirs.r.yaml:1": "its condition is no PromQL: a person reads it",
    }
    for each in (ONE, "theirs.r.yaml:1"):
        assert (found[each].verdict, found[each].gates) == (NOT_EXERCISED, False)


def test_every_fault_is_told_once_and_then_what_the_alert_did() -> None:
    """However often its query names what nobody emits."""
    plan, of = asked(("no metric", fires(900)))
    query = of.answers[0].tree
    twice = msgspec.structs.replace(of.answers[0], tree={"type": "binaryExpr", "op": "or", "lhs": query, "rhs": query})
    found = judged(changed(plan, channels=(), enabled=False), of, answers=(twice,))[ONE]
    assert (found.verdict, found.gates, found.samples) == (FAIL, True, 1)
    assert found.reason == (
        "no metric: 3 mistakes in it; it tells nobody: it has no notification channel; it is switched off; nobody emits the metric "
        "http_request_total; there is http_requests_total; it fires 1 times; 300 s into errors; 0 is wanted"
    )


def test_a_condition_without_promql_whose_metric_nobody_emits_fails() -> None:
    plan, of = asked(("share", QueryAnswer()))
    found = judged(changed(plan, expr="", metric="http_errors_total"), of, answers=(QueryAnswer(),))[ONE]
    assert found.verdict is FAIL and "nobody emits the metric http_errors_total; 0 is wanted" in found.reason


def test_of_what_prometheus_refuses_nothing_else_is_told() -> None:
    """It did nothing, which is no quiet; be it an alert or a recording."""
    plan, of = asked(("share", QueryAnswer(refused="unclosed left parenthesis")))
    for records in (False, True):
        found = judged(changed(plan, records=records), of)[ONE]
        assert found.verdict is FAIL
        assert found.reason == "share: 1 mistakes in it; Prometheus refuses it: unclosed left parenthesis; 0 is wanted"


def test_a_recording_is_named_where_it_has_a_fault_and_not_where_it_has_none() -> None:
    plan, of = asked(("no metric", QueryAnswer()), ("share", QueryAnswer()))
    found = judged(changed(changed(plan, records=True), 1, records=True), of)
    assert found[ONE].verdict is FAIL
    assert "nobody emits the metric http_request_total; there is http_requests_total; a recording" in found[ONE].reason
    assert "theirs.r.yaml:1" not in found


def test_an_alert_is_no_recording_whatever_its_name() -> None:
    """One that is called as a metric is does not make it the platform's."""
    plan, of = asked(("share", QueryAnswer()), ("platform", QueryAnswer()))
    found = judged(changed(plan, 1, name="http_requests_total"), of)
    assert (found[ONE].verdict, found[ONE].reason) == (PASS, f"share: 0 mistakes in it; {QUIET}")


def test_a_rule_without_an_answer_is_not_left_out() -> None:
    """Nothing would be said of it."""
    plan, of = asked(("share", QueryAnswer()), ("p95", QueryAnswer()))
    with pytest.raises(ValueError, match="shorter"):
        judged(plan, of, answers=of.answers[:1])


# -- each breach -------------------------------------------------------------------------------------------------------


def of_breach(each: Judgement) -> tuple[Verdict, int, str]:
    assert english(each.asked) == f"an alert fires in the breach {each.id.removeprefix('theirs.breach.')}"
    assert each.gates
    return each.verdict, each.samples, each.reason


def test_of_a_breach_every_alert_that_begins_to_fire_in_it_is_named() -> None:
    """In order, and those that were on since before where no other does."""
    since = QueryAnswer(held=(held((900, None)),))
    found = said(("share", since), ("p95", since), ("good share", QueryAnswer()))
    assert of_breach(found["theirs.breach.errors"]) == (PASS, 2, "fired in it: p95, share")
    assert of_breach(found["theirs.breach.latency"]) == (
        UNKNOWN, 0,
        "fired in it: p95, share; since an earlier breach, or as often as where nothing was broken; by what is not in "
        "evidence it may be 0 to 2; more than 0 is wanted",
    )  # fmt: skip
    found = said(("share", since), ("p95", fires(2100)))
    assert of_breach(found["theirs.breach.latency"]) == (PASS, 1, "fired in it: p95")


@pytest.mark.parametrize(
    ("begin_s", "end_s", "verdict"),
    [
        (900, None, UNKNOWN),
        (900, 2800, UNKNOWN),
        (900, 2799, FAIL),  # it ended in the breach
        (300, None, FAIL),  # it began in none
        (2900, None, FAIL),
    ],
)
def test_an_alert_that_is_on_all_through_a_breach_since_an_earlier_one_leaves_it_open(
    begin_s: int, end_s: int | None, verdict: Verdict
) -> None:
    found = said(("share", QueryAnswer(held=(held((begin_s, end_s)),))))
    assert found["theirs.breach.latency"].verdict is verdict


def test_of_a_breach_that_no_alert_tells_of_the_document_s_are_named() -> None:
    outage = BreachStretch(name="outage", begin_s=3000, end_s=3390)
    found = said(("share", QueryAnswer()), course=(*ERRORS_COURSE, outage))
    nothing, more = "fired in it: nothing of the folder; the document has: ", "; more than 0 is wanted"
    assert of_breach(found["theirs.breach.errors"]) == (FAIL, 0, nothing + ERRORS + more)
    assert of_breach(found["theirs.breach.outage"]) == (FAIL, 0, f"{nothing}{ERRORS}, {AVAILABILITY}, {BUDGET}{more}")
    assert LATENCY not in found["theirs.breach.outage"].reason and "theirs.breach.latency" not in found


@pytest.mark.parametrize(("at_s", "verdict"), [(599, FAIL), (600, PASS), (1140, PASS), (1141, FAIL)])
def test_an_alert_tells_of_a_breach_up_to_a_minute_behind_it(at_s: int, verdict: Verdict) -> None:
    """Its window has to forget the breach."""
    found = said(("share", fires(at_s)), course=ERRORS_COURSE)
    assert found["theirs.breach.errors"].verdict is verdict


@pytest.mark.parametrize(
    ("times_s", "seconds", "verdict"),
    [
        ([100, 200, 900], 1620, UNKNOWN),  # twice in 1080 s without a breach: once in each 540
        ([100, 200, 900], 1621, PASS),
        ([100, 900], 1080, PASS),  # one such moment is no frequency
        ([100, 700, 900], 1620, PASS),
        ([0, 100, 900], 1620, PASS),  # what is on from the first moment on began before it
        ([100, 200, 300, 900], 2160, UNKNOWN),
        ([100, 200, 300, 900], 2161, PASS),
    ],
)
def test_an_alert_that_fires_as_often_where_nothing_is_broken_tells_of_no_breach(
    times_s: list[int], seconds: float, verdict: Verdict
) -> None:
    """It would have begun to fire in the 540 s of this one anyway."""
    found = said(("share", fires(*times_s)), course=ERRORS_COURSE, seconds=seconds)
    assert found["theirs.breach.errors"].verdict is verdict


def test_a_run_that_planted_no_breach_is_held_to_none() -> None:
    found = said(("share", fires(900)), course=())["theirs.breach"]
    assert (found.verdict, found.gates, english(found.asked)) == (
        NOT_EXERCISED, False, "an alert fires in each breach",
    )  # fmt: skip
    assert found.reason == "the run is no whole drill of the alerts, and its breaches are not known: name one by --of"
