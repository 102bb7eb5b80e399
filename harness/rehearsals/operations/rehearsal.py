"""The operator's tasks of the document (運用タスク): what is there is read and told, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from harness.base.clock import utc
from harness.base.errors import StackNotStarted
from harness.model.expected import Expected
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.result import Facts
from harness.model.section import Section
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.operations.judge import TOPICS, expected, judged
from harness.rehearsals.operations.review import reviewed
from harness.rehearsals.operations.seen import cluster, standing
from harness.rehearsals.operations.seen.facts import Observed
from harness.rehearsals.operations.seen.page import sections
from harness.rehearsals.operations.types import OperationsDetails, OperationsPlan, Task
from harness.stack.kube import access
from harness.stack.protocol import StackNeeds
from harness.stack.standing import StackFacts, facts_of
from harness.stack.state.lease import Lease, read_lease, run_folder

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

    def title(self, plan: OperationsPlan) -> Message:
        """The task."""
        return _TITLES[plan.task]

    def expected(self, plan: OperationsPlan, facts: Facts) -> Iterable[Expected]:
        """The task, and whatever wants a look."""
        _ = facts
        return expected(plan)

    def arrange(self, plan: OperationsPlan, options: Options, manifests: Manifests) -> StackNeeds | None:
        """A stack as the manifests have it, where one is to be brought up."""
        _ = options
        return StackNeeds(manifests=manifests) if plan.own_stack else None

    async def run(self, plan: OperationsPlan, on: Running[OperationsDetails]) -> None:
        """Looks, and reads the stored results of the task's topics."""
        on.phase("look", message("looking at what is there"))
        now_utc = utc(on.clock.anchor, on.clock.now_ns())
        on.details.observed = await _observed(plan, on, datetime.fromisoformat(now_utc))
        if topics := TOPICS[plan.task]:
            on.phase("review", message("reading the stored results"))
            on.details.reviewed += reviewed(on.options.reports, topics, on.options.target, now_utc)

    def judge(self, plan: OperationsPlan, seen: Seen[OperationsDetails]) -> Iterable[Judgement]:
        """From the details alone."""
        return judged(plan, seen.details)

    def sections(self, plan: OperationsPlan, seen: Seen[OperationsDetails]) -> Iterable[Section]:
        """The page."""
        _ = plan
        return sections(seen.details)


async def _observed(plan: OperationsPlan, on: Running[OperationsDetails], now: datetime) -> Observed:
    if plan.own_stack:
        await on.up()
        return await standing.observe(*_brought_up(on, now), on.clock, now)
    if not plan.context:
        return await standing.observe(*standing.the_one(), on.clock, now)
    of = access.look(plan.context, plan.kubeconfig)
    return await cluster.observe(of, plan.namespace, plan.selector, on.folder, now)


def _brought_up(on: Running[OperationsDetails], now: datetime) -> tuple[StackFacts, Lease]:
    """The run's own stack, as that of ``stack up`` is found."""
    facts = facts_of(
        on.run_id, on.options.rung, on.options.target.name, on.manifests,
        endpoints=on.stack.endpoints(), up_utc=now.isoformat(), logs=str(on.folder / "logs"),
    )  # fmt: skip
    if (lease := read_lease(run_folder(on.run_id))) is None:
        raise StackNotStarted("the run's own stack has left no record of its processes", where=on.run_id)
    return facts, lease


REHEARSAL = Operations()
