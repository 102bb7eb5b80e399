"""Who reaches whom: allowed paths must work under the policies, all others must not, and have to have worked before.

Pure. A path is asked by real pods in rounds: ``before`` (no policy), ``after`` (policies applied, the same pods),
``replaced`` (new pods of the target, started under the policies).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from harness.base.units import Unit
from harness.checks.step_reads import reads_of_steps
from harness.judge.bounds import ratio_upper
from harness.judge.lacking import failures_below, of_plan
from harness.judge.ledger import Calls
from harness.judge.planned import lost_words
from harness.judge.window import NS
from harness.load.population.arrivals import due_of_step
from harness.model.evidence import EventRow, RequestRow
from harness.model.judgement import Judgement, observation
from harness.model.message import Message, Told, enumerated, message, verbatim
from harness.model.result import Facts
from harness.model.stack import PodState
from harness.model.step import Step
from harness.model.verdict import Verdict
from harness.rehearsals.network.types import (
    ACCOUNTS,
    Attempt,
    Client,
    NetworkDetails,
    NetworkPath,
    NetworkPlan,
    Place,
    Round,
    step_of,
)
from harness.rehearsals.network.types_ingress import Outcome

POLICY = "security.network.policy"
PHASE_4 = "manifest.phase4_added"
FEW_PATHS = "strategy.versus.network"
CHECKS = {
    "paths.allowed": POLICY,
    "paths.refused": POLICY,
    "kubelet.probes": POLICY,
    "users.service": POLICY,
    "component.opt_in": PHASE_4,
    "paths.needed": FEW_PATHS,
}
#: A pod that is not ready for so long and then again was probed in between: one period of the readiness probe.
_MOMENT_S = 10.0
_FOR_EVER = 2**63 - 1
#: Places that are pods of somebody else's, or the target's own others.
_PODS = (Place.OTHER_POD, Place.STRANGER, Place.FOREIGN)


def as_wanted(paths: Iterable[NetworkPath], asked: Round) -> bool:
    """Whether every path of the round is as the policies mean it."""
    return all(_fits(path, _of(path, asked)) for path in paths)


def path_judged(path: NetworkPath, before: Round | None, after: Round | None, replaced: Round | None) -> Judgement:
    """One path over the rounds; a round that was not asked leaves it inconclusive. It gates by ``paths`` alone."""
    rounds = {"before": before, "after": after, "replaced": replaced}
    asked = {name: _of(path, each) if each is not None else [] for name, each in rounds.items()}
    verdict, told = _judged(path, asked)
    return observation(path.name, (told,), verdict=verdict, part="paths")


def seen_in(path: NetworkPath, asked: Round | None) -> tuple[Outcome, ...]:
    """What came of asking the path in a round; () where it was not asked."""
    return () if asked is None else tuple(sorted({each.outcome for each in _of(path, asked)}))


def paths(plan: Sequence[NetworkPath], results: Sequence[Judgement], *, allowed: bool) -> Judgement:
    """The allowed paths of ``plan`` together, or the refused ones; ``results`` are theirs, in the same order."""
    chosen = [found for path, found in zip(plan, results, strict=True) if path.allowed is allowed]
    good = [each for each in chosen if each.verdict is Verdict.PASS]
    counts = {"good": str(len(good)), "all": str(len(chosen))}
    told = message("{good} of {all} paths are refused, and worked before", **counts)
    if allowed:
        told = message("{good} of {all} paths work", **counts)
    return _found(
        "paths.allowed" if allowed else "paths.refused",
        _worst([each.verdict for each in chosen]),
        told,
        shown=(message("{good} of {all}", **counts),),
        notes=tuple(
            message("{path}: {why}", path=each.id, why=each.told[0])
            for each in chosen
            if each.verdict is not Verdict.PASS
        ),
    )


def kubelet(
    rows: Sequence[EventRow],
    applied_ns: int | None,
    replaced_ns: int | None,
    *,
    wanted: int,
    trouble: str = "",
    asked_ns: int | None = None,
) -> Judgement:
    """The kubelet's probes pass: no pod lost its readiness for good from ``applied_ns`` to ``replaced_ns``, and
    ``wanted`` pods that were started after it became ready, and were so still at ``asked_ns``. ``trouble`` is why they
    did not. A pod that was soon ready again was probed under the policies. One that was lost before them as well says
    nothing of them."""
    check = "kubelet.probes"
    if applied_ns is None:
        return _found(check, Verdict.INCONCLUSIVE, message("the policies were not applied"))
    away = _away(rows, applied_ns, _FOR_EVER if replaced_ns is None else replaced_ns)
    gone, before = [name for name, (_, back) in away.items() if not back], _away(rows, 0, applied_ns)
    lost = [*(name for name in gone if name not in before), *_lost_again(rows, replaced_ns, asked_ns)]
    if lost:
        told = message("not ready any more under the policies: {pods}", pods=", ".join(lost))
        return _found(check, Verdict.FAIL, told, shown=_pods(len(lost)))
    if unclear := [name for name, (s, back) in away.items() if (s > _MOMENT_S if back else name in before)]:
        words = {"pods": ", ".join(unclear), "seconds": f"{_MOMENT_S:g}"}
        told = message(
            "not ready under the policies for more than {seconds} s and then again, or lost before them, too: {pods}",
            **words,
        )
        return _found(check, Verdict.INCONCLUSIVE, told, shown=_pods(len(unclear)))
    if trouble:
        told = message("pods started under the policies did not become ready: {why}", why=verbatim(trouble))
        return _found(check, Verdict.FAIL, told, shown=_pods(0))
    if replaced_ns is None:
        return _found(check, Verdict.INCONCLUSIVE, message("no pod was started under the policies"))
    fresh = _ready_first_seen_after(rows, replaced_ns)
    told = message(
        "no pod lost its readiness in {seconds} s under the policies; {fresh} of {wanted} pods started under them "
        "became ready, which needs the kubelet's probe and the database behind /ready",
        seconds=f"{(replaced_ns - applied_ns) / NS:.0f}",
        fresh=str(len(fresh)),
        wanted=str(wanted),
    )
    if away:
        told = message(
            "ready again within {seconds} s under the policies: {pods}; {fresh} of {wanted} pods started under them "
            "became ready, which needs the kubelet's probe and the database behind /ready",
            seconds=f"{_MOMENT_S:g}",
            pods=", ".join(away),
            fresh=str(len(fresh)),
            wanted=str(wanted),
        )
    verdict = Verdict.PASS if len(fresh) >= wanted else Verdict.INCONCLUSIVE
    return _found(check, verdict, told, shown=_pods(len(fresh)))


def due_of(plan: NetworkPlan, details: NetworkDetails) -> list[int]:
    """When each request of the users' load was due, ns; none where it was not begun."""
    return [at_ns for step, start_ns in _made(plan, details) for at_ns in due_of_step(step, 0, start_ns) or ()]


