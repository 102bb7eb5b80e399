"""The facts of who reaches whom: of the paths between pods, the kubelet, the users, the component. Pure.

A path is asked by real pods in rounds: ``before`` (no policy), ``after`` (policies applied, the same pods),
``replaced`` (new pods of the target, started under the policies).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from harness.base.message import gettext_noop
from harness.base.ticks import NS
from harness.evidence.store import Gathered
from harness.load.population.arrivals import due_of_step
from harness.model.evidence import EventRow, Side, Window
from harness.model.message import Message, Told, enumerated, message, raw_text
from harness.model.scenario import Step
from harness.model.stack import PodState
from harness.rehearsals.network.types import (
    FrontOutcome,
    IngressAnswer,
    IngressAsk,
    IngressCourse,
    IngressEvidence,
    IngressPlan,
    NetworkClient,
    NetworkDetails,
    NetworkPath,
    NetworkPlace,
    NetworkPlan,
    PathAttempt,
    Round,
    Scene,
    step_of,
)
from harness.rules.bounds import ratio_lower, ratio_upper
from harness.rules.ledger import Calls, of_plan
from harness.rules.planned import lost_words
from harness.rules.rule import Fact, FactsOf

# The facts of an Ingress asked by HTTPS: where it leads, and who speaks with it. Pure. The scenes are
# ``harness.rehearsals.network.types.Scene``.

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


ROUNDS = ("before", "after", "replaced")
#: A pod that is not ready for so long and then again was probed in between: one period of the readiness probe.
_MOMENT_S = 10.0
_FOR_EVER = 2**63 - 1
_EXAMPLES = 3
#: Places that are pods of somebody else's, or the target's own others.
_PODS = (NetworkPlace.OTHER_POD, NetworkPlace.STRANGER, NetworkPlace.FOREIGN)
_KUBELET = {
    "pods.lost": gettext_noop("pods that are not ready any more under the policies: {seen} ({names})"),
    "restart.failed": gettext_noop("{seen} of {of} restarts under the policies failed"),
    "pods.started": gettext_noop(
        "{seen} pods that were started under the policies became ready, which needs the kubelet's probe and the "
        "database behind /ready"
    ),
    "pods.wanted": gettext_noop("{seen} pods are wanted"),
}
_POLICIES = {
    "policies.by_default": gettext_noop("NetworkPolicies without the component: {seen} ({names})"),
    "policies.differing": gettext_noop(
        "names that differ from the component's own with it: {seen} (there are {names})"
    ),
    "policies.of_component": gettext_noop("the component has {seen}"),
}
#: Each fact of the network, in a sentence.
PHRASES = {
    "allowed.kept_out": gettext_noop("paths that are allowed and do not work: {seen} of {of}"),
    "refused.let_through": gettext_noop("paths that are refused and are open: {seen} of {of}"),
    "needed.wrong": gettext_noop(
        "the target's pods need {places}; of the paths to these and to other pods not as wanted: {seen} of {of}"
    ),
    "users.failed_ratio": gettext_noop(
        "{failed} of {of} requests through the Service failed while the policies came into force and held"
    ),
    **_KUBELET,
    **_POLICIES,
    **INGRESS_PHRASES,
}
_NOT_ASKED = {
    "before": message("not asked without the policies"),
    "after": message("not asked under the policies"),
    "replaced": message("not asked of pods started under the policies"),
}


def facts(plan: NetworkPlan, details: NetworkDetails, evidence: Gathered, *, rung: str) -> Iterator[Fact]:
    """All facts of a run. Those of the Ingress are lacking where none was asked for, or ``rung`` brings none."""
    fact, found = FactsOf(PHRASES), paths(plan.paths, details)
    yield _wrong(fact, "allowed.kept_out", [each for each in found if each.path.allowed])
    yield _wrong(fact, "refused.let_through", [each for each in found if not each.path.allowed])
    yield _needed(fact, found)
    until_ns = _FOR_EVER if details.fronted_ns is None else details.fronted_ns
    yield from kubelet([row for row in evidence.events if row.at_ns < until_ns], details)
    loaded = Window(start_ns=details.loaded_ns[0], end_ns=details.loaded_ns[1])
    due_ns = [at_ns for step, start_ns in loads(plan, details) for at_ns in due_of_step(step, 0, start_ns) or ()]
    yield users(evidence.ledger.requests_due(loaded, Side.API), due_ns)
    yield from _policies(fact, details)
    yield from _ingress(plan, details, rung)


def _ingress(plan: NetworkPlan, details: NetworkDetails, rung: str) -> Iterable[Fact]:
    lacks = NOT_ASKED
    if plan.with_ingress and details.brings_ingress is not False:
        return ingress_facts(plan.ingress, details.ingress or IngressEvidence(wanted=()))
    if plan.with_ingress:
        lacks = message("the environment {rung} brings no controller", rung=rung)
    return FactsOf(INGRESS_PHRASES).none(*INGRESS_PHRASES, lacks=(lacks,))


def loads(plan: NetworkPlan, details: NetworkDetails) -> list[tuple[Step, int]]:
    """The step of the users' load, with when it began (ns); none where it was not carried through."""
    start_ns, end_ns = details.loaded_ns
    return [(step_of(plan), start_ns)] if end_ns else []


