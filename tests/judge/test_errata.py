"""Only errata that were seen are listed, each once, with what was seen."""

from __future__ import annotations

import msgspec
import pytest
from harness.rehearsals.scaling.judge_errata import of_effects, of_first_deploy

from harness.judge.errata import errata_seen, of_week
from harness.judge.resizes import Resize
from harness.judge.window import NS
from harness.model.command import Ran
from harness.model.message import message
from harness.model.verdict import ErratumSeen, Verdict
from harness.rehearsals.network.types import NetworkFinding
from harness.rehearsals.scaling.types import Effect, ScalingFinding
from scenarios.claims import ERRATA
from scenarios.load import load
from tests.report.runs import result

PUTS_BACK, TAKES_BACK = "scaling.hpa_puts_back", "scaling.hpa_takes_back"
BESIDE = "manifest.deployment.replicas_beside_hpa"


def test_a_claim_that_is_named_shows_no_erratum_of_its_own() -> None:
    named = NetworkFinding(
        check="c", claim="security.network.tls", verdict=Verdict.NOT_EXERCISED, value="", reason="no cluster"
    )
    assert errata_seen([named]) == ()


def test_each_is_listed_once_with_the_first_that_was_seen() -> None:
    def finding(reason: str) -> ScalingFinding:
        verdict = Verdict.ERRATUM_SHOWN
        return ScalingFinding(claim="c", verdict=verdict, value="", reason=reason, erratum=TAKES_BACK)

    other = ErratumSeen(id=PUTS_BACK, seen="four pods", told=(message("four pods"),))
    found = errata_seen([finding("two pods"), finding("three pods")], [other, other])
    assert [(each.id, each.seen) for each in found] == [(PUTS_BACK, "four pods"), (TAKES_BACK, "two pods")]


def effect(command: str, pods: int, at_s: float, *, autoscaler: bool = True, after_s: float | None = 9.0) -> Effect:
    return Effect(command=command, autoscaler=autoscaler, pods=pods, after_s=after_s, at_ns=round(at_s * NS))


def resize(at_s: float, size: int) -> Resize:
    return Resize(at_ns=round(at_s * NS), size=size, reason="All metrics below target")


SCALE, APPLY = "kubectl scale d --replicas=8", "kubectl apply -f f (replicas: 2)"


@pytest.mark.parametrize(
    ("effects", "resizes", "shown"),
    [
        ([effect(SCALE, 8, 0)], [resize(20, 2)], {TAKES_BACK}),
        ([effect(APPLY, 2, 0)], [resize(20, 8)], {BESIDE, PUTS_BACK}),
        ([effect(SCALE, 8, 0), effect(APPLY, 2, 30)], [resize(20, 2), resize(45, 8)], {TAKES_BACK, BESIDE, PUTS_BACK}),
        ([effect(SCALE, 8, 0), effect(APPLY, 2, 30)], [], {BESIDE}),
        ([effect(SCALE, 8, 0)], [], set()),
        ([effect(SCALE, 8, 0)], [resize(20, 8)], set()),
        ([effect(SCALE, 8, 0, autoscaler=False)], [resize(20, 2)], set()),  # nobody is there to take it back
        ([effect(SCALE, 8, 0, after_s=None)], [resize(20, 2)], set()),  # it never came to that number
    ],
)
def test_what_the_autoscaler_does_to_a_number_set_by_hand(
    effects: list[Effect], resizes: list[Resize], shown: set[str]
) -> None:
    found = of_effects(effects, resizes)
    assert {each.id for each in found} == shown
    assert shown <= set(ERRATA)
    assert all("with the HPA" in each.seen for each in found)


def test_the_refused_secret_is_told_in_the_api_server_s_words() -> None:
    refused = "Secret in version v1 cannot be handled as a Secret: illegal base64 data at input byte 4"
    [found] = of_first_deploy(Ran(command="kubectl apply -f base/", status=1, output=f"service created\n{refused}"))
    assert (found.id, found.seen) == ("manifest.secret.placeholders_not_base64", refused)
    assert found.id in ERRATA
    assert of_first_deploy(Ran(command="kubectl apply -f base/", status=0, output="secret created")) == ()
    assert of_first_deploy(None) == ()


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
