"""The facts of an Ingress asked by HTTPS: where it leads, and who speaks with it. Pure. The scenes are
``harness.rehearsals.network.types.Scene``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.base.message import gettext_noop
from harness.base.ticks import NS
from harness.model.message import Message, Told, enumerated, message
from harness.rehearsals.network.types import (
    FrontOutcome,
    IngressAnswer,
    IngressAsk,
    IngressCourse,
    IngressEvidence,
    IngressPlan,
    Scene,
)
from harness.rules.rule import Fact, FactsOf

NOT_ASKED = message(
    "asked for with --ingress, which brings a controller: users were asked through the Service, by HTTP"
)
#: What a controller itself may answer where no pod is to: nothing there, no such name on this connection.
_NOBODY = (404, 421)
_LISTED = {
    "ingresses.by_default": gettext_noop("Ingresses without the component: {seen} ({names})"),
    "ingresses.differing": gettext_noop(
        "names that differ from the component's own with it: {seen} (there are {names})"
    ),
    "ingresses.of_component": gettext_noop("the component has {seen}"),
    "service.type": gettext_noop("the Service is of type {type}"),
}
_POLICY = {
    "unlabelled.reached": gettext_noop(
        "requests that reached a pod through a controller without the label: {seen} of {of} ({met})"
    ),
    "labelled.kept_out": gettext_noop("requests that reached none through one with it: {seen} of {of} ({met})"),
    "fronted.wrong": gettext_noop(
        "last rounds between pods that were not as wanted, with the Ingress there: {seen} of {of}"
    ),
}
_TLS = {
    "tls.unverified": gettext_noop(
        "answers that were not verified against the run's authority, for the Ingress' host, with the certificate of "
        "its Secret: {seen} of {of}"
    ),
    "tls.strangers": gettext_noop("to a client that does not know the authority it is {met}"),
}
_PLAIN = {
    "plain.answered_before": gettext_noop(
        "requests by plain HTTP that the controller answers without the annotation: {seen} ({met})"
    ),
    "plain.open": gettext_noop("requests by plain HTTP that it lets in with the annotation: {seen} ({met})"),
}
_RENEWAL = {
    "renewal.failed": gettext_noop(
        "{seen} of {of} requests on new connections failed while the certificate was renewed"
    ),
    "renewal.old_served": gettext_noop("{seen} of them had the old certificate"),
    "renewal.strange_certificates": gettext_noop(
        "certificates that are neither the old one nor the new: {seen} ({names})"
    ),
    "renewal.new_at_the_end": gettext_noop("{seen} of {of} last answers had the new one"),
}
#: Each fact of the Ingress, in a sentence.
INGRESS_PHRASES = {
    "service.ends_tls": gettext_noop(
        "without the Ingress, {seen} of {of} requests by HTTPS end at the Service ({met}); with its token in the clear "
        "the same request gets {status}"
    ),
    **_LISTED,
    "controller.answers": gettext_noop("a controller answers {seen} of {of} requests by HTTPS"),
    "routes.wrong": gettext_noop(
        "requests by HTTPS that do not end as they should: {seen} of {of} (those below /v1 at a pod, others at nobody)"
    ),
    "lists.differ": gettext_noop(
        "lists of a user's walks that differ through the Ingress from the Service's own: {seen} of {of} ({walks} walks)"
    ),
    **_POLICY,
    **_TLS,
    **_PLAIN,
    **_RENEWAL,
}


def ingress_facts(plan: IngressPlan, seen: IngressEvidence) -> Iterator[Fact]:
    """All facts of the Ingress."""
    fact, wanted = FactsOf(INGRESS_PHRASES), {ask.name for ask in plan.asks if ask.status}
    yield _before(fact, seen)
    yield from _listed(fact, seen)
    yield from _routes(fact, plan, seen.of(Scene.AS_WRITTEN))
    yield _as_the_service(fact, seen)
    under = [each for each in seen.of(Scene.AS_WRITTEN) if each.ask in wanted]
    yield from _policy(fact, [each for each in seen.of(Scene.KEPT_OUT) if each.ask in wanted], under, seen)
    yield from _tls(fact, under, seen)
    yield from _plain(fact, seen)
    yield from _renewal(fact, seen)


def ask_kept(ask: IngressAsk, answer: IngressAnswer) -> bool:
    """Whether ``answer`` is what ``ask`` wants: a pod's, with its status; or nobody's."""
    if ask.status:
        return answer.met is FrontOutcome.ANSWERED and answer.reached and answer.status == ask.status
    if answer.met is FrontOutcome.ANSWERED:
        return not answer.reached and answer.status in _NOBODY
    return answer.met is FrontOutcome.CLOSED  # the handshake was ended: no certificate for the name


def kept_out(answer: IngressAnswer) -> bool:
    """The controller answered for itself that it reaches no pod."""
    return answer.met is FrontOutcome.ANSWERED and not answer.reached and answer.status >= 500


def update_told(course: IngressCourse) -> Message:
    """A rolling update under HTTPS in a sentence: an observation, as the document promises nothing of it."""
    failed = _failed(course)
    counts = {"failed": str(len(failed)), "all": str(len(course.answers))}
    if not failed:
        return message("while all pods were replaced, {failed} of {all} requests through the Ingress failed", **counts)
    return message(
        "while all pods were replaced, {failed} of {all} requests through the Ingress failed ({met})",
        **counts,
        met=_met(failed),
    )


def _before(fact: FactsOf, seen: IngressEvidence) -> Fact:
    """HTTPS ends at a LoadBalancer, says the document, and moves to the Ingress in Phase 4. Where a connection was made
    and ended without a word, nothing ends there; a token then travels in the clear."""
    met, status, name = seen.service_https, seen.service_http, "service.ends_tls"
    if met is None or not status:
        return Fact(name=name, void=(message("the Service was not asked before there was an Ingress"),))
    ends = met in (FrontOutcome.ANSWERED, FrontOutcome.UNTRUSTED)
    shows_it = ends or (met is FrontOutcome.CLOSED and status == 200)
    void = () if shows_it else (message("it is not shown where TLS ends"),)
    return fact(name, int(ends), of=1, void=void, met=met.word, status=str(status))


def _listed(fact: FactsOf, seen: IngressEvidence) -> Iterable[Fact]:
    if seen.before is None or seen.after is None:
        return fact.none(*_LISTED, void=(message("the Ingresses were not listed"),))
    differing = {*seen.after} ^ {*seen.wanted}
    kind = seen.service_type
    return (
        fact("ingresses.by_default", len(seen.before), names=_names(seen.before)),
        fact("ingresses.differing", len(differing), names=_names(seen.after)),
        fact("ingresses.of_component", len(seen.wanted)),
        fact("service.type", text=(kind,), type=kind or message("none")),
    )


def _routes(fact: FactsOf, plan: IngressPlan, answers: Sequence[IngressAnswer]) -> Iterator[Fact]:
    """Each ask as it is wanted, with the component as it is written; and whether anybody answers at all."""
    by_name = {each.ask: each for each in answers}
    missing = [ask.name for ask in plan.asks if ask.name not in by_name]
    void = (message("not asked: {names}", names=_names(missing)),)
    if not answers:
        yield from fact.none("controller.answers", "routes.wrong", void=void)
        return
    yield fact("controller.answers", sum(each.met is FrontOutcome.ANSWERED for each in answers), of=len(answers))
    bad = [
        (ask, by_name[ask.name]) for ask in plan.asks if ask.name in by_name and not ask_kept(ask, by_name[ask.name])
    ]
    told = [message("{ask}: {answer} ({why})", ask=ask.name, answer=got.told, why=ask.why) for ask, got in bad]
    yield fact("routes.wrong", len(bad), of=len(plan.asks), void=void if missing else (), besides=tuple(told))


def _as_the_service(fact: FactsOf, seen: IngressEvidence) -> Fact:
    """The same user's list of walks, asked both ways: the same document, with a walk in it."""
    name, lists = "lists.differ", seen.lists
    if lists is None:
        return Fact(name=name, void=(message("the lists were not read"),))
    if not lists.walks or not lists.service:
        return Fact(name=name, void=(message("no walk was in the Service's list: it shows nothing"),))
    if not lists.ingress:
        return Fact(name=name, void=(message("the Ingress did not answer with a list"),))
    return fact(name, int(lists.service != lists.ingress), of=1, walks=str(lists.walks))


