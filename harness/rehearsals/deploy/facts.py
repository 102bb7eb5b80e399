"""The facts of a deploy: of its commands, its pods, and of what users met while versions changed. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from harness.base.message import gettext_noop
from harness.base.ticks import NS
from harness.evidence.store import Gathered
from harness.load.population.schedule import due_within
from harness.model.command import Ran
from harness.model.evidence import DueList, EventRow, ProbeRow, RequestRow, Window
from harness.model.judgement import Judgement, Verdict
from harness.model.message import Message, Told, joined, message, raw_text
from harness.model.scenario import Criterion, Metric
from harness.rehearsals.deploy import tallies
from harness.rehearsals.deploy.tallies import CallTally, PodTally
from harness.rehearsals.deploy.types import DeployDetails, DeployPart, DeployPartKind, DeployPlan, Followed
from harness.rules.leaving import failed_while_leaving
from harness.rules.rule import Fact, FactsOf

#: How long users are looked at once all is said to be well again.
TAIL_S = 10.0
#: Each fact of a deploy, in a sentence.
PHRASES = {
    "commands.failed": gettext_noop("{seen} of {of} commands failed"),
    "put.failed": gettext_noop("{seen} of {of} commands that put the version there failed"),
    "status.code": gettext_noop("`{command}` ended in {seen}: {said}"),
    "undo.failed": gettext_noop("{seen} of {of} commands of the undo failed"),
    "pods.replicas": gettext_noop("{seen} replicas"),
    "pods.allowed": gettext_noop("{seen} pods are replicas and maxSurge"),
    "pods.came": gettext_noop("{seen} new pods came"),
    "pods.at_once": gettext_noop("at most {seen} pods lived at once, terminating ones aside"),
    "pods.fewest_ready": gettext_noop("never fewer than {seen} pods were ready"),
    "pods.ready_at_the_end": gettext_noop("pods that were ready at the end: {seen} ({names})"),
    "pods.old_at_the_end": gettext_noop("old pods among them: {seen} ({names})"),
    "pods.new_ready": gettext_noop("{seen} new pods became ready"),
    "pods.never_ready": gettext_noop("{seen} new pods never became ready"),
    "pods.waiting": gettext_noop("pods that still waited to be ready when the workflow had ended: {seen} ({names})"),
    "calls.failed": gettext_noop("{counts}"),
    "calls.noticed": gettext_noop("{counts}"),
    "calls.failed_as_pods_left": gettext_noop("{seen} of them failed while a pod left"),
    "calls.failed_otherwise": gettext_noop("{seen} of them failed while no pod left"),
    "creates.lost": gettext_noop("{seen} CREATEs of {of} calls were lost with the kept connections of pods that ended"),
    "answers.bad": gettext_noop("{counts}"),
    "bad_s": gettext_noop("the last bad answer came {seen} after the first: {counts}"),
    "limit.fired": gettext_noop("{seen} limits fired"),
    "undo.complete": gettext_noop("{seen} of {of} undos became complete"),
    "after.calls": gettext_noop("{seen} requests and probes were due after it was gone"),
    "after.bad": gettext_noop("then {counts}"),
    "after.bad_usual": gettext_noop("{seen} of them may be late: a twentieth, where a p95 fired"),
    "after.wrong": gettext_noop("{seen} of them were errors, and not late"),
    "past_undo.still_failed": gettext_noop("after the undo {failed} of {all} failed, {seen} of them in the later half"),
    "mended.failed": gettext_noop("with the schema taken back {counts}"),
}
_ENDED = message("the run ended before it was judged")


def facts(plan: DeployPlan, details: DeployDetails, evidence: Gathered, *, seed: int, races: bool) -> Iterator[Fact]:
    """The facts of every part that was followed, or that this target cannot be given."""
    followed = {each.name: each for each in details.followed}
    for part in plan.parts:
        if part.name in followed:
            yield from of_part(plan, part, followed[part.name], details, evidence, seed=seed, races=races)
        elif details.versions is not None and part.version.name not in details.versions:
            yield FactsOf(PHRASES, part.name).every(lacks=(message("nothing can be put in front of this target"),))


def of_part(
    plan: DeployPlan,
    part: DeployPart,
    followed: Followed,
    details: DeployDetails,
    evidence: Gathered,
    *,
    seed: int,
    races: bool,
) -> Iterable[Fact]:
    """The facts of a part. ``races``: endpoints and signals race, as on a real cluster."""
    fact = FactsOf(PHRASES, part.name)
    if followed.not_steady is not None:
        why = message("there was no steady state to begin with: {why}", why=followed.not_steady)
        return [fact.every(void=(why,))]
    if followed.not_applicable:
        words = raw_text(followed.not_applicable)
        return [fact.every(lacks=(message("the target's schema is not the contract's: {why}", why=words),))]
    if not followed.end_ns:
        return [fact.every(void=(_ENDED,))]
    view = PartView(plan, followed, details, evidence, seed)
    if part.kind is DeployPartKind.NEVER_READY and len(followed.ran) <= 3:
        return []
    gives: dict[DeployPartKind, Callable[[], Iterable[Fact]]] = {
        DeployPartKind.RELEASE: lambda: _released(fact, view, races=races),
        DeployPartKind.NEVER_READY: lambda: _never_ready(fact, view),
        DeployPartKind.BREAKS_LIMIT: lambda: _limit_broken(fact, view),
        DeployPartKind.BREAKING_SCHEMA: lambda: _breaking_schema(fact, view),
    }
    return gives[part.kind]()


class PartView:
    """The evidence of one part."""

    def __init__(
        self, plan: DeployPlan, followed: Followed, details: DeployDetails, evidence: Gathered, seed: int
    ) -> None:
        self.followed = followed
        self.evidence = evidence
        self._plan = plan
        self._details = details
        self._seed = seed

    @property
    def slow_ms(self) -> float | None:
        """Above what an answer is bad, where a limit of latency fired."""
        return slow_limit_ms(self._plan.limits, self.followed.fired)

    def tally(self, start_ns: int, end_ns: int, slow_ms: float | None = None) -> CallTally:
        """What users met in the time."""
        due = self._due(start_ns, end_ns)
        return tallies.tally(self.evidence.ledger, start_ns, end_ns, slow_ms, due=due)

    def met(self) -> CallTally:
        """What users met from the first command of the part until it was over."""
        until_ns = self.followed.looked_ns or self.followed.mended_ns or self.followed.gone_ns
        if until_ns is None:
            return CallTally(calls=0, failed=0)
        return self.slow() if self.followed.gone_ns is not None else self.tally(self.followed.since_ns, until_ns)

    def slow(self) -> CallTally:
        """What users met of a version until it was gone: what failed and, where a p95 fired, what it answered late."""
        followed = self.followed
        until_ns = followed.gone_ns or followed.end_ns
        failed = self.tally(followed.since_ns, until_ns)
        if self.slow_ms is None:
            return failed
        rows: list[RequestRow | ProbeRow] = [*self.evidence.requests, *self.evidence.probes]
        new = self.pods().new
        return tallies.slow_answers(rows, new, followed.since_ns, until_ns, self.slow_ms, missing=failed.missing)

    def pods(self, until_ns: int | None = None) -> PodTally:
        """The pods since the first command."""
        followed = self.followed
        end_ns = until_ns or followed.pods_ns or followed.end_ns
        return tallies.pods(self.evidence.events, followed.since_ns, end_ns)

    def _due(self, start_ns: int, end_ns: int) -> DueList:
        return due_within(self._plan.scenario, self._seed, self._details.origin_ns, start_ns, max(end_ns, start_ns + 1))


def broke(fired: Iterable[Judgement]) -> Judgement | None:
    """The limit that fired first."""
    found = [each for each in fired if each.verdict is Verdict.FAIL]
    return min(found, key=lambda each: each.fired_at_ns or 0, default=None)


def slow_limit_ms(limits: Iterable[Criterion], fired: Judgement | None) -> float | None:
    """Above what an answer is bad, where a limit of latency fired."""
    latency = [each.threshold for each in limits if fired is not None and each.id == fired.id
               and each.metric is Metric.LATENCY_P95]  # fmt: skip
    return latency[0] if latency else None


def observed(followed: Followed, events: Iterable[EventRow]) -> Iterator[Message]:
    """What was seen besides, in the order in which it came."""
    yield from (raw_text(statement) for statement in followed.statements)
    if followed.undo_ns is not None and followed.fired is None:
        yield message("no limit fired")
    if followed.written is not None and followed.pods_ns is not None:
        rows = [row for row in events if row.at_ns < followed.pods_ns]
        new = tallies.pods(rows, followed.since_ns, followed.pods_ns).new
        old = {row.subject for row in rows if row.kind == "pod"} - set(new)
        yield _side_by_side(followed.written, old, new)


def _side_by_side(written: Mapping[str, int], old: Iterable[str], new: Iterable[str]) -> Message:
    """Who wrote into the new column, for people; ``written`` by pod."""
    old, new = set(old), set(new)
    return message(
        "rows with the new column: {old} inserted by old pods, {new} by new ones",
        old=str(sum(count for pod, count in written.items() if pod in old)),
        new=str(sum(count for pod, count in written.items() if pod in new)),
    )


# -- the parts ---------------------------------------------------------------------------------------------------


def _commands(fact: FactsOf, name: str, ran: Sequence[Ran]) -> Fact:
    ended = (message("`{command}` ended in {status}", command=one.command, status=str(one.status)) for one in ran)
    silent = [
        message("`{command}` showed nothing", command=one.command) for one in ran if not one.status and not one.answered
    ]
    return fact(name, sum(not one.answered for one in ran), of=len(ran), besides=(*ended, *silent))


def _pods(fact: FactsOf, view: PartView) -> Iterator[Fact]:
    followed, seen = view.followed, view.pods()
    old = [name for name in seen.ready if name not in seen.new]
    yield fact("pods.replicas", followed.replicas)
    yield fact("pods.allowed", followed.replicas + followed.surge)
    yield fact("pods.came", len(seen.new))
    yield fact("pods.at_once", seen.most)
    yield fact("pods.fewest_ready", seen.fewest_ready)
    yield fact("pods.ready_at_the_end", len(seen.ready), names=_listed(seen.ready))
    yield fact("pods.old_at_the_end", len(old), names=_listed(old))
    yield fact("pods.new_ready", len(seen.new_ready_ns))


def _calls(fact: FactsOf, name: str, met: CallTally, *, aside: int = 0, besides: Told = (), lacks: Told = ()) -> Fact:
    """How many calls failed, but those set ``aside``; each that is missing may have failed."""
    failed = met.failed - aside
    return fact(name, failed, high=failed + met.missing, of=met.calls, counts=met.told, besides=besides, lacks=lacks)


def _released(fact: FactsOf, view: PartView, *, races: bool) -> Iterator[Fact]:
    followed, evidence = view.followed, view.evidence
    until_ns = followed.looked_ns or followed.end_ns
    met = view.tally(followed.since_ns, until_ns)
    lost, _ = tallies.lost_at_close(evidence.requests, evidence.events, followed.since_ns, until_ns)
    window = Window(start_ns=followed.since_ns, end_ns=max(until_ns, followed.since_ns + 1))
    while_leaving = failed_while_leaving(evidence.ledger, evidence.events, window)
    yield _commands(fact, "commands.failed", followed.ran)
    yield from _pods(fact, view)
    besides = (message("{count} of them CREATEs on kept connections, told apart", count=str(lost)),) if lost else ()
    yield _calls(fact, "calls.failed", met, aside=lost, besides=besides)
    spared: Told = ()  # downtime that is not seen was not to be seen
    if not races and met.failed == lost and not met.missing:
        spared = (message("the environment signals a pod once the endpoints have left it (unless --signals-at-once)"),)
    yield _calls(fact, "calls.noticed", met, aside=lost, lacks=spared)
    yield fact("calls.failed_as_pods_left", while_leaving)
    yield fact("calls.failed_otherwise", max(0, met.failed - while_leaving))
    none = () if lost or met.missing else (message("no CREATE met the end of a kept connection"),)
    yield fact("creates.lost", lost, of=met.calls, lacks=none)


def _never_ready(fact: FactsOf, view: PartView) -> Iterator[Fact]:
    """``ran`` ends in a status that has to fail, an undo, and the status after it; before them stands what put the
    version there. Of the pods those count until the undo began, with a while in which nothing was done by hand."""
    followed = view.followed
    *put, status, undo, after = followed.ran
    before = view.pods(followed.waited_ns)
    said = status.output.strip().splitlines()[-1:]
    words = raw_text(said[0]) if said else message("nothing")
    yield _commands(fact, "put.failed", put)
    yield fact("status.code", status.status, command=status.command, said=words)
    yield _commands(fact, "undo.failed", (undo, after))
    yield from _pods(fact, view)
    yield fact("pods.never_ready", sum(name not in before.new_ready_ns for name in before.new))
    yield fact("pods.waiting", len(before.waiting), names=_listed(before.waiting))
    yield _calls(fact, "calls.failed", view.tally(followed.since_ns, followed.looked_ns or followed.end_ns))


def _undone(fact: FactsOf, followed: Followed, missing: bool) -> Iterator[Fact]:
    """``missing``: so many answers are not in evidence that a limit may have been kept from firing."""
    fired, ran = followed.fired, followed.ran[-2:]
    told = () if fired is None else (message("{limit} {why}", limit=fired.id, why=joined(fired.told)),)
    done = followed.undo_ns is not None and followed.done_ns is not None
    yield fact("limit.fired", int(fired is not None), high=1 if missing else None, of=1, besides=told)
    yield fact("undo.complete", int(done), of=1)
    yield _commands(fact, "undo.failed", ran)


def _limit_broken(fact: FactsOf, view: PartView) -> Iterator[Fact]:
    """Where a p95 fired, a twentieth may be slow once the version is gone, and none may fail."""
    followed, met, late = view.followed, view.slow(), view.slow_ms is not None
    gone_ns = followed.gone_ns or followed.end_ns
    until_ns = gone_ns + round(TAIL_S * NS)
    after = view.tally(gone_ns, until_ns, view.slow_ms)
    yield _calls(fact, "answers.bad", met)
    yield from _undone(fact, followed, met.missing >= met.failed)
    high = math.inf if met.missing else None
    yield fact("bad_s", met.bad_s, low=met.bad_s, high=high, of=met.calls, counts=met.told)
    yield fact("after.calls", after.calls)
    yield _calls(fact, "after.bad", after)
    yield fact("after.bad_usual", after.calls // 20 if late else 0)
    wrong = view.tally(gone_ns, until_ns)
    yield fact("after.wrong", wrong.failed, high=wrong.failed + wrong.missing)


def _breaking_schema(fact: FactsOf, view: PartView) -> Iterator[Fact]:
    """Old pods fail, an undo does not help, and the schema taken back does. Where none of the bad answers after the
    undo came in the later half, the undo helped."""
    followed = view.followed
    mended_ns = followed.mended_ns or followed.end_ns
    past = later = CallTally(calls=0, failed=0)
    if followed.done_ns is not None and followed.back_ns is not None:
        past = view.tally(followed.done_ns, followed.back_ns)
        later = view.tally((followed.done_ns + followed.back_ns) // 2, followed.back_ns)
    mended = view.tally(mended_ns, mended_ns + round(TAIL_S * NS))
    yield _calls(fact, "answers.bad", view.tally(followed.since_ns, mended_ns))
    yield from _undone(fact, followed, missing=False)
    yield fact("put.failed", sum(one.status != 0 for one in followed.ran[-2:-1]), of=1)
    yield fact("past_undo.still_failed", later.failed, of=past.calls, failed=str(past.failed), all=str(past.calls))
    yield _calls(fact, "mended.failed", mended)


def _listed(names: Sequence[str]) -> str | Message:
    return ", ".join(names) or message("none")
