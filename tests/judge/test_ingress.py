"""The judge of the Ingress: bad evidence fails, none is inconclusive."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.base import planfile
from harness.judge.window import NS
from harness.model.verdict import Verdict
from harness.rehearsals.network import judge_ingress as judge
from harness.rehearsals.network.judge import not_exercised
from harness.rehearsals.network.types import NetworkPlan
from harness.rehearsals.network.types_ingress import Course, IngressAnswer, IngressEvidence, Lists, Outcome, Scene

PASS, FAIL, NOTHING = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
PLAN = planfile.bundled("network", NetworkPlan).ingress
OLD, NEW = "AB12", "CD34"


def right(scene: Scene, number: int) -> IngressAnswer:
    """What the plan's ask of that number wants."""
    ask = PLAN.asks[number]
    status = ask.status or 404
    return IngressAnswer(
        ask=ask.name, scene=scene, met=Outcome.ANSWERED, status=status, reached=bool(ask.status), serial=OLD
    )


def stream(*, failed: int = 0, count: int = 200, follows_s: float = 1.0) -> Course:
    """Ten requests a second; the change is at 5 s, and what is served follows."""
    rows = [
        IngressAnswer(
            ask="GET /v1/walks", scene=Scene.AS_WRITTEN, met=Outcome.ANSWERED, status=503 if number < failed else 200,
            reached=number >= failed, serial=OLD if number / 10 < 5 + follows_s else NEW, at_ns=number * NS // 10,
        )
        for number in range(count)
    ]  # fmt: skip
    return Course(changed_ns=5 * NS, done_ns=5 * NS, answers=tuple(rows))


ANSWERS = (
    IngressAnswer(ask=PLAN.asks[0].name, scene=Scene.KEPT_OUT, met=Outcome.ANSWERED, status=503),
    *(right(Scene.AS_WRITTEN, number) for number in range(len(PLAN.asks))),
)
SEEN = IngressEvidence(
    service_https=Outcome.CLOSED, service_http=200, wanted=("tekutoko-api",), before=(), after=("tekutoko-api",), service_type="ClusterIP", answers=ANSWERS,
    without_ca=Outcome.UNTRUSTED, plain={Scene.OPEN: Outcome.ANSWERED, Scene.AS_WRITTEN: Outcome.REFUSED},
    lists=Lists(service="d", ingress="d", walks=1), issued=OLD, renewed=NEW, renewal=stream(), update=stream(),
    paths_hold=True,
)  # fmt: skip


def verdicts(**changes: Any) -> dict[str, Verdict]:
    found = judge.judgements(PLAN, msgspec.structs.replace(SEEN, **changes))
    return {each.id.removeprefix("ingress."): each.verdict for each in found}


def changed(number: int, **changes: Any) -> tuple[IngressAnswer, ...]:
    """The answers with the one to an ask of the component changed; -1 is the one without the label."""
    rows = list(ANSWERS)
    rows[number + 1] = msgspec.structs.replace(rows[number + 1], **changes)
    return tuple(rows)


def all_met(met: Outcome) -> tuple[IngressAnswer, ...]:
    return tuple(msgspec.structs.replace(each, met=met, status=0, reached=False, serial="") for each in ANSWERS)


def test_good_evidence_passes_and_serves_its_claims() -> None:
    found = judge.judgements(PLAN, SEEN)
    shown = [each for each in found if each.erratum]
    assert [(each.verdict, each.erratum) for each in shown] == [
        (Verdict.ERRATUM_SHOWN, "security.load_balancer_ends_no_tls")
    ]
    assert {each.verdict for each in found if each not in shown} == {PASS}
    assert {each.claim for each in found} == {judge.MOVED, judge.PHASE_4, judge.TLS, judge.POLICY}
    assert "1.0 s after it was put into the Secret" in found[-1].reason


def test_nothing_seen_is_inconclusive() -> None:
    found = judge.judgements(PLAN, IngressEvidence(wanted=("tekutoko-api",)))
    assert {each.verdict for each in found} == {NOTHING}


def test_not_asked_is_not_exercised() -> None:
    found = not_exercised(judge.CHECKS.items(), judge.NOT_ASKED)
    assert {(each.verdict, each.gates) for each in found} == {(Verdict.NOT_EXERCISED, False)}
    assert [each.id for each in found] == [each.id for each in judge.judgements(PLAN, SEEN)]


@pytest.mark.parametrize("met", [Outcome.REFUSED, Outcome.CLOSED, Outcome.TIMED_OUT])
def test_an_absent_controller_fails(met: Outcome) -> None:
    """Its port refuses everything: what was to be refused is no merit of anybody's."""
    found = verdicts(answers=all_met(met), without_ca=met, lists=Lists(service="d", ingress="", walks=1))
    assert found["opt_in"] is found["routes"] is found["tls"] is found["as_the_service"] is FAIL
    assert found["policy"] is FAIL


