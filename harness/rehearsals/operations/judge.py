"""What an operator's page has, and what on it wants a look. Pure.

The document's task is done when everything it names could be read, and a review when of each topic a claim was judged
and none is not ready; what else was read and is not well holds beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.base.units import DAY_S
from harness.judge.claimed import held, unknown
from harness.model.autoscaling import ConditionType
from harness.model.expected import Expected
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, message, verbatim
from harness.model.verdict import Verdict
from harness.rehearsals.operations.seen.facts import AutoscalerNow, Condition, Observed, PodNow, Reviewed
from harness.rehearsals.operations.types import OperationsDetails, OperationsPlan, Task
from harness.signoff.types import State

#: The document's line of each task.
CLAIMS = {
    Task.DAILY: "operations.daily",
    Task.WEEKLY: "operations.weekly",
    Task.MONTHLY: "operations.monthly",
}
#: What the stored results are asked in a review: the first word of the claims' ids. A daily look asks none.
TOPICS: dict[Task, tuple[str, ...]] = {
    Task.DAILY: (),
    Task.WEEKLY: ("cost", "sli", "scaling"),
    Task.MONTHLY: ("slo", "load", "dr"),
}
#: Of its request: above it a pod comes near to its limit, or to be the first to be evicted.
_FULL = 0.9
_MOST = 5
_USAGE, _LOGS = "attention.usage", "attention.logs"
#: The reason of ScalingLimited where an HPA's metrics ask for more than its most.
_TOO_MANY = "TooManyReplicas"


def expected(plan: OperationsPlan) -> list[Expected]:
    """The task, and what is looked at, of a cluster or of a stack of processes, and in a review."""
    looks = ["pods", "usage", "logs", *(("autoscaler", "budget", "events") if plan.context else ("answers",))]
    looks += ["review"] if TOPICS[plan.task] else []
    checks = (Expected("", f"attention.{look}", kind=Kind.CHECK) for look in looks)
    return [Expected("", CLAIMS[plan.task], CLAIMS[plan.task]), *checks]


def judged(plan: OperationsPlan, details: OperationsDetails) -> Iterator[Judgement]:
    """The task, then whatever wants a look."""
    observed = details.observed
    if observed is None:
        return
    lacking = [*map(_unseen, _lacking(plan, observed)), *map(_unseen, _unreviewed(plan, details.reviewed))]
    lacking += _failed(details.reviewed)
    claim = CLAIMS[plan.task]
    if lacking:
        yield unknown("", claim, *lacking)
    else:
        told = message(
            "{pods} pods, {lines} lines of logs, and {claims} claims reviewed",
            pods=str(len(observed.pods)),
            lines=f"{observed.logs.total:,}",
            claims=str(len(details.reviewed)),
        )
        yield held("", claim, True, told)
    yield _ready(observed.pods)
    yield _usage(observed.pods)
    yield _logged(observed)
    if observed.answers:
        yield _looked("attention.answers", _answers(observed), message("the service answers as it should"))
    if observed.autoscalers is not None:
        well = message("every autoscaler knows, and has room")
        yield _of_all("attention.autoscaler", observed.autoscalers, _autoscalers(observed), well)
    if observed.budgets is not None:
        well = message("every disruption budget allows an eviction")
        yield _of_all("attention.budget", observed.budgets, _budgets(observed), well)
    if observed.warnings is not None:
        yield _looked("attention.events", _warnings(observed), message("no event warns"))
    if any(each.folder for each in details.reviewed):
        yield _looked("attention.review", _failed(details.reviewed), _stands(details.reviewed))


def _looked(name: str, found: Iterable[Message], well: Message) -> Judgement:
    """A check that holds when anything was found."""
    told = tuple(found)
    more = (message("{count} more", count=str(len(told) - _MOST)),) if len(told) > _MOST else ()
    verdict = Verdict.FAIL if told else Verdict.PASS
    return Judgement(id=name, kind=Kind.CHECK, verdict=verdict, told=(*told[:_MOST], *more) or (well,))


def _of_all(name: str, there: Sequence[object], found: Iterable[Message], well: Message) -> Judgement:
    """Where there is none, none of them is well."""
    if there:
        return _looked(name, found, well)
    return _unknown(name, message("there is none in the namespace"))


def _unknown(name: str, why: Message) -> Judgement:
    return Judgement(id=name, kind=Kind.CHECK, verdict=Verdict.INCONCLUSIVE, told=(why,))


def _unseen(what: Message) -> Message:
    return message("not to be seen: {what}", what=what)


def _lacking(plan: OperationsPlan, observed: Observed) -> Iterator[Message]:
    if not observed.pods:
        named = message("pods labelled {label} (--selector names another label)", label=plan.selector)
        yield named if plan.context else message("pods")
    if not observed.logs.total:
        yield message("logs")
    if observed.pods and all(pod.memory_bytes is None for pod in observed.pods):
        yield message("metrics of the pods")
    yield from (verbatim(f"{command}: {said}") for command, said in observed.unread)


def _unreviewed(plan: OperationsPlan, reviewed: Iterable[Reviewed]) -> Iterator[Message]:
    """The topics of which no stored result judged a claim."""
    known = {each.claim.partition(".")[0] for each in reviewed if each.judged}
    for topic in TOPICS[plan.task]:
        if topic not in known:
            yield message("a stored result on {topic}", topic=topic)


def _failed(reviewed: Iterable[Reviewed]) -> Iterator[Message]:
    for each in reviewed:
        if each.state == State.FAILED:
            why = each.why[0] if each.why else message("nobody says why")
            yield message("{claim} failed: {why}", claim=each.claim, why=why)


def _stands(reviewed: Sequence[Reviewed]) -> Message:
    """That nothing is known of a claim is no finding, and told."""
    unseen = sum(each.state == State.NOT_SHOWN for each in reviewed)
    return message(
        "of {all} claims none failed; {count} are not shown",
        all=str(len(reviewed)),
        count=str(unseen),
    )


def _ready(pods: Sequence[PodNow]) -> Judgement:
    if not pods:
        return _unknown("attention.pods", _unseen(message("pods")))
    return _looked("attention.pods", _pods(pods), message("every pod is ready, and none ended in a day"))


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
    if not pods:
        return _unknown(_USAGE, _unseen(message("pods")))
    full = [*_full(pods)]
    silent = [
        pod.name for pod in pods if None in (pod.cores, pod.asked_cores, pod.memory_bytes, pod.asked_memory_bytes)
    ]
    if silent and not full:
        return _unknown(
            _USAGE, message("what these use or request is not known: {pods}", pods=", ".join(silent[:_MOST]))
        )
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


def _logged(observed: Observed) -> Judgement:
    """Lines of which none tells a severity tell of no error either, nor does a log without a line."""
    lines, untold = observed.logs, observed.logs.lines.get("", 0)
    if not lines.total:
        return _unknown(_LOGS, _unseen(message("logs")))
    if untold == lines.total and not lines.errors:
        return _unknown(_LOGS, message("no line of the logs tells a severity"))
    well = message("no error was logged")
    if untold:
        well = message(
            "{what}; {count} of {all} lines tell no severity", what=well, count=f"{untold:,}", all=f"{lines.total:,}"
        )
    return _looked(_LOGS, _errors(observed), well)


def _errors(observed: Observed) -> Iterator[Message]:
    for said, times in observed.logs.errors:
        yield message("logged {times} times: {said}", times=str(times), said=said)


def _answers(observed: Observed) -> Iterator[Message]:
    for path, status in observed.answers.items():
        if status != 200:
            yield message("{path} answers {status}", path=path, status=str(status))


def _autoscalers(observed: Observed) -> Iterator[Message]:
    for each in observed.autoscalers or ():
        yield from _conditions(each)
        if each.wanted >= each.most:
            yield message("{name} wants its most, {most} replicas", name=each.name, most=str(each.most))
        unknown_metrics = [name for name, now, _ in each.uses if now is None]
        if unknown_metrics:
            yield message("{name} does not know {metrics}", name=each.name, metrics=", ".join(unknown_metrics))


def _conditions(scaler: AutoscalerNow) -> Iterator[Message]:
    """What the controller says of it: that it can scale, and reads its metrics. That it stays at its least
    (TooFewReplicas) or takes its time (ScaleUpLimit, ScaleDownLimit) is what it is made for; that it stays below what
    its metrics ask for is not.
    """
    if scaler.conditions is None:
        return
    said = {each.type: each for each in scaler.conditions}
    for type_ in (ConditionType.ABLE_TO_SCALE, ConditionType.SCALING_ACTIVE):
        found = said.get(type_)
        if found is None:
            yield message("{name}: nobody says {condition}", name=scaler.name, condition=type_.value)
        elif found.status != "True":
            yield _condition(scaler, found)
    limited = said.get(ConditionType.SCALING_LIMITED)
    if limited is not None and limited.status == "True" and limited.reason == _TOO_MANY:
        yield _condition(scaler, limited)


def _condition(scaler: AutoscalerNow, found: Condition) -> Message:
    return message(
        "{name}: {condition} is {status}, {reason}: {said}",
        name=scaler.name,
        condition=found.type,
        status=found.status,
        reason=found.reason,
        said=found.said,
    )


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
