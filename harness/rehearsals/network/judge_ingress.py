"""HTTPS through an Ingress, judged: it leads where the component says and nowhere else, and only those who trust the
run's authority speak with it. Pure. The scenes are ``harness.rehearsals.network.types_ingress.Scene``.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge.window import NS
from harness.model.judgement import Judgement
from harness.model.message import Message, Told, enumerated, message
from harness.model.verdict import Verdict
from harness.rehearsals.network.judge import listed
from harness.rehearsals.network.types_ingress import (
    Course,
    IngressAnswer,
    IngressAsk,
    IngressEvidence,
    IngressPlan,
    Outcome,
    Scene,
)

PHASE_4 = "manifest.phase4_added"
TLS = "checklist.security.tls"
POLICY = "security.network.policy"
MOVED = "security.network.tls"
ENDS_NO_TLS = "security.load_balancer_ends_no_tls"
NOT_ASKED = message(
    "asked for with --ingress, which brings a controller: users were asked through the Service, by HTTP"
)
#: What a controller itself may answer where no pod is to: nothing there, no such name on this connection.
_NOBODY = (404, 421)
_LEAST_RENEWAL = 60
CHECKS = {
    "ingress.as_written": MOVED,
    "ingress.opt_in": PHASE_4,
    "ingress.routes": PHASE_4,
    "ingress.as_the_service": PHASE_4,
    "ingress.policy": POLICY,
    "ingress.tls": TLS,
    "ingress.plain_http": TLS,
    "ingress.renewal": TLS,
}


def judgements(plan: IngressPlan, seen: IngressEvidence) -> list[Judgement]:
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
        return answer.met is Outcome.ANSWERED and answer.reached and answer.status == ask.status
    if answer.met is Outcome.ANSWERED:
        return not answer.reached and answer.status in _NOBODY
    return answer.met is Outcome.CLOSED  # the handshake was ended: no certificate for the name


def kept_out(answer: IngressAnswer) -> bool:
    """The controller answered for itself that it reaches no pod."""
    return answer.met is Outcome.ANSWERED and not answer.reached and answer.status >= 500


def as_written(seen: IngressEvidence) -> Judgement:
    """HTTPS ends at a LoadBalancer, says the document, and moves to the Ingress in Phase 4: nothing ends there before,
    and a token travels in the clear."""
    check, met, status = "ingress.as_written", seen.service_https, seen.service_http
    if met is None or not status:
        told = message("the Service was not asked before there was an Ingress")
        return _found(check, Verdict.INCONCLUSIVE, told)
    told = message(
        "without the Ingress, HTTPS at the Service: {met}; with its token in the clear the same request gets {status}",
        met=met.word,
        status=str(status),
    )
    if met in (Outcome.ANSWERED, Outcome.UNTRUSTED):
        return _found(check, Verdict.FAIL, told, message("TLS ends at the Service after all"), shown=met.word)
    if met is not Outcome.CLOSED or status != 200:
        return _found(check, Verdict.INCONCLUSIVE, told, shown=met.word)
    return _found(check, Verdict.ERRATUM_SHOWN, told, shown=met.word, erratum=ENDS_NO_TLS)


def opt_in(seen: IngressEvidence) -> Judgement:
    """No Ingress without the component; with it the component's, a Service without a way in of its own, and somebody
    who answers."""
    check = "ingress.opt_in"
    if seen.before is None or seen.after is None:
        return _found(check, Verdict.INCONCLUSIVE, message("the Ingresses were not listed"))
    kept = bool(seen.wanted) and not seen.before and sorted(seen.after) == sorted(seen.wanted)
    inside, answers = seen.service_type == "ClusterIP", _anybody(seen.of(Scene.AS_WRITTEN))
    told = message(
        "without the component: {before}; with it: {after}, the Service is of type {type}",
        before=listed(seen.before),
        after=listed(seen.after),
        type=seen.service_type or message("none"),
    )
    who = message("a controller answers") if answers else message("no controller answers")
    verdict = Verdict.PASS if kept and inside and answers else Verdict.FAIL
    return _found(check, verdict, told, who, shown=message("Ingresses: {count}", count=str(len(seen.after))))


def routes(plan: IngressPlan, seen: IngressEvidence) -> Judgement:
    """Each ask as it is wanted, with the component as it is written."""
    check, by_name = "ingress.routes", {each.ask: each for each in seen.of(Scene.AS_WRITTEN)}
    missing = [ask.name for ask in plan.asks if ask.name not in by_name]
    if missing or not plan.asks:
        return _found(check, Verdict.INCONCLUSIVE, message("not asked: {names}", names=listed(missing)))
    bad = [ask for ask in plan.asks if not as_wanted(ask, by_name[ask.name])]
    counts = {"good": str(len(plan.asks) - len(bad)), "all": str(len(plan.asks))}
    shown = message("{good} of {all}", **counts)
    if not _anybody(seen.of(Scene.AS_WRITTEN)):
        nobody = message("no controller answers: nothing was refused by one either")
        return _found(check, Verdict.FAIL, nobody, shown=shown)
    told = message(
        "{good} of {all} requests by HTTPS end as they should: those below /v1 at a pod, all others at nobody", **counts
    )
    notes = tuple(
        message("{ask}: {answer} ({why})", ask=ask.name, answer=by_name[ask.name].told, why=ask.why) for ask in bad
    )
    return _found(check, Verdict.FAIL if bad else Verdict.PASS, told, shown=shown, notes=notes)


def as_the_service(seen: IngressEvidence) -> Judgement:
    """The same user's list of walks, asked both ways, is the same document, with a walk in it."""
    check, lists = "ingress.as_the_service", seen.lists
    if lists is None:
        return _found(check, Verdict.INCONCLUSIVE, message("the lists were not read"))
    if not lists.walks or not lists.service:
        nothing = message("no walk was in the Service's list: it shows nothing")
        return _found(check, Verdict.INCONCLUSIVE, nothing)
    if not lists.ingress:
        return _found(check, Verdict.INCONCLUSIVE, message("the Ingress did not answer with a list"))
    walks = str(lists.walks)
    told = message("a user's list of walks ({walks}) through the Ingress is not the Service's own", walks=walks)
    same = lists.service == lists.ingress
    if same:
        told = message("a user's list of walks ({walks}) through the Ingress is the Service's own", walks=walks)
    shown = message("walks: {walks}", walks=walks)
    return _found(check, Verdict.PASS if same else Verdict.FAIL, told, shown=shown)


