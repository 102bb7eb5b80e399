"""HTTPS through an Ingress, judged: it leads where the component says and nowhere else, and only those who trust the
run's authority speak with it. Pure. The scenes are ``harness.rehearsals.network.types_ingress.Scene``.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.judge.window import NS
from harness.model.verdict import Verdict
from harness.rehearsals.network.types import NetworkFinding
from harness.rehearsals.network.types_ingress import (
    Course,
    IngressAnswer,
    IngressAsk,
    IngressEvidence,
    IngressPlan,
    Met,
    Scene,
)

PHASE_4 = "manifest.phase4_added"
TLS = "checklist.security.tls"
POLICY = "security.network.policy"
MOVED = "security.network.tls"
NOT_ASKED = "asked for with --ingress, which brings a controller: users were asked through the Service, by HTTP"
#: What a controller itself may answer where no pod is to: nothing there, no such name on this connection.
_NOBODY = (404, 421)
_LEAST_RENEWAL = 60
_CHECKS = {
    "ingress.as_written": MOVED,
    "ingress.opt_in": PHASE_4,
    "ingress.routes": PHASE_4,
    "ingress.as_the_service": PHASE_4,
    "ingress.policy": POLICY,
    "ingress.tls": TLS,
    "ingress.plain_http": TLS,
    "ingress.renewal": TLS,
}


def not_exercised(reason: str) -> list[NetworkFinding]:
    """Every check, for ``reason``."""
    return [_found(check, Verdict.NOT_EXERCISED, "", reason) for check in _CHECKS]


def findings(plan: IngressPlan, seen: IngressEvidence) -> list[NetworkFinding]:
    """Every check."""
    return [
        as_written(seen),
        opt_in(seen),
        routes(plan, seen),
        as_the_service(seen),
        policy(plan, seen),
        tls(plan, seen),
        plain_http(seen),
        renewal(seen),
    ]


def as_wanted(ask: IngressAsk, answer: IngressAnswer) -> bool:
    """Whether ``answer`` is what ``ask`` wants: a pod's, with its status; or nobody's."""
    if ask.status:
        return answer.met is Met.ANSWERED and answer.reached and answer.status == ask.status
    if answer.met is Met.ANSWERED:
        return not answer.reached and answer.status in _NOBODY
    return answer.met is Met.CLOSED  # the handshake was ended: no certificate for the name


def kept_out(answer: IngressAnswer) -> bool:
    """The controller answered for itself that it reaches no pod."""
    return answer.met is Met.ANSWERED and not answer.reached and answer.status >= 500


def as_written(seen: IngressEvidence) -> NetworkFinding:
    """HTTPS ends at a LoadBalancer, says the document, and moves to the Ingress in Phase 4: nothing ends there before,
    and a token travels in the clear."""
    check, met, status = "ingress.as_written", seen.service_https, seen.service_http
    if met is None or not status:
        return _found(check, Verdict.INCONCLUSIVE, "", "the Service was not asked before there was an Ingress")
    reason = (
        f"without the Ingress, HTTPS at the Service: {met}; with its token in the clear the same request gets {status}"
    )
    if met in (Met.ANSWERED, Met.UNTRUSTED):
        return _found(check, Verdict.FAIL, str(met), f"{reason}: TLS ends at the Service after all")
    if met is not Met.CLOSED or status != 200:
        return _found(check, Verdict.INCONCLUSIVE, str(met), reason)
    found = _found(check, Verdict.ERRATUM_SHOWN, str(met), reason)
    return msgspec.structs.replace(found, erratum="security.load_balancer_ends_no_tls")


def opt_in(seen: IngressEvidence) -> NetworkFinding:
    """No Ingress without the component; with it the component's, a Service without a way in of its own, and somebody
    who answers."""
    if seen.before is None or seen.after is None:
        return _found("ingress.opt_in", Verdict.INCONCLUSIVE, "", "the Ingresses were not listed")
    kept = bool(seen.wanted) and not seen.before and sorted(seen.after) == sorted(seen.wanted)
    inside, answers = seen.service_type == "ClusterIP", _anybody(seen.of(Scene.AS_WRITTEN))
    reason = (
        f"without the component: {_listed(seen.before)}; with it: {_listed(seen.after)}, the Service is of type "
        f"{seen.service_type or 'none'}, {'a' if answers else 'no'} controller answers"
    )
    verdict = Verdict.PASS if kept and inside and answers else Verdict.FAIL
    return _found("ingress.opt_in", verdict, f"Ingresses: {len(seen.after)}", reason)


def routes(plan: IngressPlan, seen: IngressEvidence) -> NetworkFinding:
    """Each ask as it is wanted, with the component as it is written."""
    by_name = {each.ask: each for each in seen.of(Scene.AS_WRITTEN)}
    missing = [ask.name for ask in plan.asks if ask.name not in by_name]
    if missing or not plan.asks:
        return _found("ingress.routes", Verdict.INCONCLUSIVE, "", f"not asked: {_listed(missing)}")
    bad = [ask for ask in plan.asks if not as_wanted(ask, by_name[ask.name])]
    value = f"{len(plan.asks) - len(bad)} of {len(plan.asks)}"
    if not _anybody(seen.of(Scene.AS_WRITTEN)):
        return _found("ingress.routes", Verdict.FAIL, value, "no controller answers: nothing was refused by one either")
    reason = f"{value} requests by HTTPS end as they should: those below /v1 at a pod, all others at nobody"
    examples = tuple(f"{ask.name}: {by_name[ask.name].told} ({ask.why})" for ask in bad)
    return _found("ingress.routes", Verdict.FAIL if bad else Verdict.PASS, value, reason, examples)


def as_the_service(seen: IngressEvidence) -> NetworkFinding:
    """The same user's list of walks, asked both ways, is the same document, with a walk in it."""
    lists = seen.lists
    if lists is None or not lists.walks or not lists.service:
        reason = "the lists were not read" if lists is None else "no walk was in the Service's list: it shows nothing"
        return _found("ingress.as_the_service", Verdict.INCONCLUSIVE, "", reason)
    same = lists.service == lists.ingress
    reason = f"a user's list of walks ({lists.walks}) through the Ingress is {'' if same else 'not '}the Service's own"
    verdict = Verdict.PASS if same else Verdict.FAIL
    return _found("ingress.as_the_service", verdict, f"walks: {lists.walks}", reason)


