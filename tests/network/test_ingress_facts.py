"""What is seen of an Ingress: bad evidence fails, none is inconclusive."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.base import planfile
from harness.base.ticks import NS
from harness.model.judgement import Judgement, Verdict
from harness.rehearsals.network.facts import update_told
from harness.rehearsals.network.rehearsal import REHEARSAL
from harness.rehearsals.network.types import (
    FrontOutcome,
    IngressAnswer,
    IngressCourse,
    IngressEvidence,
    Lists,
    NetworkDetails,
    NetworkPlan,
    Scene,
)
from tests.rehearsal.made import seen

PASS, FAIL, NOTHING = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
NETWORK = msgspec.structs.replace(planfile.bundled("network", NetworkPlan), with_ingress=True)
PLAN = NETWORK.ingress
OLD, NEW = "AB12", "CD34"


def right(scene: Scene, number: int) -> IngressAnswer:
    """What the plan's ask of that number wants."""
    ask = PLAN.asks[number]
    status = ask.status or 404
    return IngressAnswer(
        ask=ask.name, scene=scene, met=FrontOutcome.ANSWERED, status=status, reached=bool(ask.status), serial=OLD
    )


def stream(*, failed: int = 0, count: int = 200, follows_s: float = 1.0) -> IngressCourse:
    """Ten requests a second; the change is at 5 s, and what is served follows."""
    rows = [
        IngressAnswer(
            ask="GET /v1/walks", scene=Scene.AS_WRITTEN, met=FrontOutcome.ANSWERED, status=503 if number < failed else 200,
            reached=number >= failed, serial=OLD if number / 10 < 5 + follows_s else NEW, at_ns=number * NS // 10,
        )
        for number in range(count)
    ]  # fmt: skip
    return IngressCourse(changed_ns=5 * NS, done_ns=5 * NS, answers=tuple(rows))


ANSWERS = (
    IngressAnswer(ask=PLAN.asks[0].name, scene=Scene.KEPT_OUT, met=FrontOutcome.ANSWERED, status=503),
    *(right(Scene.AS_WRITTEN, number) for number in range(len(PLAN.asks))),
)
SEEN = IngressEvidence(
    service_https=FrontOutcome.CLOSED, service_http=200, wanted=("tekutoko-api",), before=(), after=("tekutoko-api",),
    service_type="ClusterIP", answers=ANSWERS,
    without_ca=FrontOutcome.UNTRUSTED, plain={Scene.OPEN: FrontOutcome.ANSWERED, Scene.AS_WRITTEN: FrontOutcome.REFUSED},
    lists=Lists(service="d", ingress="d", walks=1), issued=OLD, renewed=NEW, renewal=stream(), update=stream(),
    paths_hold=True,
)  # fmt: skip


def judgements(evidence: IngressEvidence, **changes: Any) -> dict[str, Judgement]:
    """By their name in the Ingress."""
    given: dict[str, Any] = {"brings_ingress": True} | changes
    found = REHEARSAL.by_rules(NETWORK, seen(NetworkDetails(ingress=evidence, **given)))
    return {each.id.partition(".")[2]: each for each in found if each.id.startswith("ingress.")}


def verdicts(**changes: Any) -> dict[str, Verdict]:
    found = judgements(msgspec.structs.replace(SEEN, update=None, **changes))
    return {name: each.verdict for name, each in found.items()}


def changed(number: int, **changes: Any) -> tuple[IngressAnswer, ...]:
    """The answers with the one to an ask of the component changed; -1 is the one without the label."""
    rows = list(ANSWERS)
    rows[number + 1] = msgspec.structs.replace(rows[number + 1], **changes)
    return tuple(rows)


def all_met(met: FrontOutcome) -> tuple[IngressAnswer, ...]:
    return tuple(msgspec.structs.replace(each, met=met, status=0, reached=False, serial="") for each in ANSWERS)


def test_good_evidence_passes_and_serves_its_claims() -> None:
    found = judgements(SEEN)
    moved = found.pop("as_written")
    assert (moved.verdict, moved.erratum) == (Verdict.ERRATUM_SHOWN, "security.load_balancer_ends_no_tls")
    assert {each.verdict for each in found.values()} == {PASS}
    claims = {"manifest.phase4_added", "checklist.security.tls", "security.network.policy", ""}  # an update has none
    assert {each.claim for each in found.values()} == claims
    assert "first 1.0 s after it was put into the Secret" in found["renewal"].reason


def test_nothing_seen_is_inconclusive_and_says_what_was_not_asked() -> None:
    found = judgements(IngressEvidence(wanted=("tekutoko-api",)))
    assert found.keys() == NOT_ASKED.keys()
    assert [name for name, each in found.items() if not each.reason.startswith(NOT_ASKED[name])] == []
    assert {each.verdict for each in found.values()} == {NOTHING}