def policy(plan: IngressPlan, seen: IngressEvidence) -> Judgement:
    """The policy lets the controller in by its label alone, and nobody else while the Ingress is there."""
    wanted = {ask.name: ask for ask in plan.asks if ask.status}
    without = [each for each in seen.of(Scene.KEPT_OUT) if each.ask in wanted]
    under = [each for each in seen.of(Scene.AS_WRITTEN) if each.ask in wanted]
    check = "ingress.policy"
    if not under or not without or seen.paths_hold is None:
        told = message("the controller was not asked without the label and with it")
        return _found(check, Verdict.INCONCLUSIVE, told)
    let_in = [each for each in without if each.reached]
    reached = [each for each in under if each.reached]
    shown = message("{reached} of {all} reached a pod", reached=str(len(reached)), all=str(len(under)))
    if let_in:
        told = message("without the label it reached a pod: {answer}", answer=let_in[0].told)
        return _found(check, Verdict.FAIL, told, shown=shown)
    if not reached:
        told = message("with the label it reaches no pod: {answer}", answer=under[0].told)
        return _found(check, Verdict.FAIL, told, shown=shown)
    if not seen.paths_hold:
        told = message("with the Ingress there, not every path between pods is as wanted")
        return _found(check, Verdict.FAIL, told, shown=shown)
    if not all(kept_out(each) for each in without):
        told = message("without the label it is not the policy that stands between: {answer}", answer=without[0].told)
        return _found(check, Verdict.INCONCLUSIVE, told, shown=shown)
    told = message(
        "the controller's pod without the label reaches no pod ({answer}); with it {reached}, and every path between "
        "pods is as wanted still",
        answer=without[0].told,
        reached=shown,
    )
    return _found(check, Verdict.PASS if len(reached) == len(under) else Verdict.FAIL, told, shown=shown)


def tls(plan: IngressPlan, seen: IngressEvidence) -> Judgement:
    """What answers has the certificate of the Secret that the Ingress names, which the run's authority alone vouches
    for."""
    check, wanted = "ingress.tls", {ask.name for ask in plan.asks if ask.status}
    asked = [each for each in seen.of(Scene.AS_WRITTEN) if each.ask in wanted]
    if not asked or not seen.issued or seen.without_ca is None:
        return _found(check, Verdict.INCONCLUSIVE, message("nobody was asked by HTTPS"))
    good = [each for each in asked if each.met is Outcome.ANSWERED and each.serial == seen.issued]
    shown = message("{good} of {all} verified", good=str(len(good)), all=str(len(asked)))
    told = message(
        "{verified} against the run's authority, for the Ingress' host, with the certificate that was put into its "
        "Secret; to a client that does not know the authority it is {met}",
        verified=shown,
        met=seen.without_ca.word,
    )
    notes = tuple(
        message("{ask}: {answer}, serial {serial}", ask=each.ask, answer=each.told, serial=_serial(each))
        for each in asked
        if each not in good
    )
    verdict = Verdict.PASS if len(good) == len(asked) and seen.without_ca is Outcome.UNTRUSTED else Verdict.FAIL
    return _found(check, verdict, told, shown=shown, notes=notes)


