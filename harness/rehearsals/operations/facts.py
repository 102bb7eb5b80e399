"""The facts of an operator's look: what is there, and how much of it wants attention. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.base.message import gettext_noop
from harness.base.units import DAY_S
from harness.model.autoscaling import ConditionType
from harness.model.judgement import Expected, Kind
from harness.model.message import Message, Told, message, raw_text
from harness.rehearsals.operations.seen.facts import (
    AutoscalerNow,
    BudgetNow,
    LogsNow,
    ObservedCondition,
    PodNow,
    Reviewed,
    Warned,
)
from harness.rehearsals.operations.types import OperationsDetails, OperationsPlan, Task
from harness.report.signoff.types import ClaimState
from harness.rules.rule import Fact, FactsOf

#: The document's line of each task.
CLAIMS = {Task.DAILY: "operations.daily", Task.WEEKLY: "operations.weekly", Task.MONTHLY: "operations.monthly"}
#: What the stored results are asked in a review: the first word of the claims' ids. A daily look asks none.
TOPICS: dict[Task, tuple[str, ...]] = {
    Task.DAILY: (),
    Task.WEEKLY: ("cost", "sli", "scaling"),
    Task.MONTHLY: ("slo", "load", "dr"),
}
#: Each fact of a look, in a sentence.
PHRASES = {
    "pods.seen": gettext_noop("{seen} pods were seen"),
    "pods.measured": gettext_noop("the memory of {seen} of {of} pods is known"),
    "pods.not_ready": gettext_noop("{seen} of {of} pods are not ready"),
    "pods.ended": gettext_noop("containers of {seen} of {of} pods ended within a day"),
    "pods.full": gettext_noop("{seen} requests of {of} pods are used by more than 90 %"),
    "logs.lines": gettext_noop("{seen} lines were logged in a day"),
    "logs.telling": gettext_noop("{seen} of {of} lines tell a severity"),
    "logs.errors": gettext_noop("{seen} different errors were logged"),
    "commands.unread": gettext_noop("{seen} commands could not be read"),
    "answers.other": gettext_noop("{seen} of {of} paths do not answer 200"),
    "autoscalers.seen": gettext_noop("{seen} autoscalers are in the namespace"),
    "autoscalers.flaws": gettext_noop("{seen} things keep autoscalers from their work"),
    "budgets.seen": gettext_noop("{seen} disruption budgets are in the namespace"),
    "budgets.spent": gettext_noop("{seen} of {of} disruption budgets allow no eviction"),
    "events.warned": gettext_noop("{seen} events warn"),
    "topics.unjudged": gettext_noop("{seen} of {of} topics have no stored result"),
    "claims.failed": gettext_noop("{seen} of {of} claims failed"),
}
#: Of its request: above it a pod comes near to its limit, or to be the first to be evicted.
_FULL = 0.9
_MOST = 5
#: The reason of ScalingLimited where an HPA's metrics ask for more than its most.
_TOO_MANY = "TooManyReplicas"
_FACT = FactsOf(PHRASES)
_UNSAID = message("nobody says why")


def expected(plan: OperationsPlan) -> list[Expected]:
    """The task, and what is looked at, of a cluster or of a stack of processes, and in a review."""
    looks = ["pods", "usage", "logs", *(("autoscaler", "budget", "events") if plan.context else ("answers",))]
    looks += ["review"] if TOPICS[plan.task] else []
    checks = (Expected("", f"attention.{look}", kind=Kind.CHECK) for look in looks)
    return [Expected("", CLAIMS[plan.task], CLAIMS[plan.task]), *checks]


def facts(plan: OperationsPlan, details: OperationsDetails) -> Iterator[Fact]:
    """The facts of whatever could be looked at."""
    if (observed := details.observed) is None:
        return
    yield from _of_pods(plan, observed.pods)
    yield from _of_logs(observed.logs)
    yield _counted("commands.unread", (raw_text(f"{command}: {said}") for command, said in observed.unread))
    if observed.answers:
        yield _counted("answers.other", _answers(observed.answers), of=len(observed.answers))
    if (scalers := observed.autoscalers) is not None:
        yield _FACT("autoscalers.seen", len(scalers))
        yield _counted("autoscalers.flaws", (told for each in scalers for told in _autoscaler(each)))
    if (budgets := observed.budgets) is not None:
        yield _FACT("budgets.seen", len(budgets))
        yield _counted("budgets.spent", _spent(budgets), of=len(budgets))
    if observed.warnings is not None:
        yield _counted("events.warned", _warnings(observed.warnings))
    if topics := TOPICS[plan.task]:
        yield from _of_review(topics, details.reviewed)


def _counted(name: str, found: Iterable[Message], *, of: int = 0, high: int = 0, besides: Told = ()) -> Fact:
    """How many were ``found``, with the first of them in words; ``high`` more may be."""
    told = (*found,)
    more = (message("{count} more", count=str(len(told) - _MOST)),) if len(told) > _MOST else ()
    return _FACT(name, len(told), high=len(told) + high, of=of, besides=(*told[:_MOST], *more, *besides))


def _of_pods(plan: OperationsPlan, pods: Sequence[PodNow]) -> Iterator[Fact]:
    """What a pod does not tell of its use may be above the limit."""
    named = message("pods labelled {label} (--selector names another label)", label=plan.selector)
    yield _FACT("pods.seen", len(pods), besides=(named,) if plan.context and not pods else ())
    yield _FACT("pods.measured", sum(pod.memory_bytes is not None for pod in pods), of=len(pods))
    unready = (pod for pod in pods if not pod.ready)
    yield _counted(
        "pods.not_ready",
        (message("{pod} is {phase}, and not ready", pod=pod.name, phase=pod.phase) for pod in unready),
        of=len(pods),
    )
    yield _counted("pods.ended", _ended(pods), of=len(pods))
    full = {pod.name: [*_full(pod)] for pod in pods}
    silent = [pod.name for pod in pods if _is_silent(pod) and not full[pod.name]]
    why = message("what these use or request is not known: {pods}", pods=", ".join(silent[:_MOST]))
    found = (told for each in full.values() for told in each)
    yield _counted("pods.full", found, of=len(pods), high=len(silent), besides=(why,) if silent else ())


def _ended(pods: Iterable[PodNow]) -> Iterator[Message]:
    for pod in pods:
        if pod.restarted_s is not None and pod.restarted_s < DAY_S:
            minutes = f"{pod.restarted_s / 60:.0f}"
            why = raw_text(pod.why) if pod.why else _UNSAID
            yield message("{pod}: a container ended {minutes} min ago: {why}", pod=pod.name, minutes=minutes, why=why)


def _is_silent(pod: PodNow) -> bool:
    return None in (pod.cores, pod.asked_cores, pod.memory_bytes, pod.asked_memory_bytes)


def _full(pod: PodNow) -> Iterator[Message]:
    for name, used, asked in (
        (message("processors"), pod.cores, pod.asked_cores),
        (message("memory"), pod.memory_bytes, pod.asked_memory_bytes),
    ):
        if used is not None and asked and used > _FULL * asked:
            share = f"{used / asked:.0%}"
            yield message("{pod} uses {share} of the {what} that it requests", pod=pod.name, share=share, what=name)


def _of_logs(logs: LogsNow) -> Iterator[Fact]:
    """Lines of which none tells a severity tell of no error either."""
    yield _FACT("logs.lines", logs.total)
    telling = _FACT("logs.telling", logs.total - logs.lines.get("", 0), of=logs.total)
    errors = (message("logged {times} times: {said}", times=str(times), said=said) for said, times in logs.errors)
    yield telling
    yield _counted("logs.errors", errors, besides=telling.told if logs.lines.get("") else ())


def _answers(answers: dict[str, int]) -> Iterator[Message]:
    for path, status in answers.items():
        if status != 200:
            yield message("{path} answers {status}", path=path, status=str(status))


def _autoscaler(scaler: AutoscalerNow) -> Iterator[Message]:
    yield from _conditions(scaler)
    if scaler.wanted >= scaler.most:
        yield message("{name} wants its most, {most} replicas", name=scaler.name, most=str(scaler.most))
    if unknown := [name for name, now, _ in scaler.uses if now is None]:
        yield message("{name} does not know {metrics}", name=scaler.name, metrics=", ".join(unknown))


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


def _condition(scaler: AutoscalerNow, found: ObservedCondition) -> Message:
    words = {"condition": found.type, "status": found.status, "reason": found.reason, "said": found.said}
    return message("{name}: {condition} is {status}, {reason}: {said}", name=scaler.name, **words)


def _spent(budgets: Iterable[BudgetNow]) -> Iterator[Message]:
    for each in budgets:
        if each.allowed < 1:
            healthy = str(each.healthy)
            yield message("{name} allows no eviction: {healthy} healthy pods", name=each.name, healthy=healthy)


def _warnings(warnings: Iterable[Warned]) -> Iterator[Message]:
    for each in sorted(warnings, key=lambda one: -one.times):
        words = {"reason": each.reason, "times": str(each.times), "said": each.said}
        yield message("{about}: {reason}, {times} times: {said}", about=each.about, **words)


def _of_review(topics: Sequence[str], reviewed: Sequence[Reviewed]) -> Iterator[Fact]:
    """That nothing is known of a claim is no finding, and told."""
    known = {each.claim.partition(".")[0] for each in reviewed if each.judged}
    unjudged = (message("a stored result on {topic}", topic=topic) for topic in topics if topic not in known)
    yield _counted("topics.unjudged", unjudged, of=len(topics))
    unseen = sum(each.state == ClaimState.NOT_SHOWN for each in reviewed)
    shown = message("{count} of {all} claims are not shown", count=str(unseen), all=str(len(reviewed)))
    if any(each.folder for each in reviewed):
        yield _counted("claims.failed", _failed(reviewed), of=len(reviewed), besides=(shown,) if unseen else ())
    else:
        yield from _FACT.none("claims.failed", void=(message("no stored run says anything of a claim"),))


def _failed(reviewed: Iterable[Reviewed]) -> Iterator[Message]:
    for each in reviewed:
        if each.state == ClaimState.FAILED:
            yield message("{claim} failed: {why}", claim=each.claim, why=each.why[0] if each.why else _UNSAID)
