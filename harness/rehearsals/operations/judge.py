"""What an operator's page has, and what on it wants a look. Pure.

The document's task is done when everything it names could be read; what was read and is not well holds beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.judge.claimed import held, unknown
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, message, verbatim
from harness.model.verdict import Verdict
from harness.rehearsals.operations.seen.facts import DAY_S, Observed, PodNow, Reviewed
from harness.rehearsals.operations.types import CLAIMS, TOPICS, OperationsDetails, OperationsPlan

#: Of its request: above it a pod comes near to its limit, or to be the first to be evicted.
_FULL = 0.9
_MOST = 5
_USAGE = "attention.usage"


def judged(plan: OperationsPlan, details: OperationsDetails) -> Iterator[Judgement]:
    """The task, then whatever wants a look."""
    observed = details.observed
    if observed is None:
        return
    lacking = [*_lacking(observed), *_unreviewed(plan, details.reviewed)]
    claim = CLAIMS[plan.task]
    if lacking:
        yield unknown("", claim, *(message("not to be seen: {what}", what=each) for each in lacking))
    else:
        told = message(
            "{pods} pods, {lines} lines of logs, and {claims} claims reviewed",
            pods=str(len(observed.pods)),
            lines=f"{observed.logs.total:,}",
            claims=str(len(details.reviewed)),
        )
        yield held("", claim, True, told)
    yield _looked("attention.pods", _pods(observed.pods), message("every pod is ready, and none ended in a day"))
    yield _usage(observed.pods)
    yield _looked("attention.logs", _errors(observed), message("no error was logged"))
    if observed.answers:
        yield _looked("attention.answers", _answers(observed), message("the service answers as it should"))
    if observed.autoscalers is not None:
        yield _looked("attention.autoscaler", _autoscalers(observed), message("every autoscaler knows, and has room"))
    if observed.budgets is not None:
        yield _looked("attention.budget", _budgets(observed), message("every disruption budget allows an eviction"))
    if observed.warnings is not None:
        yield _looked("attention.events", _warnings(observed), message("no event warns"))


def _looked(name: str, found: Iterable[Message], well: Message) -> Judgement:
    """A check that holds when anything was found."""
    told = tuple(found)
    more = (message("{count} more", count=str(len(told) - _MOST)),) if len(told) > _MOST else ()
    verdict = Verdict.FAIL if told else Verdict.PASS
    return Judgement(id=name, kind=Kind.CHECK, verdict=verdict, told=(*told[:_MOST], *more) or (well,))


def _lacking(observed: Observed) -> Iterator[Message]:
    if not observed.pods:
        yield message("pods")
    if not observed.logs.total:
        yield message("logs")
    if observed.pods and all(pod.memory_bytes is None for pod in observed.pods):
        yield message("metrics of the pods")
    yield from (verbatim(f"{command}: {said}") for command, said in observed.unread)


def _unreviewed(plan: OperationsPlan, reviewed: Iterable[Reviewed]) -> Iterator[Message]:
    """The topics of which no stored result says anything."""
    known = {each.claim.partition(".")[0] for each in reviewed if each.folder}
    for topic in TOPICS[plan.task]:
        if topic not in known:
            yield message("a stored result on {topic}", topic=topic)


def _pods(pods: Iterable[PodNow]) -> Iterator[Message]:
    for pod in pods:
        if not pod.ready:
            yield message("{pod} is {phase}, and not ready", pod=pod.name, phase=pod.phase)
        if pod.restarted_s is not None and pod.restarted_s < DAY_S:
            minutes = f"{pod.restarted_s / 60:.0f}"
            why = verbatim(pod.why) if pod.why else message("nobody says why")
            yield message("{pod}: a container ended {minutes} min ago: {why}", pod=pod.name, minutes=minutes, why=why)


def _usage(pods: Sequence[PodNow]) -> Judgement:
    """What one pod does not tell may be above the limit: then nothing is well, unless another pod already is not."""
    full = [*_full(pods)]
    silent = [
        pod.name for pod in pods if None in (pod.cores, pod.asked_cores, pod.memory_bytes, pod.asked_memory_bytes)
    ]
    if silent and not full:
        why = message("what these use or request is not known: {pods}", pods=", ".join(silent[:_MOST]))
        return Judgement(id=_USAGE, kind=Kind.CHECK, verdict=Verdict.INCONCLUSIVE, told=(why,))
    return _looked(_USAGE, full, message("no pod uses 90 % of what it requests"))


def _full(pods: Iterable[PodNow]) -> Iterator[Message]:
    for pod in pods:
        for name, used, asked in (
            (message("processors"), pod.cores, pod.asked_cores),
            (message("memory"), pod.memory_bytes, pod.asked_memory_bytes),
        ):
            if used is not None and asked and used > _FULL * asked:
                share = f"{used / asked:.0%}"
                yield message("{pod} uses {share} of the {what} that it requests", pod=pod.name, share=share, what=name)


def _errors(observed: Observed) -> Iterator[Message]:
    for said, times in observed.logs.errors:
        yield message("logged {times} times: {said}", times=str(times), said=said)


def _answers(observed: Observed) -> Iterator[Message]:
    for path, status in observed.answers.items():
        if status != 200:
            yield message("{path} answers {status}", path=path, status=str(status))


def _autoscalers(observed: Observed) -> Iterator[Message]:
    for each in observed.autoscalers or ():
        if each.wanted >= each.most:
            yield message("{name} wants its most, {most} replicas", name=each.name, most=str(each.most))
        unknown_metrics = [name for name, now, _ in each.uses if now is None]
        if unknown_metrics:
            yield message("{name} does not know {metrics}", name=each.name, metrics=", ".join(unknown_metrics))


def _budgets(observed: Observed) -> Iterator[Message]:
    for each in observed.budgets or ():
        if each.allowed < 1:
            healthy = str(each.healthy)
            yield message("{name} allows no eviction: {healthy} healthy pods", name=each.name, healthy=healthy)


def _warnings(observed: Observed) -> Iterator[Message]:
    for each in sorted(observed.warnings or (), key=lambda one: -one.times):
        yield message(
            "{about}: {reason}, {times} times: {said}",
            about=each.about,
            reason=each.reason,
            times=str(each.times),
            said=each.said,
        )
