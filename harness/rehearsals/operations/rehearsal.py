"""The operator's tasks of the document (運用タスク): what is there is read and told, and nothing is changed.

Where the document's claims stand by the stored results, for the weekly and the monthly review.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from harness.base.clock import utc
from harness.base.errors import StackNotStarted
from harness.model.judgement import Expected, Verdict
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.result import RunInfo
from harness.model.section import Pairs, Row, Section, Table, table_of
from harness.model.stack import EnvironmentKind, Target
from harness.rehearsals.operations.facts import PHRASES, TOPICS, expected, facts
from harness.rehearsals.operations.seen import cluster, standing
from harness.rehearsals.operations.seen.facts import AutoscalerNow, ObservedStack, PodNow, Reviewed
from harness.rehearsals.operations.types import OperationsDetails, OperationsPlan, Task
from harness.report.signoff.states import runs, standings
from harness.report.signoff.types import WORD, ClaimStanding, ClaimState, EvidenceWanted, FoundRun
from harness.rules.register import bundled
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.dependencies import gathered
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.environments.choice import for_rung
from harness.stack.environments.identity import digest
from harness.stack.environments.standing import StackFacts, facts_of
from harness.stack.kube import access
from harness.stack.protocol import StackNeeds
from harness.stack.state.lease import Lease, read_lease, run_folder

# The operator's page: pods, autoscalers, logs, and where the reviewed claims stand. Pure.

_NONE = "–"


def sections(details: OperationsDetails) -> Iterator[Section]:
    """Everything that was seen."""
    observed = details.observed
    if observed is None:
        return
    yield Pairs(pairs=((message("Seen of"), observed.where),))
    yield table_of(
        message("Pods"),
        observed.pods,
        (message("Pod"), lambda pod: pod.name),
        (message("State"), lambda pod: pod.phase if pod.ready else f"{pod.phase} ✗"),
        (message("Restarts"), lambda pod: str(pod.restarts)),
        (message("Processors"), _processors),
        (message("Memory"), _memory),
        (message("Node"), lambda pod: pod.node or _NONE),
        numbers=(2, 3, 4),
    )
    if observed.autoscalers:
        yield table_of(
            message("Autoscalers"),
            observed.autoscalers,
            (message("Autoscaler"), lambda each: each.name),
            (message("Replicas"), lambda each: f"{each.replicas} → {each.wanted} ({each.least}–{each.most})"),
            (message("Metrics, of the target"), _uses),
        )
    yield Table(
        title=message("Lines of logs in a day"),
        heads=(message("Severity"), message("Lines")),
        rows=tuple(
            Row(cells=(severity or message("no structured log"), f"{count:,}"))
            for severity, count in sorted(observed.logs.lines.items())
        ),
        numbers=(1,),
    )
    if details.reviewed:
        yield table_of(
            message("Reviewed"),
            details.reviewed,
            (message("Claim"), lambda each: each.claim),
            (message("Where it stands"), lambda each: Message(text=WORD[ClaimState(each.state)])),
            (message("Age in days"), lambda each: _NONE if each.age_s is None else f"{each.age_s / 86_400:.1f}"),
            (message("By the run"), lambda each: each.folder or _NONE),
            row=lambda each: Row(
                cells=(), lines=each.why if each.state in (ClaimState.FAILED, ClaimState.NOT_SHOWN) else ()
            ),
            numbers=(2,),
        )


def _processors(pod: PodNow) -> str:
    asked = _NONE if pod.asked_cores is None else f"{pod.asked_cores:g}"
    return f"{_NONE if pod.cores is None else f'{pod.cores:.3f}'} / {asked}"


def _memory(pod: PodNow) -> str:
    used, asked = (
        _NONE if each is None else f"{each / 2**20:.0f}" for each in (pod.memory_bytes, pod.asked_memory_bytes)
    )
    return f"{used} / {asked} MiB"


def _uses(each: AutoscalerNow) -> str:
    return ", ".join(
        f"{name} {_NONE if now is None else _amount(now)} / {_amount(most)}" for name, now, most in each.uses
    )


def _amount(amount: int | str) -> str:
    return f"{amount} %" if isinstance(amount, int) else amount


_JUDGED = (Verdict.PASS, Verdict.FAIL, Verdict.ERRATUM_SHOWN)


def reviewed(reports: Path, topics: Sequence[str], target: Target, now_utc: str) -> Iterator[Reviewed]:
    """The claims whose id begins with one of ``topics``, as the sign-off page has them now."""
    stored, _ = gathered(reports)
    digests = dict.fromkeys(digest(for_rung(target, rung)) for rung in (EnvironmentKind.LOCAL, EnvironmentKind.KIND))
    asked = EvidenceWanted(target=target.name, now_utc=now_utc, digests=tuple(filter(None, digests)))
    claims = bundled().claims
    known = {run.folder: run for run in runs(stored, asked, claims)}
    for each in standings(claims, stored, asked):
        if each.claim.partition(".")[0] in topics:
            yield row(each, known)


def row(standing: ClaimStanding, known: dict[str, FoundRun]) -> Reviewed:
    """Where it stands, as a review has it."""
    first = standing.evidence[0] if standing.evidence else None
    return Reviewed(
        claim=standing.claim,
        state=str(standing.state),
        why=standing.told,
        folder="" if first is None else first.folder,
        age_s=None if first is None else known[first.folder].age_s,
        judged=any(each.judgement.verdict in _JUDGED for each in standing.evidence),
    )


_TITLES = {
    Task.DAILY: message("The daily look: pods, logs, metrics"),
    Task.WEEKLY: message("The weekly review: costs, performance, replicas"),
    Task.MONTHLY: message("The monthly review: objectives and capacity"),
}


class Operations(Rehearsal[OperationsPlan, OperationsDetails]):
    """The rehearsal."""

    name = "operations"
    only_looks = True
    plan, details = OperationsPlan, OperationsDetails
    phrases = PHRASES

    def title(self, plan: OperationsPlan) -> Message:
        """The task."""
        return _TITLES[plan.task]

    def expected(self, plan: OperationsPlan, facts: RunInfo) -> Iterable[Expected]:
        """The task, and whatever wants a look."""
        _ = facts
        return expected(plan)

    def stack_spec(self, plan: OperationsPlan, options: Options, manifests: Manifests) -> StackNeeds | None:
        """A stack as the manifests have it, where one is to be brought up."""
        _ = options
        return StackNeeds(manifests=manifests) if plan.own_stack else None

    async def run(self, plan: OperationsPlan, on: RunContext[OperationsDetails]) -> None:
        """Looks, and reads the stored results of the task's topics."""
        on.phase("look", message("looking at what is there"))
        now_utc = utc(on.clock.anchor, on.clock.now_ns())
        on.details.observed = await _observed(plan, on, datetime.fromisoformat(now_utc))
        if topics := TOPICS[plan.task]:
            on.phase("review", message("reading the stored results"))
            on.details.reviewed += reviewed(on.options.reports, topics, on.options.target, now_utc)

    def measured(self, plan: OperationsPlan, seen: RunRecord[OperationsDetails]) -> Iterable[Fact]:
        """From the details alone."""
        return facts(plan, seen.details)

    def sections(self, plan: OperationsPlan, seen: RunRecord[OperationsDetails]) -> Iterable[Section]:
        """The page."""
        _ = plan
        return sections(seen.details)


async def _observed(plan: OperationsPlan, on: RunContext[OperationsDetails], now: datetime) -> ObservedStack:
    if plan.own_stack:
        await on.up()
        return await standing.observe(*_brought_up(on, now), on.clock, now)
    if not plan.context:
        return await standing.observe(*standing.the_one(), on.clock, now)
    of = access.look(plan.context, plan.kubeconfig)
    return await cluster.observe(of, plan.namespace, plan.selector, on.folder, now)


def _brought_up(on: RunContext[OperationsDetails], now: datetime) -> tuple[StackFacts, Lease]:
    """The run's own stack, as that of ``stack up`` is found."""
    facts = facts_of(
        on.run_id, on.options.rung, on.options.target.name, on.manifests,
        endpoints=on.stack.endpoints(), up_utc=now.isoformat(), logs=str(on.folder / "logs"),
    )  # fmt: skip
    if (lease := read_lease(run_folder(on.run_id))) is None:
        raise StackNotStarted("the run's own stack has left no record of its processes", where=on.run_id)
    return facts, lease


REHEARSAL = Operations()