def _policy(
    fact: FactsOf, without: Sequence[IngressAnswer], under: Sequence[IngressAnswer], seen: IngressEvidence
) -> Iterable[Fact]:
    """The policy lets the controller in by its label alone, and nobody else while the Ingress is there. A controller
    that did not say that it reaches no pod may have been kept out by something else."""
    if not under or not without or seen.paths_hold is None:
        void = message("the controller was not asked without the label and with it")
        return fact.none(*_POLICY, void=(void,))
    let_in, unclear = sum(each.reached for each in without), sum(not kept_out(each) for each in without)
    bad = [each for each in under if not each.reached]
    met = _met(bad or under)
    return (
        fact("unlabelled.reached", let_in, high=max(let_in, unclear), of=len(without), met=_met(without)),
        fact("labelled.kept_out", len(bad), of=len(under), met=met),
        fact("fronted.wrong", int(not seen.paths_hold), of=1),
    )


def _tls(fact: FactsOf, asked: Sequence[IngressAnswer], seen: IngressEvidence) -> Iterable[Fact]:
    """What answers has the certificate of the Secret that the Ingress names, which the run's authority alone vouches
    for."""
    if not asked or not seen.issued or seen.without_ca is None:
        return fact.none(*_TLS, void=(message("nobody was asked by HTTPS"),))
    bad = [each for each in asked if not (each.met is FrontOutcome.ANSWERED and each.serial == seen.issued)]
    told = [
        message("{ask}: {answer}, serial {serial}", ask=each.ask, answer=each.told, serial=_names([each.serial]))
        for each in bad
    ]
    return (
        fact("tls.unverified", len(bad), of=len(asked), besides=tuple(told)),
        fact("tls.strangers", text=(seen.without_ca,), met=seen.without_ca.word),
    )