def policy(plan: IngressPlan, seen: IngressEvidence) -> NetworkFinding:
    """The policy lets the controller in by its label alone, and nobody else while the Ingress is there."""
    wanted = {ask.name: ask for ask in plan.asks if ask.status}
    without = [each for each in seen.of(Scene.KEPT_OUT) if each.ask in wanted]
    under = [each for each in seen.of(Scene.AS_WRITTEN) if each.ask in wanted]
    check = "ingress.policy"
    if not under or not without or seen.paths_hold is None:
        return _found(check, Verdict.INCONCLUSIVE, "", "the controller was not asked without the label and with it")
    let_in = [each for each in without if each.reached]
    reached = [each for each in under if each.reached]
    value = f"{len(reached)} of {len(under)} reached a pod"
    if let_in:
        return _found(check, Verdict.FAIL, value, f"without the label it reached a pod: {let_in[0].told}")
    if not reached:
        return _found(check, Verdict.FAIL, value, f"with the label it reaches no pod: {under[0].told}")
    if not seen.paths_hold:
        return _found(check, Verdict.FAIL, value, "with the Ingress there, not every path between pods is as wanted")
    if not all(kept_out(each) for each in without):
        reason = f"without the label it is not the policy that stands between: {without[0].told}"
        return _found(check, Verdict.INCONCLUSIVE, value, reason)
    reason = (
        f"the controller's pod without the label reaches no pod ({without[0].told}); with it {value}, and every path "
        "between pods is as wanted still"
    )
    return _found(check, Verdict.PASS if len(reached) == len(under) else Verdict.FAIL, value, reason)


