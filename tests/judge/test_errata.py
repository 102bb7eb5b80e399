"""Only errata that were seen are listed, each once, with what was seen."""

from __future__ import annotations

import msgspec
import pytest

from harness.judge.errata import errata_seen, of_week
from harness.model.judgement import Judgement, observation
from harness.model.message import message, verbatim
from harness.model.verdict import ErratumSeen, Verdict
from scenarios.claims import ERRATA
from scenarios.load import load
from tests.report.runs import result

PUTS_BACK, TAKES_BACK = "scaling.hpa_puts_back", "scaling.hpa_takes_back"


def test_a_claim_that_is_named_shows_no_erratum_of_its_own() -> None:
    why = (verbatim("no cluster"),)
    named = Judgement(id="c", claim="security.network.tls", verdict=Verdict.NOT_EXERCISED, told=why)
    assert errata_seen([named]) == ()


def test_each_is_listed_once_with_the_first_that_was_seen() -> None:
    def finding(reason: str) -> Judgement:
        return observation("c", (verbatim(reason),), erratum=TAKES_BACK)

    other = ErratumSeen(id=PUTS_BACK, seen="four pods", told=(message("four pods"),))
    found = errata_seen([finding("two pods"), finding("three pods")], [other, other])
    assert [(each.id, each.seen) for each in found] == [(PUTS_BACK, "four pods"), (TAKES_BACK, "two pods")]


@pytest.mark.parametrize(("pace_s", "seen"), [(50.0, True), (45.0, False)])
def test_a_rate_without_a_margin_is_seen_where_just_as_much_is_offered(pace_s: float, seen: bool) -> None:
    plan = load("rollout_week2")
    plan = msgspec.structs.replace(plan, population=msgspec.structs.replace(plan.population, pace_s=pace_s))
    rate = result(
        Verdict.INCONCLUSIVE, claim="rollout.week2.success.request_rate", metric="request_rate", threshold=3.0,
        value=2.99,
    )  # fmt: skip
    found = of_week(plan, [rate])
    assert [each.id for each in found] == (["rollout.week2.rate_without_margin"] if seen else [])
    assert all(each.id in ERRATA and "2.99/s came" in each.seen for each in found)
    assert of_week(plan, [msgspec.structs.replace(rate, value=None)]) == ()  # it broke before anything was measured