def _made(plan: NetworkPlan, details: NetworkDetails) -> list[tuple[Step, int]]:
    """The step of the users' load, with when it began (ns); none where it was not carried through."""
    start_ns, end_ns = details.loaded_ns
    return [(step_of(plan), start_ns)] if end_ns else []


def reads(plan: NetworkPlan, details: NetworkDetails, requests: Sequence[RequestRow], facts: Facts) -> list[Judgement]:
    """What answers showed the users who loaded the Service."""
    steps, unix_ns = _made(plan, details), facts.anchor.unix_ns
    return [*reads_of_steps(requests, users=ACCOUNTS, seed=facts.seed, anchor_unix_ns=unix_ns, steps=steps)]


def users(calls: Calls, due_ns: Sequence[int], most_failed: float) -> Judgement:
    """Users through the Service while the policies came into force: less than ``most_failed`` (0..1) fails, at 95 %.

    ``calls`` are those that were due meanwhile, ``due_ns`` is when the plan has them: what of it is not in evidence
    counts as failed before a pass, and as good before a fail.
    """
    due, missing = of_plan(calls, due_ns)
    failed = int(np.count_nonzero(~due["ok"]))
    verdict, bound = failures_below(most_failed, failed, len(due), missing)
    lost = lost_words(missing, len(due))
    if not len(due):
        nothing = message("no request was sent under the policies")
        return _found("users.service", Verdict.INCONCLUSIVE, nothing, notes=lost)
    counts = {"failed": str(failed), "all": str(len(due))}
    told = message(
        "{failed} of {all} requests through the Service failed while the policies came into force and held (at most "
        "{upper} % at 95 %, limit {limit} %)",
        **counts,
        upper=f"{ratio_upper(failed + missing, len(due) + missing) * 100:.2f}",
        limit=f"{most_failed * 100:g}",
    )
    return Judgement(
        id="users.service",
        claim=CHECKS["users.service"],
        verdict=verdict,
        told=(told, *lost),
        shown=(message("{failed} of {all}", **counts),),
        value=failed / len(due),
        bound=bound,
        limit=most_failed,
        unit=Unit.RATIO,
        samples=len(due),
    )


def opt_in(before: Sequence[str] | None, after: Sequence[str] | None, wanted: Sequence[str]) -> Judgement:
    """The namespace's policies by name: none by default, those of the component once it is asked for."""
    check = "component.opt_in"
    if before is None or after is None:
        return _found(check, Verdict.INCONCLUSIVE, message("the policies were not listed"))
    kept = bool(wanted) and not before and sorted(after) == sorted(wanted)
    told = message("without the component: {before}; with it: {after}", before=listed(before), after=listed(after))
    shown = message("{count} policies", count=str(len(after)))
    return _found(check, Verdict.PASS if kept else Verdict.FAIL, told, shown=(shown,))