def tls(plan: IngressPlan, seen: IngressEvidence) -> NetworkFinding:
    """What answers has the certificate of the Secret that the Ingress names, which the run's authority alone vouches
    for."""
    wanted = {ask.name for ask in plan.asks if ask.status}
    asked = [each for each in seen.of(Scene.AS_WRITTEN) if each.ask in wanted]
    if not asked or not seen.issued or seen.without_ca is None:
        return _found("ingress.tls", Verdict.INCONCLUSIVE, "", "nobody was asked by HTTPS")
    good = [each for each in asked if each.met is Met.ANSWERED and each.serial == seen.issued]
    value = f"{len(good)} of {len(asked)} verified"
    reason = (
        f"{value} against the run's authority, for the Ingress' host, with the certificate that was put into its "
        f"Secret; to a client that does not know the authority it is {seen.without_ca}"
    )
    bad = tuple(f"{each.ask}: {each.told}, serial {each.serial or 'none'}" for each in asked if each not in good)
    verdict = Verdict.PASS if len(good) == len(asked) and seen.without_ca is Met.UNTRUSTED else Verdict.FAIL
    return _found("ingress.tls", verdict, value, reason, bad)


def plain_http(seen: IngressEvidence) -> NetworkFinding:
    """A token must never travel in the clear: no plain HTTP with the component as it is, where there was some without
    its annotation."""
    before, after = seen.plain.get(Scene.OPEN), seen.plain.get(Scene.AS_WRITTEN)
    check = "ingress.plain_http"
    if before is None or after is None:
        return _found(check, Verdict.INCONCLUSIVE, "", "the port of plain HTTP was not asked")
    reason = f"the controller's port of plain HTTP: {before} without the annotation, {after} with it"
    if not after.kept_out:
        return _found(check, Verdict.FAIL, str(after), reason)
    return _found(check, Verdict.PASS if before is Met.ANSWERED else Verdict.INCONCLUSIVE, str(after), reason)


def renewal(seen: IngressEvidence) -> NetworkFinding:
    """A renewed Secret is served without a restart, and nobody who connects meanwhile is turned away."""
    check, course = "ingress.renewal", seen.renewal
    if course is None or not course.answers or not seen.renewed:
        return _found(check, Verdict.INCONCLUSIVE, "", "no certificate was renewed while anybody asked")
    failed, count = _failed(course), len(course.answers)
    first = next((each.at_ns for each in course.answers if each.serial == seen.renewed), None)
    others = {each.serial for each in course.answers if each.serial} - {seen.issued, seen.renewed}
    value = f"{len(failed)} of {count} failed"
    if first is None or others or course.answers[-1].serial != seen.renewed:
        reason = f"the renewed certificate is not what is served; {value} meanwhile"
        return _found(check, Verdict.FAIL, value, reason, tuple(f"serial {each}" for each in sorted(others)))
    reason = (
        f"{value} on new connections, each verified, while the certificate was renewed; the new one was served "
        f"{max(0.0, (first - course.changed_ns) / NS):.1f} s after it was put into the Secret"
    )
    if failed:
        return _found(check, Verdict.FAIL, value, reason, tuple(each.told for each in failed[:3]))
    enough = count >= _LEAST_RENEWAL and any(each.serial == seen.issued for each in course.answers)
    return _found(check, Verdict.PASS if enough else Verdict.INCONCLUSIVE, value, reason)


def update_told(course: Course) -> str:
    """A rolling update under HTTPS in a sentence: an observation, as the document promises nothing of it."""
    failed, count = _failed(course), len(course.answers)
    told = ", ".join(sorted({each.told for each in failed}))
    return (
        f"while all pods were replaced, {len(failed)} of {count} requests through the Ingress failed"
        f"{f' ({told})' if told else ''}"
    )


def _failed(course: Course) -> list[IngressAnswer]:
    return [each for each in course.answers if not (each.met is Met.ANSWERED and each.reached and each.status == 200)]


def _anybody(answers: Sequence[IngressAnswer]) -> bool:
    return any(each.met is Met.ANSWERED for each in answers)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _found(check: str, verdict: Verdict, value: str, reason: str, examples: tuple[str, ...] = ()) -> NetworkFinding:
    return NetworkFinding(
        check=check, claim=_CHECKS[check], verdict=verdict, value=value, reason=reason, examples=examples
    )