# -- paths -------------------------------------------------------------------------------------------------------


class Path(NamedTuple):
    """A path over the rounds: whether the policies do ``wrong`` by it (``None``: nobody can tell), and why."""

    path: NetworkPath
    wrong: bool | None
    why: Message


def as_wanted(paths: Iterable[NetworkPath], asked: Round) -> bool:
    """Whether every path of the round is as the policies mean it."""
    found = [(path, seen_in(path, asked)) for path in paths]
    return all(outcomes and not any(_against(path, each) for each in outcomes) for path, outcomes in found)


def seen_in(path: NetworkPath, asked: Round | None) -> tuple[FrontOutcome, ...]:
    """What came of asking the path in a round; () where it was not asked."""
    return tuple(sorted({each.outcome for each in _of(path, asked)}))


def outcomes(found: Sequence[FrontOutcome]) -> Message | str:
    """In words, one after the other; "–" for none."""
    return enumerated([each.word for each in found]) if found else "–"


def paths(plan: Iterable[NetworkPath], details: NetworkDetails) -> list[Path]:
    """Every path of the plan over the rounds that were asked."""
    return [_over(path, {name: _of(path, details.rounds.get(name)) for name in ROUNDS}) for path in plan]


def _over(path: NetworkPath, asked: dict[str, list[PathAttempt]]) -> Path:
    """What is let through and must not be is wrong, whatever came before; what is kept out may never have worked."""
    for name, attempts in asked.items():
        if not attempts:
            return Path(path, None, _NOT_ASKED[name])
    without = [each for each in asked["before"] if not each.outcome.works]
    bad = [each for each in (*asked["after"], *asked["replaced"]) if _against(path, each.outcome)]
    return Path(path, *(_allowed(without, bad) if path.allowed else _refused(without, bad)))


def _allowed(without: Sequence[PathAttempt], bad: Sequence[PathAttempt]) -> tuple[bool | None, Message]:
    if without and bad:
        return None, message("it did not work without the policies either: {example}", example=_example(without))
    if bad:
        return True, message("kept out under the policies: {example}", example=_example(bad))
    return False, message("it works")


def _refused(without: Sequence[PathAttempt], bad: Sequence[PathAttempt]) -> tuple[bool | None, Message]:
    if bad:
        return True, message("let through under the policies: {example}", example=_example(bad))
    if without:
        return None, message("it did not work without the policies: {example}", example=_example(without))
    return False, message("it worked without the policies and is refused under them")


def _against(path: NetworkPath, outcome: FrontOutcome) -> bool:
    return not (outcome.works if path.allowed else outcome.kept_out)