def few_paths(plan: Sequence[NetworkPath], results: Sequence[Judgement]) -> Judgement:
    """Little traffic between pods is needed: the target works with every path from it to other pods refused.

    ``results`` are those of the paths of ``plan``, in the same order.
    """
    of_target = [(path, found) for path, found in zip(plan, results, strict=True) if path.client is Client.TARGET]
    needed = [path for path, _ in of_target if path.allowed]
    verdict = _worst([found.verdict for path, found in of_target if path.allowed or path.place in _PODS])
    told = message("not every path that they need works, or one to another pod is open; see the paths")
    if verdict is Verdict.PASS:
        told = message(
            "the target's pods need: {places}; no way to any other pod but DNS",
            places=", ".join(each.place for each in needed) or message("nothing"),
        )
    return _found("paths.needed", verdict, told, shown=(message("{count} paths", count=str(len(needed))),))


def node_port_told(through: Outcome) -> Told:
    """What a pod without the label got at the Service's NodePort: an observation."""
    told = message("a pod without the label asked the Service's NodePort at a node: {outcome}", outcome=through.word)
    if not through.works:
        return (told,)
    why = message(
        "there the pods see the node's address, which the load balancer's users have too; no policy tells the two "
        "apart while externalTrafficPolicy is Cluster"
    )
    return told, why


def not_exercised(checks: Iterable[tuple[str, str]], why: Message) -> list[Judgement]:
    """Every one of ``checks``, each with its claim, for what the environment lacks or was not asked for."""
    return [
        Judgement(id=check, claim=claim, verdict=Verdict.NOT_EXERCISED, told=(why,), gates=False)
        for check, claim in checks
    ]


def _judged(path: NetworkPath, asked: dict[str, list[Attempt]]) -> tuple[Verdict, Message]:
    for name, attempts in asked.items():
        if not attempts:
            return Verdict.INCONCLUSIVE, _NOT_ASKED[name]
    without = [each for each in asked["before"] if not each.outcome.works]
    under = [*asked["after"], *asked["replaced"]]
    return _allowed(without, under) if path.allowed else _refused(without, under)


def _allowed(without: Sequence[Attempt], under: Sequence[Attempt]) -> tuple[Verdict, Message]:
    bad = [each for each in under if not each.outcome.works]
    if bad and without:
        told = message("it did not work without the policies either: {example}", example=_example(without))
        return Verdict.INCONCLUSIVE, told
    if bad:
        return Verdict.FAIL, message("kept out under the policies: {example}", example=_example(bad))
    return Verdict.PASS, message("it works")


def _refused(without: Sequence[Attempt], under: Sequence[Attempt]) -> tuple[Verdict, Message]:
    bad = [each for each in under if not each.outcome.kept_out]
    if bad:
        return Verdict.FAIL, message("let through under the policies: {example}", example=_example(bad))
    if without:
        told = message("it did not work without the policies: {example}", example=_example(without))
        return Verdict.INCONCLUSIVE, told
    return Verdict.PASS, message("it worked without the policies and is refused under them")


_NOT_ASKED = {
    "before": message("not asked without the policies"),
    "after": message("not asked under the policies"),
    "replaced": message("not asked of pods started under the policies"),
}


def _fits(path: NetworkPath, attempts: Sequence[Attempt]) -> bool:
    right: Callable[[Attempt], bool] = (
        (lambda each: each.outcome.works) if path.allowed else (lambda each: each.outcome.kept_out)
    )
    return bool(attempts) and all(right(each) for each in attempts)


def _of(path: NetworkPath, asked: Round) -> list[Attempt]:
    return [each for each in asked.attempts if (each.client, each.place) == (path.client, path.place)]


def outcomes(found: Sequence[Outcome]) -> Message | str:
    """In words, one after the other; "–" for none."""
    return enumerated([each.word for each in found]) if found else "–"


def _example(attempts: Sequence[Attempt]) -> Message:
    first = attempts[0]
    places: dict[str, str | Message] = {"pod": first.pod, "address": first.address, "outcome": first.outcome.word}
    if len(attempts) > 1:
        more = str(len(attempts) - 1)
        return message("{pod} to {address} {outcome} and {more} more", **places, more=more)
    return message("{pod} to {address} {outcome}", **places)


def listed(names: Sequence[str]) -> str | Message:
    """Names, one after the other."""
    return ", ".join(names) or message("none")


def _pods(count: int) -> Told:
    return (message("{count} pods", count=str(count)),)


def _found(check: str, verdict: Verdict, told: Message, *, shown: Told = (), notes: Told = ()) -> Judgement:
    return Judgement(id=check, claim=CHECKS[check], verdict=verdict, told=(told,), shown=shown, notes=notes)


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.PASS if verdicts else Verdict.INCONCLUSIVE


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