def test_what_the_environment_does_not_bring_is_not_exercised() -> None:
    found = judgements(IngressEvidence(wanted=()), brings_ingress=False)
    assert {(each.verdict, each.gates) for each in found.values()} == {(Verdict.NOT_EXERCISED, False)}
    assert found.keys() == NOT_ASKED.keys()


@pytest.mark.parametrize("met", [FrontOutcome.REFUSED, FrontOutcome.CLOSED, FrontOutcome.TIMED_OUT])
def test_an_absent_controller_fails(met: FrontOutcome) -> None:
    """Its port refuses everything: what was to be refused is no merit of anybody's."""
    found = verdicts(answers=all_met(met), without_ca=met, lists=Lists(service="d", ingress="", walks=1))
    assert found["opt_in"] is found["routes"] is found["tls"] is FAIL
    assert found["as_the_service"] is NOTHING, "no list came to be compared"
    assert found["policy"] is FAIL


@pytest.mark.parametrize(
    ("changes", "check", "verdict"),
    [
        ({"service_https": FrontOutcome.ANSWERED}, "as_written", FAIL),  # TLS ends there: the erratum is not so
        ({"service_https": FrontOutcome.UNTRUSTED}, "as_written", FAIL),
        ({"service_https": FrontOutcome.TIMED_OUT}, "as_written", NOTHING),
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
        ({"answers": changed(7, met=FrontOutcome.CLOSED, status=0)}, "routes", PASS),  # no certificate for that name
        ({"answers": changed(7, status=421)}, "routes", PASS),
        ({"answers": changed(7, met=FrontOutcome.TIMED_OUT, status=0)}, "routes", FAIL),
        ({"answers": ANSWERS[:-1]}, "routes", NOTHING),
        ({"lists": Lists(service="d", ingress="e", walks=1)}, "as_the_service", FAIL),
        ({"lists": Lists(service="", ingress="", walks=0)}, "as_the_service", NOTHING),
        ({"lists": Lists(service="d", ingress="d", walks=0)}, "as_the_service", NOTHING),
        ({"answers": changed(-1, status=200, reached=True)}, "policy", FAIL),  # nobody stands between
        ({"answers": changed(-1, met=FrontOutcome.CLOSED, status=0)}, "policy", NOTHING),
        ({"answers": changed(-1, status=404)}, "policy", NOTHING),  # it followed no Ingress yet
        ({"answers": ANSWERS[1:]}, "policy", NOTHING),
        ({"paths_hold": False}, "policy", FAIL),
        ({"paths_hold": None}, "policy", NOTHING),
        ({"answers": changed(1, reached=False, status=503)}, "policy", FAIL),  # not each of its requests
        ({"answers": changed(0, serial="FF")}, "tls", FAIL),  # a certificate, but not the Secret's
        ({"answers": changed(0, met=FrontOutcome.UNTRUSTED)}, "tls", FAIL),
        ({"without_ca": FrontOutcome.ANSWERED}, "tls", FAIL),  # anybody's trust: then the check proves nothing
        ({"without_ca": FrontOutcome.CLOSED}, "tls", FAIL),
        ({"without_ca": None}, "tls", NOTHING),
        ({"issued": ""}, "tls", NOTHING),
        ({"plain": {Scene.OPEN: FrontOutcome.ANSWERED, Scene.AS_WRITTEN: FrontOutcome.ANSWERED}}, "plain_http", FAIL),
        ({"plain": {Scene.OPEN: FrontOutcome.ANSWERED, Scene.AS_WRITTEN: FrontOutcome.CLOSED}}, "plain_http", FAIL),
        ({"plain": {Scene.OPEN: FrontOutcome.REFUSED, Scene.AS_WRITTEN: FrontOutcome.REFUSED}}, "plain_http", NOTHING),
        ({"plain": {Scene.AS_WRITTEN: FrontOutcome.REFUSED}}, "plain_http", NOTHING),
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


NOT_ASKED = {
    "as_written": "the Service was not asked before there was an Ingress",
    "opt_in": "the Ingresses were not listed",
    "routes": f"not asked: {', '.join(ask.name for ask in PLAN.asks)}",
    "as_the_service": "the lists were not read",
    "policy": "the controller was not asked without the label and with it",
    "tls": "nobody was asked by HTTPS",
    "plain_http": "the port of plain HTTP was not asked",
    "renewal": "no certificate was renewed while anybody asked",
}
OPEN = {Scene.OPEN: FrontOutcome.ANSWERED}


@pytest.mark.parametrize(
    ("changes", "check", "why"),
    [
        ({"service_https": FrontOutcome.ANSWERED}, "as_written", "1 of 1 requests by HTTPS end at the Service (answered)"),
        ({"service_http": 503}, "as_written", "it is not shown where TLS ends; without the Ingress, 0 of 1 requests by "
         "HTTPS end at the Service (closed); with its token in the clear the same request gets 503"),
        ({"service_type": "", "answers": ()}, "opt_in", "the Service is of type none; ClusterIP is wanted in it"),
        ({"before": ("a", "b")}, "opt_in", "Ingresses without the component: 2 (a, b)"),
        ({"answers": changed(0, status=500)}, "routes", "1 of 9 (those below /v1 at a pod, others at nobody); "
         f"{PLAN.asks[0].name}: 500 of a pod (a user's list of walks)"),
        ({"answers": all_met(FrontOutcome.REFUSED)}, "routes", "a controller answers 0 of 9 requests by HTTPS"),
        ({"answers": changed(-1, status=200, reached=True)}, "policy", "without the label: 1 of 1 (200 of a pod)"),
        ({"answers": changed(-1, status=404)}, "policy", "without the label: 0 of 1 (404 of the controller); by what is "
         "not in evidence it may be 0 to 1"),
        ({"answers": changed(1, reached=False)}, "policy", "through one with it: 1 of 3 (201 of the controller)"),
        ({"paths_hold": False}, "policy", "not as wanted, with the Ingress there: 1 of 1"),
        ({"answers": changed(0, met=FrontOutcome.UNTRUSTED, serial="")}, "tls", "Secret: 1 of 3; GET /v1/walks: untrusted, "
         "serial none"),
        ({"without_ca": FrontOutcome.CLOSED}, "tls", "does not know the authority it is closed"),
        ({"plain": OPEN | {Scene.AS_WRITTEN: FrontOutcome.CLOSED}}, "plain_http", "lets in with the annotation: 1 (closed)"),
        ({"renewal": stream(failed=4)}, "renewal", "4 of 200 requests on new connections failed while the certificate "
         "was renewed; 503 of the controller"),
        ({"renewal": stream(follows_s=100)}, "renewal", "0 of 1 last answers had the new one"),
    ],
)  # fmt: skip
def test_bad_evidence_is_told(changes: dict[str, Any], check: str, why: str) -> None:
    assert why in judgements(msgspec.structs.replace(SEEN, **changes))[check].reason


def served(*serials: str) -> IngressCourse:
    """A stream in which the last certificates were others than those that should be."""
    whole = stream()
    last = zip(whole.answers[-len(serials) :], serials, strict=True)
    rows = (*whole.answers[: -len(serials)], *(msgspec.structs.replace(row, serial=serial) for row, serial in last))
    return msgspec.structs.replace(whole, answers=rows)


@pytest.mark.parametrize(
    ("serials", "why"),
    [
        ((NEW, OLD), "0 of 1 last answers had the new one"),  # back to the old one at the end
        (("FF", "EE"), "neither the old one nor the new: 2 (EE, FF)"),
        (("FF", NEW), "neither the old one nor the new: 1 (FF)"),  # for a moment
    ],
)
def test_certificates_that_are_neither_are_told_and_fail(serials: tuple[str, ...], why: str) -> None:
    found = judgements(msgspec.structs.replace(SEEN, renewal=served(*serials)))["renewal"]
    assert found.verdict is FAIL and why in found.reason


def test_sixty_requests_are_enough_for_a_renewal() -> None:
    assert verdicts(renewal=stream(count=60, follows_s=0.1))["renewal"] is PASS


@pytest.mark.parametrize(("status", "verdict"), [(500, PASS), (499, NOTHING)])
def test_a_server_s_error_of_the_controller_is_its_word_that_it_reaches_no_pod(status: int, verdict: Verdict) -> None:
    assert verdicts(answers=changed(-1, status=status))["policy"] is verdict


def test_a_pod_s_error_and_the_controller_s_own_answer_are_both_failures_of_an_update() -> None:
    rows = list(stream(count=10).answers)
    rows[3] = msgspec.structs.replace(rows[3], status=500)
    rows[5] = msgspec.structs.replace(rows[5], reached=False)
    rows[6] = msgspec.structs.replace(rows[6], met=FrontOutcome.TIMED_OUT, status=0, reached=False)
    assert str(update_told(IngressCourse(changed_ns=0, done_ns=None, answers=tuple(rows)))) == (
        "while all pods were replaced, 3 of 10 requests through the Ingress failed "
        "(200 of the controller, 500 of a pod, timed out)"
    )


def test_a_rolling_update_is_told() -> None:
    assert str(update_told(stream())) == "while all pods were replaced, 0 of 200 requests through the Ingress failed"
    assert "3 of 200 requests through the Ingress failed (503 of the controller)" in str(update_told(stream(failed=3)))