def _plain(fact: FactsOf, seen: IngressEvidence) -> Iterable[Fact]:
    """Plain HTTP, in which a token must never travel: with the component as it is, and without its annotation."""
    before, after = seen.plain.get(Scene.OPEN), seen.plain.get(Scene.AS_WRITTEN)
    if before is None or after is None:
        return fact.none(*_PLAIN, void=(message("the port of plain HTTP was not asked"),))
    return (
        fact("plain.answered_before", int(before is FrontOutcome.ANSWERED), met=before.word),
        fact("plain.open", int(not after.kept_out), met=after.word),
    )


def _renewal(fact: FactsOf, seen: IngressEvidence) -> Iterable[Fact]:
    """A renewed Secret, served without a restart, while new connections come."""
    course = seen.renewal
    if course is None or not course.answers or not seen.renewed:
        return fact.none(*_RENEWAL, void=(message("no certificate was renewed while anybody asked"),))
    answers, failed = course.answers, _failed(course)
    first = next((each.at_ns for each in answers if each.serial == seen.renewed), None)
    strange = sorted({each.serial for each in answers if each.serial} - {seen.issued, seen.renewed})
    served: Told = ()
    if first is not None:
        seconds = f"{max(0.0, (first - course.changed_ns) / NS):.1f}"
        served = (message("first {seconds} s after it was put into the Secret", seconds=seconds),)
    met = (_met(failed),) if failed else ()
    at_the_end = int(answers[-1].serial == seen.renewed)
    return (
        fact("renewal.failed", len(failed), of=len(answers), besides=met),
        fact("renewal.old_served", sum(each.serial == seen.issued for each in answers)),
        fact("renewal.strange_certificates", len(strange), names=_names(strange)),
        fact("renewal.new_at_the_end", at_the_end, of=1, besides=served),
    )


def _failed(course: IngressCourse) -> list[IngressAnswer]:
    return [
        each
        for each in course.answers
        if not (each.met is FrontOutcome.ANSWERED and each.reached and each.status == 200)
    ]


def _met(answers: Iterable[IngressAnswer]) -> Message:
    """What came of them, each once."""
    met = {str(each.told): each.told for each in answers}
    return enumerated([met[name] for name in sorted(met)])


def _names(names: Sequence[str]) -> str | Message:
    return ", ".join(filter(None, names)) or message("none")