def _serial(answer: IngressAnswer) -> str | Message:
    return answer.serial or message("none")


def plain_http(seen: IngressEvidence) -> Judgement:
    """A token must never travel in the clear: no plain HTTP with the component as it is, where there was some without
    its annotation."""
    before, after = seen.plain.get(Scene.OPEN), seen.plain.get(Scene.AS_WRITTEN)
    check = "ingress.plain_http"
    if before is None or after is None:
        return _found(check, Verdict.INCONCLUSIVE, message("the port of plain HTTP was not asked"))
    told = message(
        "the controller's port of plain HTTP: {before} without the annotation, {after} with it",
        before=before.word,
        after=after.word,
    )
    if not after.kept_out:
        return _found(check, Verdict.FAIL, told, shown=after.word)
    return _found(check, Verdict.PASS if before is Outcome.ANSWERED else Verdict.INCONCLUSIVE, told, shown=after.word)


def renewal(seen: IngressEvidence) -> Judgement:
    """A renewed Secret is served without a restart, and nobody who connects meanwhile is turned away."""
    check, course = "ingress.renewal", seen.renewal
    if course is None or not course.answers or not seen.renewed:
        return _found(check, Verdict.INCONCLUSIVE, message("no certificate was renewed while anybody asked"))
    failed, count = _failed(course), len(course.answers)
    first = next((each.at_ns for each in course.answers if each.serial == seen.renewed), None)
    others = {each.serial for each in course.answers if each.serial} - {seen.issued, seen.renewed}
    shown = message("{failed} of {all} failed", failed=str(len(failed)), all=str(count))
    if first is None or others or course.answers[-1].serial != seen.renewed:
        told = message("the renewed certificate is not what is served; {failed} meanwhile", failed=shown)
        if course.answers[-1].serial == seen.renewed:
            told = message("a certificate that is neither was served too; {failed} meanwhile", failed=shown)
        notes = tuple(message("serial {serial}", serial=each) for each in sorted(others))
        return _found(check, Verdict.FAIL, told, shown=shown, notes=notes)
    told = message(
        "{failed} on new connections, each verified, while the certificate was renewed; the new one was served "
        "{seconds} s after it was put into the Secret",
        failed=shown,
        seconds=f"{max(0.0, (first - course.changed_ns) / NS):.1f}",
    )
    if failed:
        return _found(check, Verdict.FAIL, told, shown=shown, notes=tuple(each.told for each in failed[:3]))
    enough = count >= _LEAST_RENEWAL and any(each.serial == seen.issued for each in course.answers)
    return _found(check, Verdict.PASS if enough else Verdict.INCONCLUSIVE, told, shown=shown)


def update_told(course: Course) -> Message:
    """A rolling update under HTTPS in a sentence: an observation, as the document promises nothing of it."""
    failed = _failed(course)
    counts = {"failed": str(len(failed)), "all": str(len(course.answers))}
    if not failed:
        return message("while all pods were replaced, {failed} of {all} requests through the Ingress failed", **counts)
    met = {str(each.told): each.told for each in failed}
    told = enumerated([met[name] for name in sorted(met)])
    return message(
        "while all pods were replaced, {failed} of {all} requests through the Ingress failed ({met})",
        **counts,
        met=told,
    )


def _failed(course: Course) -> list[IngressAnswer]:
    return [
        each for each in course.answers if not (each.met is Outcome.ANSWERED and each.reached and each.status == 200)
    ]


def _anybody(answers: Sequence[IngressAnswer]) -> bool:
    return any(each.met is Outcome.ANSWERED for each in answers)


def _found(
    check: str, verdict: Verdict, *told: Message, shown: Message | None = None, notes: Told = (), erratum: str = ""
) -> Judgement:
    return Judgement(
        id=check,
        claim=CHECKS[check],
        verdict=verdict,
        told=told,
        shown=() if shown is None else (shown,),
        notes=notes,
        erratum=erratum,
    )
