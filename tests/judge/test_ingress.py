"""The judge of the Ingress: bad evidence fails, none is inconclusive."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.base import planfile
from harness.judge.window import NS
from harness.model.message import english
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
    assert found["opt_in"] is found["routes"] is found["tls"] is FAIL
    assert found["as_the_service"] is NOTHING, "no list came to be compared"
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
LIST, POST, NO_TOKEN = (ask.name for ask in PLAN.asks[:3])
VERIFIED = (
    "verified against the run's authority, for the Ingress' host, with the certificate that was put into its Secret"
)
CLEAR = "with its token in the clear the same request gets"
OPEN = {Scene.OPEN: Outcome.ANSWERED}


def test_nothing_seen_says_what_was_not_asked() -> None:
    found = judge.judgements(PLAN, IngressEvidence(wanted=("tekutoko-api",)))
    assert {each.id.removeprefix("ingress."): (each.reason, each.shown) for each in found} == {
        check: (why, ()) for check, why in NOT_ASKED.items()
    }


@pytest.mark.parametrize(
    ("changes", "check", "why", "shown", "notes"),
    [
        ({"service_https": Outcome.ANSWERED}, "as_written", f"without the Ingress, HTTPS at the Service: answered; {CLEAR}"
         " 200; TLS ends at the Service after all", "answered", []),
        ({"service_http": 503}, "as_written", f"without the Ingress, HTTPS at the Service: closed; {CLEAR} 503", "closed",
         []),
        ({"service_type": "", "answers": ()}, "opt_in", "without the component: none; with it: tekutoko-api, the Service "
         "is of type none; no controller answers", "Ingresses: 1", []),
        ({"before": ("a", "b")}, "opt_in", "without the component: a, b; with it: tekutoko-api, the Service is of type "
         "ClusterIP; a controller answers", "Ingresses: 1", []),
        ({"answers": changed(0, status=500)}, "routes", "8 of 9 requests by HTTPS end as they should: those below /v1 at "
         "a pod, all others at nobody", "8 of 9", [f"{LIST}: 500 of a pod (a user's list of walks)"]),
        ({"answers": all_met(Outcome.REFUSED)}, "routes", "no controller answers: nothing was refused by one either",
         "0 of 9", []),
        ({"lists": Lists(service="d", ingress="d", walks=0)}, "as_the_service",
         "no walk was in the Service's list: it shows nothing", "", []),
        ({"lists": Lists(service="d", ingress="e", walks=2)}, "as_the_service",
         "a user's list of walks (2) through the Ingress is not the Service's own", "walks: 2", []),
        ({"answers": changed(-1, status=200, reached=True)}, "policy", "without the label it reached a pod: 200 of a pod",
         "3 of 3 reached a pod", []),
        ({"answers": (ANSWERS[0], msgspec.structs.replace(right(Scene.AS_WRITTEN, 0), reached=False, status=502))},
         "policy", "with the label it reaches no pod: 502 of the controller", "0 of 1 reached a pod", []),
        ({"answers": (ANSWERS[0], msgspec.structs.replace(right(Scene.AS_WRITTEN, 0), reached=False, status=502),
                      msgspec.structs.replace(right(Scene.AS_WRITTEN, 1), reached=False, status=504))},
         "policy", "with the label it reaches no pod: 502 of the controller", "0 of 2 reached a pod", []),
        ({"paths_hold": False}, "policy", "with the Ingress there, not every path between pods is as wanted",
         "3 of 3 reached a pod", []),
        ({"answers": changed(-1, status=404)}, "policy", "without the label it is not the policy that stands between: 404 "
         "of the controller", "3 of 3 reached a pod", []),
        ({"answers": changed(1, reached=False)}, "policy", "the controller's pod without the label reaches no pod (503 of "
         "the controller); with it 2 of 3 reached a pod, and every path between pods is as wanted still",
         "2 of 3 reached a pod", []),
        ({"answers": changed(0, met=Outcome.UNTRUSTED, serial="")}, "tls", f"2 of 3 {VERIFIED}; to a client that does not "
         "know the authority it is untrusted", "2 of 3 verified", [f"{LIST}: untrusted, serial none"]),
        ({"answers": changed(1, serial="FF"), "without_ca": Outcome.CLOSED}, "tls", f"2 of 3 {VERIFIED}; to a client that "
         "does not know the authority it is closed", "2 of 3 verified", [f"{POST}: 201 of a pod, serial FF"]),
        ({"plain": OPEN | {Scene.AS_WRITTEN: Outcome.CLOSED}}, "plain_http", "the controller's port of plain HTTP: "
         "answered without the annotation, closed with it", "closed", []),
        ({"renewal": stream(failed=4)}, "renewal", "4 of 200 failed on new connections, each verified, while the "
         "certificate was renewed; the new one was served 1.0 s after it was put into the Secret", "4 of 200 failed",
         ["503 of the controller"] * 3),
        ({"renewal": stream(follows_s=100)}, "renewal", "the renewed certificate is not what is served; 0 of 200 failed "
         "meanwhile", "0 of 200 failed", []),
    ],
)  # fmt: skip
def test_bad_evidence_is_told_to_the_word(
    changes: dict[str, Any], check: str, why: str, shown: str, notes: list[str]
) -> None:
    found = {each.id: each for each in judge.judgements(PLAN, msgspec.structs.replace(SEEN, **changes))}
    one = found[f"ingress.{check}"]
    assert (one.reason, english(one.shown), [str(each) for each in one.notes]) == (why, shown, notes)
    assert one.claim == judge.CHECKS[one.id]


def served(*serials: str) -> Course:
    """A stream in which the last certificates were others than those that should be."""
    whole = stream()
    last = zip(whole.answers[-len(serials) :], serials, strict=True)
    rows = (*whole.answers[: -len(serials)], *(msgspec.structs.replace(row, serial=serial) for row, serial in last))
    return msgspec.structs.replace(whole, answers=rows)


@pytest.mark.parametrize(
    ("serials", "why", "notes"),
    [
        ((NEW, OLD), "the renewed certificate is not what is served", []),  # back to the old one at the end
        (("FF", "EE"), "the renewed certificate is not what is served", ["serial EE", "serial FF"]),
        (("FF", NEW), "a certificate that is neither was served too", ["serial FF"]),  # for a moment
    ],
)
def test_certificates_that_are_neither_are_told_and_fail(serials: tuple[str, ...], why: str, notes: list[str]) -> None:
    found = judge.renewal(msgspec.structs.replace(SEEN, renewal=served(*serials)))
    assert (found.verdict, [str(each) for each in found.notes]) == (FAIL, notes)
    assert found.reason == f"{why}; 0 of 200 failed meanwhile"


@pytest.mark.parametrize(
    ("check", "why", "shown"),
    [
        ("as_written", f"without the Ingress, HTTPS at the Service: closed; {CLEAR} 200", "closed"),
        ("as_the_service", "a user's list of walks (1) through the Ingress is the Service's own", "walks: 1"),
        ("plain_http", "the controller's port of plain HTTP: answered without the annotation, refused with it", "refused"),
        ("renewal", "0 of 200 failed on new connections, each verified, while the certificate was renewed; the new one was "
         "served 0.3 s after it was put into the Secret", "0 of 200 failed"),
    ],
)  # fmt: skip
def test_what_holds_is_told_with_its_figures(check: str, why: str, shown: str) -> None:
    found = judge.judgements(PLAN, msgspec.structs.replace(SEEN, renewal=stream(follows_s=0.3)))
    (one,) = (each for each in found if each.id == f"ingress.{check}")
    assert (one.reason, english(one.shown)) == (why, shown)


def test_sixty_requests_are_enough_for_a_renewal() -> None:
    assert verdicts(renewal=stream(count=60, follows_s=0.1))["renewal"] is PASS


@pytest.mark.parametrize(("status", "verdict"), [(500, PASS), (499, NOTHING)])
def test_a_server_s_error_of_the_controller_is_its_word_that_it_reaches_no_pod(status: int, verdict: Verdict) -> None:
    assert verdicts(answers=changed(-1, status=status))["policy"] is verdict


def test_a_pod_s_error_and_the_controller_s_own_answer_are_both_failures_of_an_update() -> None:
    rows = list(stream(count=10).answers)
    rows[3] = msgspec.structs.replace(rows[3], status=500)
    rows[5] = msgspec.structs.replace(rows[5], reached=False)
    rows[6] = msgspec.structs.replace(rows[6], met=Outcome.TIMED_OUT, status=0, reached=False)
    assert str(judge.update_told(Course(changed_ns=0, done_ns=None, answers=tuple(rows)))) == (
        "while all pods were replaced, 3 of 10 requests through the Ingress failed "
        "(200 of the controller, 500 of a pod, timed out)"
    )


def test_a_rolling_update_is_told() -> None:
    assert (
        str(judge.update_told(stream())) == "while all pods were replaced, 0 of 200 requests through the Ingress failed"
    )
    assert "3 of 200 requests through the Ingress failed (503 of the controller)" in str(
        judge.update_told(stream(failed=3))
    )