@pytest.mark.parametrize(
    ("changes", "check", "verdict"),
    [
        ({"service_https": Outcome.ANSWERED}, "as_written", FAIL),  # TLS ends there: the erratum is not so
        ({"service_https": Outcome.UNTRUSTED}, "as_written", FAIL),
        ({"service_https": Outcome.TIMED_OUT}, "as_written", NOTHING),
        ({"service_https": None}, "as_written", NOTHING),
        ({"service_http": 503}, "as_written", NOTHING),
        ({"service_http": 0}, "as_written", NOTHING),
        ({"before": ("tekutoko-api",)}, "opt_in", FAIL),  # it is there by default
        ({"after": ()}, "opt_in", FAIL),
        ({"after": ("tekutoko-api", "another")}, "opt_in", FAIL),
        ({"service_type": "NodePort"}, "opt_in", FAIL),  # a second way in
        ({"after": None}, "opt_in", NOTHING),
        ({"answers": changed(0, status=500)}, "routes", FAIL),
        ({"answers": changed(0, reached=False)}, "routes", FAIL),  # the controller's own 200
        ({"answers": changed(2, reached=False)}, "routes", FAIL),  # a 401, but not the API's
        ({"answers": changed(3, reached=True)}, "routes", FAIL),  # the API's 404 for a path that is not its
        ({"answers": changed(3, status=503)}, "routes", FAIL),  # out of order is not refused
        ({"answers": changed(3, status=200)}, "routes", FAIL),
        ({"answers": changed(7, met=Outcome.CLOSED, status=0)}, "routes", PASS),  # no certificate for that name
        ({"answers": changed(7, status=421)}, "routes", PASS),
        ({"answers": changed(7, met=Outcome.TIMED_OUT, status=0)}, "routes", FAIL),
        ({"answers": ANSWERS[:-1]}, "routes", NOTHING),
        ({"lists": Lists(service="d", ingress="e", walks=1)}, "as_the_service", FAIL),
        ({"lists": Lists(service="", ingress="", walks=0)}, "as_the_service", NOTHING),
        ({"lists": Lists(service="d", ingress="d", walks=0)}, "as_the_service", NOTHING),
        ({"answers": changed(-1, status=200, reached=True)}, "policy", FAIL),  # nobody stands between
        ({"answers": changed(-1, met=Outcome.CLOSED, status=0)}, "policy", NOTHING),
        ({"answers": changed(-1, status=404)}, "policy", NOTHING),  # it followed no Ingress yet
        ({"answers": ANSWERS[1:]}, "policy", NOTHING),
        ({"paths_hold": False}, "policy", FAIL),
        ({"paths_hold": None}, "policy", NOTHING),
        ({"answers": changed(1, reached=False, status=503)}, "policy", FAIL),  # not each of its requests
        ({"answers": changed(0, serial="FF")}, "tls", FAIL),  # a certificate, but not the Secret's
        ({"answers": changed(0, met=Outcome.UNTRUSTED)}, "tls", FAIL),
        ({"without_ca": Outcome.ANSWERED}, "tls", FAIL),  # anybody's trust: then the check proves nothing
        ({"without_ca": Outcome.CLOSED}, "tls", FAIL),
        ({"without_ca": None}, "tls", NOTHING),
        ({"issued": ""}, "tls", NOTHING),
        ({"plain": {Scene.OPEN: Outcome.ANSWERED, Scene.AS_WRITTEN: Outcome.ANSWERED}}, "plain_http", FAIL),
        ({"plain": {Scene.OPEN: Outcome.ANSWERED, Scene.AS_WRITTEN: Outcome.CLOSED}}, "plain_http", FAIL),
        ({"plain": {Scene.OPEN: Outcome.REFUSED, Scene.AS_WRITTEN: Outcome.REFUSED}}, "plain_http", NOTHING),
        ({"plain": {Scene.AS_WRITTEN: Outcome.REFUSED}}, "plain_http", NOTHING),
        ({"renewal": stream(failed=1)}, "renewal", FAIL),
        ({"renewal": stream(follows_s=100)}, "renewal", FAIL),  # the old one for ever
        ({"renewal": stream(follows_s=-5)}, "renewal", NOTHING),  # the new one before it was made
        ({"renewed": "EE"}, "renewal", FAIL),
        ({"renewal": stream(count=59, follows_s=0.1)}, "renewal", NOTHING),
        ({"renewal": stream(count=0)}, "renewal", NOTHING),
        ({"renewal": None}, "renewal", NOTHING),
    ],
)  # fmt: skip
def test_other_evidence(changes: dict[str, Any], check: str, verdict: Verdict) -> None:
    found = verdicts(**changes)
    assert found[check] is verdict


def test_a_rolling_update_is_told() -> None:
    assert (
        str(judge.update_told(stream())) == "while all pods were replaced, 0 of 200 requests through the Ingress failed"
    )
    assert "3 of 200 requests through the Ingress failed (503 of the controller)" in str(
        judge.update_told(stream(failed=3))
    )