def _of(path: NetworkPath, asked: Round | None) -> list[PathAttempt]:
    attempts = () if asked is None else asked.attempts
    return [each for each in attempts if (each.client, each.place) == (path.client, path.place)]


def _example(attempts: Sequence[PathAttempt]) -> Message:
    first = attempts[0]
    places: dict[str, str | Message] = {"pod": first.pod, "address": first.address, "outcome": first.outcome.word}
    if len(attempts) > 1:
        more = str(len(attempts) - 1)
        return message("{pod} to {address} {outcome} and {more} more", **places, more=more)
    return message("{pod} to {address} {outcome}", **places)


def _wrong(fact: FactsOf, name: str, chosen: Sequence[Path], places: str | Message = "") -> Fact:
    """How many of the paths are wrong, and how many may be; with examples."""
    wrong = [each for each in chosen if each.wrong]
    unclear = [each for each in chosen if each.wrong is None]
    told = [message("{path}: {why}", path=each.path.name, why=each.why) for each in (*wrong, *unclear)[:_EXAMPLES]]
    count = len(wrong)
    return fact(name, count, high=count + len(unclear), of=len(chosen), besides=tuple(told), places=places)


def _needed(fact: FactsOf, found: Iterable[Path]) -> Fact:
    """Little traffic between pods is needed: the target works with every path from it to other pods refused."""
    own = [each for each in found if each.path.client is NetworkClient.TARGET]
    chosen = [each for each in own if each.path.allowed or each.path.place in _PODS]
    return _wrong(fact, "needed.wrong", chosen, places=listed([each.path.place for each in own if each.path.allowed]))


# -- pods --------------------------------------------------------------------------------------------------------


def kubelet(rows: Sequence[EventRow], details: NetworkDetails) -> Iterator[Fact]:
    """Of the kubelet's probes: pods that lost their readiness for good under the policies, and such as were started
    under them, until their paths were asked. A pod that was soon ready again was probed under the policies. One that
    was lost before them as well, or came back late, says nothing of them."""
    fact, applied_ns, replaced_ns = FactsOf(PHRASES), details.applied_ns, details.replaced_ns
    if applied_ns is None:
        yield from fact.none(*_KUBELET, void=(message("the policies were not applied"),))
        return
    asked = details.rounds.get("replaced")
    away = _away(rows, applied_ns, _FOR_EVER if replaced_ns is None else replaced_ns)
    before = _away(rows, 0, applied_ns)
    lost = [name for name, (_, back) in away.items() if not back and name not in before]
    lost += _lost_again(rows, replaced_ns, None if asked is None else asked.start_ns)
    unclear = [name for name, (s, back) in away.items() if (s > _MOMENT_S if back else name in before)]
    soon = [name for name, (s, back) in away.items() if back and s <= _MOMENT_S]
    count, besides = len(lost), list[Message]()
    if unclear:
        words = {"pods": ", ".join(unclear), "seconds": f"{_MOMENT_S:g}"}
        text = "not ready under the policies for more than {seconds} s and then again, or lost before them, too: {pods}"
        besides.append(message(text, **words))
    if soon:
        words = {"pods": ", ".join(soon), "seconds": f"{_MOMENT_S:g}"}
        besides.append(message("ready again within {seconds} s under the policies: {pods}", **words))
    yield fact("pods.lost", count, high=count + len(unclear), names=listed(lost), besides=tuple(besides))
    yield fact("pods.wanted", details.replicas)
    if replaced_ns is None:
        void = (message("no pod was started under the policies"),)
        yield from fact.none("restart.failed", "pods.started", void=void)
        return
    trouble: Told = ()
    if details.trouble:
        why = raw_text(details.trouble)
        trouble = (message("pods started under the policies did not become ready: {why}", why=why),)
    failed = len(trouble)
    yield fact("restart.failed", failed, low=0 if unclear else failed, of=1, besides=trouble)
    yield fact("pods.started", len(_ready_first_seen_after(rows, replaced_ns)))


