"""A run of the deploy rehearsal, judged by its plan, its details and its evidence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from harness.evidence.gathered import Gathered
from harness.judge.claimed import not_exercised, unknown
from harness.judge.leaving import failed_while_leaving
from harness.judge.window import NS, Window
from harness.load.population.due import due_within
from harness.model.due import DueList
from harness.model.evidence import EventRow, ProbeRow, RequestRow
from harness.model.judgement import Judgement
from harness.model.message import Message, message, verbatim
from harness.model.stack import Capability
from harness.rehearsals.deploy import judge, tallies
from harness.rehearsals.deploy.judge import Undone
from harness.rehearsals.deploy.tallies import Pods, Tally
from harness.rehearsals.deploy.types import DeployDetails, DeployPart, DeployPlan, Followed, PartKind

#: How long users are looked at once all is said to be well again.
TAIL_S = 10.0
_NO_VERSION = message("nothing can be put in front of this target")
_ENDED = message("the run ended before it was judged")


def parts(
    plan: DeployPlan, details: DeployDetails, evidence: Gathered, *, seed: int, capabilities: Iterable[str]
) -> Iterator[Judgement]:
    """The claims of every part of the plan, whatever became of the run."""
    followed = {each.name: each for each in details.followed}
    races = Capability.ENDPOINTS_BEFORE_SIGNALS not in set(capabilities)
    for part in plan.parts:
        found: list[Judgement] = []
        if part.name in followed:
            found = of_part(plan, part, followed[part.name], details, evidence, seed=seed, races=races)
        elif details.versions is not None and part.version.name not in details.versions:
            found = [not_exercised("", claim, _NO_VERSION) for claim in part.claims]
        yield from (msgspec.structs.replace(each, part=part.name) for each in found)


def of_part(
    plan: DeployPlan,
    part: DeployPart,
    followed: Followed,
    details: DeployDetails,
    evidence: Gathered,
    *,
    seed: int,
    races: bool,
) -> list[Judgement]:
    """The claims of one part that was followed."""
    why_not = _not_judged(part, followed)
    if why_not:
        return why_not
    view = _View(plan, followed, details, evidence, seed)
    if part.kind is PartKind.RELEASE:
        return _released(part, view, races=races)
    if part.kind is PartKind.NEVER_READY:
        return _never_ready(part, view) if len(followed.ran) > 3 else []
    return [_limit_broken(part, view) if part.kind is PartKind.BREAKS_LIMIT else _breaking_schema(part, view)]


def _not_judged(part: DeployPart, followed: Followed) -> list[Judgement]:
    """Why nothing can be said of the part; [] when something can."""
    if followed.not_steady is not None:
        why = message("there was no steady state to begin with: {why}", why=followed.not_steady)
        return [unknown("", claim, why) for claim in part.claims]
    if followed.not_applicable:
        words = verbatim(followed.not_applicable)
        why = message("the target's schema is not the contract's: {why}", why=words)
        return [not_exercised("", claim, why) for claim in part.claims]
    return [] if followed.end_ns else [unknown("", claim, _ENDED) for claim in part.claims]


def met(plan: DeployPlan, followed: Followed, details: DeployDetails, evidence: Gathered, *, seed: int) -> Tally:
    """What users met from the first command of the part until it was over."""
    view = _View(plan, followed, details, evidence, seed)
    until_ns = followed.looked_ns or followed.mended_ns or followed.gone_ns
    if until_ns is None:
        return Tally(calls=0, failed=0)
    return view.slow() if followed.gone_ns is not None else view.tally(followed.since_ns, until_ns)


def observed(followed: Followed, events: Iterable[EventRow]) -> Iterator[Message]:
    """What was seen besides, in the order in which it came."""
    yield from (verbatim(statement) for statement in followed.statements)
    if followed.undo_ns is not None and followed.fired is None:
        yield message("no limit fired")
    if followed.written is not None and followed.pods_ns is not None:
        rows = [row for row in events if row.at_ns < followed.pods_ns]
        new = tallies.pods(rows, followed.since_ns, followed.pods_ns).new
        old = {row.subject for row in rows if row.kind == "pod"} - set(new)
        yield judge.side_by_side(followed.written, old, new)


class _View:
    """The evidence of one part."""

    def __init__(
        self, plan: DeployPlan, followed: Followed, details: DeployDetails, evidence: Gathered, seed: int
    ) -> None:
        self.plan = plan
        self.followed = followed
        self._details = details
        self.evidence = evidence
        self._seed = seed

    @property
    def undone(self) -> Undone:
        """The undo of a version whose limit was broken."""
        followed = self.followed
        return Undone(fired=followed.fired, undo_ns=followed.undo_ns, done_ns=followed.done_ns, ran=followed.ran[-2:])

    @property
    def slow_ms(self) -> float | None:
        """Above what an answer is bad, where a limit of latency fired."""
        return judge.slow_limit_ms(self.plan.limits, self.followed.fired)

    def tally(self, start_ns: int, end_ns: int, slow_ms: float | None = None) -> Tally:
        """What users met in the time."""
        return tallies.tally(self.evidence.ledger, start_ns, end_ns, slow_ms, due=self._due(start_ns, end_ns))

    def slow(self) -> Tally:
        """What users met of a version until it was gone: what failed and, where a p95 fired, what it answered late."""
        followed = self.followed
        until_ns = followed.gone_ns or followed.end_ns
        failed = self.tally(followed.since_ns, until_ns)
        if self.slow_ms is None:
            return failed
        rows: list[RequestRow | ProbeRow] = [*self.evidence.requests, *self.evidence.probes]
        new = self.pods().new
        return tallies.slow_answers(rows, new, followed.since_ns, until_ns, self.slow_ms, missing=failed.missing)

    def pods(self, until_ns: int | None = None) -> Pods:
        """The pods since the first command."""
        followed = self.followed
        end_ns = until_ns or followed.pods_ns or followed.end_ns
        return tallies.pods(self.evidence.events, followed.since_ns, end_ns)

    def _due(self, start_ns: int, end_ns: int) -> DueList:
        return due_within(self.plan.scenario, self._seed, self._details.origin_ns, start_ns, max(end_ns, start_ns + 1))


def _released(part: DeployPart, view: _View, *, races: bool) -> list[Judgement]:
    followed, until_ns = view.followed, view.followed.looked_ns or view.followed.end_ns
    evidence = view.evidence
    lost, _ = tallies.lost_at_close(evidence.requests, evidence.events, followed.since_ns, until_ns)
    window = Window(start_ns=followed.since_ns, end_ns=max(until_ns, followed.since_ns + 1))
    return judge.released(
        part.claims,
        followed.ran,
        view.pods(),
        view.tally(followed.since_ns, until_ns),
        replicas=followed.replicas,
        surge=followed.surge,
        least_calls=part.least_calls,
        races=races,
        lost_creates=lost,
        meanwhile=failed_while_leaving(evidence.ledger, evidence.events, window),
    )


def _never_ready(part: DeployPart, view: _View) -> list[Judgement]:
    followed = view.followed
    return judge.never_ready(
        followed.ran,
        before_undo=view.pods(followed.waited_ns),
        seen=view.pods(),
        met=view.tally(followed.since_ns, followed.looked_ns or followed.end_ns),
        replicas=followed.replicas,
        least_calls=part.least_calls,
    )


def _limit_broken(part: DeployPart, view: _View) -> Judgement:
    """Where a p95 fired, a twentieth may be slow once the version is gone, and none may fail."""
    gone_ns = view.followed.gone_ns or view.followed.end_ns
    until_ns = gone_ns + round(TAIL_S * NS)
    after = view.tally(gone_ns, until_ns, view.slow_ms)
    return judge.limit_broken(
        part.claims[0],
        view.undone,
        view.slow(),
        after,
        within_s=part.within_s,
        least_after=part.least_calls // 3,
        usual=after.calls // 20 if view.slow_ms is not None else 0,
        wrong=view.tally(gone_ns, until_ns).failed if view.slow_ms is not None else 0,
    )


def _breaking_schema(part: DeployPart, view: _View) -> Judgement:
    followed = view.followed
    mended_ns = followed.mended_ns or followed.end_ns
    past_undo = later = Tally(calls=0, failed=0)
    if followed.done_ns is not None and followed.back_ns is not None:
        past_undo = view.tally(followed.done_ns, followed.back_ns)
        later = view.tally((followed.done_ns + followed.back_ns) // 2, followed.back_ns)
    return judge.breaking_schema(
        part.claims[0],
        view.undone,
        met=view.tally(followed.since_ns, mended_ns),
        past_undo=past_undo,
        mended=view.tally(mended_ns, mended_ns + round(TAIL_S * NS)),
        least_calls=part.least_calls // 3,
        still=later.failed,
    )