def _away(rows: Iterable[EventRow], since_ns: int, until_ns: int) -> dict[str, tuple[float, bool]]:
    """By pod that lost its readiness in the time: for how many seconds it had none, and whether it had it again."""
    lost_ns: dict[str, int | None] = {}
    away_ns: dict[str, int] = {}
    for row in rows:
        if row.kind != "pod" or row.at_ns >= until_ns:
            continue
        name, lost = row.subject, lost_ns.get(row.subject)
        if row.data["state"] == PodState.READY:
            if lost is not None and name in away_ns:
                away_ns[name] += row.at_ns - lost
            lost_ns[name] = None
        elif name in lost_ns and lost is None:
            lost_ns[name] = row.at_ns
            if row.at_ns >= since_ns:
                away_ns.setdefault(name, 0)
    return {name: (ns / NS, lost_ns[name] is None) for name, ns in away_ns.items()}


def _lost_again(rows: Iterable[EventRow], since_ns: int | None, until_ns: int | None) -> list[str]:
    """Pods that came and became ready in the time, and were neither ready at its end nor on their way out."""
    if since_ns is None or until_ns is None:
        return []
    seen = [row for row in rows if row.kind == "pod" and row.at_ns <= until_ns]
    last = {row.subject: row.data["state"] for row in seen}
    going = (PodState.READY, PodState.TERMINATING, PodState.GONE)
    return [name for name in _ready_first_seen_after(seen, since_ns) if last[name] not in going]


def _ready_first_seen_after(rows: Iterable[EventRow], since_ns: int) -> list[str]:
    first: dict[str, int] = {}
    ready = set()
    for row in rows:
        if row.kind == "pod":
            first.setdefault(row.subject, row.at_ns)
            if row.data["state"] == PodState.READY and first[row.subject] >= since_ns:
                ready.add(row.subject)
    return sorted(ready)


# -- users and the component -------------------------------------------------------------------------------------


def users(calls: Calls, due_ns: Sequence[int]) -> Fact:
    """The share that failed of the users' requests through the Service while the policies came into force.

    ``calls`` are those that were due meanwhile, ``due_ns`` is when the plan has them: what of it is not in evidence may
    have failed, and may have been good.
    """
    due, missing = of_plan(calls, due_ns)
    count, failed, lost = len(due), int(np.count_nonzero(~due["ok"])), lost_words(missing, len(due))
    if not count:
        return Fact(name="users.failed_ratio", void=(message("no request was sent under the policies"), *lost))
    all_of = count + missing
    return FactsOf(PHRASES)(
        "users.failed_ratio", failed / count, low=ratio_lower(failed, all_of),
        high=ratio_upper(failed + missing, all_of), sampled=True, of=count, failed=str(failed), besides=lost,
    )  # fmt: skip


def _policies(fact: FactsOf, details: NetworkDetails) -> Iterable[Fact]:
    """The namespace's policies by name: none by default, those of the component once it is asked for."""
    before, after = details.listed.get("before"), details.listed.get("after")
    if before is None or after is None:
        return fact.none(*_POLICIES, void=(message("the policies were not listed"),))
    return (
        fact("policies.by_default", len(before), names=listed(before)),
        fact("policies.differing", differing(after, details.policies), names=listed(after)),
        fact("policies.of_component", len(details.policies)),
    )


def differing(found: Iterable[str], wanted: Iterable[str]) -> int:
    """How many names are in one of them alone."""
    counts = Counter(found)
    counts.subtract(Counter(wanted))
    return sum(map(abs, counts.values()))


def listed(names: Sequence[str]) -> str | Message:
    """Names, one after the other."""
    return ", ".join(names) or message("none")


def node_port_told(through: FrontOutcome) -> Told:
    """What a pod without the label got at the Service's NodePort: an observation."""
    told = message("a pod without the label asked the Service's NodePort at a node: {outcome}", outcome=through.word)
    if not through.works:
        return (told,)
    why = message(
        "there the pods see the node's address, which the load balancer's users have too; no policy tells the two "
        "apart while externalTrafficPolicy is Cluster"
    )
    return told, why
