"""The costs: what the document prints, recomputed by unit prices, and the bill of a stored run. It needs no stack."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.base.units import Unit
from harness.judge.difference import Exact
from harness.model.expected import Expected, expected_of
from harness.model.judgement import Judgement, observation
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import Facts, Part
from harness.model.section import Section
from harness.rehearsal.rehearsal import Figure, Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.cost import facts_measured
from harness.rehearsals.cost.facts import PHRASES, by_those, facts, savings_told
from harness.rehearsals.cost.month.bill import GIB, Size
from harness.rehearsals.cost.month.page import sections
from harness.rehearsals.cost.reading import read
from harness.rehearsals.cost.types import DOCUMENT, MEASURED, CostDetails, CostPlan, PodSizes
from harness.rules.fact import Fact

#: What the tables promise, whatever was measured.
CLAIMS = (
    "cost.autopilot", "cost.cloud_sql", "cost.storage", "cost.logging", "cost.monitoring", "cost.load_balancer",
    "cost.total", "cost.assumption.billing", "cost.replicas.2", "cost.replicas.4", "cost.replicas.8",
    "cost.replicas.10", "cost.saving.commitment", "cost.saving.budget_alert", "cost.saving.log_retention",
    "stack.monthly_cost", "strategy.versus.cost", "strategy.merit.cost", "checklist.cost.budget",
    "checklist.cost.alerts",
)  # fmt: skip
#: What only a run can tell.
OF_A_RUN = ("cost.autopilot", "cost.logging", "cost.assumption.database_size")
#: What the tables leave out, and no claim is about.
LEFT_OUT = ("cost.sidecar_left_out", "cost.cluster_fee")


class Cost(Rehearsal[CostPlan, CostDetails]):
    """The rehearsal."""

    name = "cost"
    only_looks = True
    plan, details = CostPlan, CostDetails
    phrases = PHRASES

    def claims(self, plan: CostPlan) -> Iterable[tuple[str, str]]:
        """Of the tables, and of the run that is read."""
        _ = plan
        yield from ((DOCUMENT, claim) for claim in CLAIMS)
        yield from ((MEASURED, claim) for claim in OF_A_RUN)

    def expected(self, plan: CostPlan, facts: Facts) -> Iterable[Expected]:
        """Of each claim, and of what the tables leave out."""
        return (*super().expected(plan, facts), *expected_of(((each, each) for each in LEFT_OUT), part=DOCUMENT))

    def parts(self, plan: CostPlan, seen: Seen[CostDetails]) -> Sequence[Part]:
        """What is printed, and what was measured."""
        _ = plan, seen
        return (
            Part(name=DOCUMENT, title=message("The document's tables, recomputed")),
            Part(name=MEASURED, title=message("By a run that was measured")),
        )

    async def run(self, plan: CostPlan, on: Running[CostDetails]) -> None:
        """Reads the manifests' pod, and the run."""
        on.phase(DOCUMENT, message("recomputing the document's tables"))
        on.details.pod = pod_of(on.manifests)
        if plan.of:
            on.phase(MEASURED, message("reading the run {name}", name=Path(plan.of).name))
            on.details.measured = read(Path(plan.of))

    def measured(self, plan: CostPlan, seen: Seen[CostDetails]) -> Iterable[Fact]:
        """Of the tables, and of the run that was read."""
        if (pod := seen.details.pod) is not None:
            yield from facts(plan, pod)
            yield from facts_measured.facts(plan, pod, seen.details.measured, seen.facts)

    def judge(self, plan: CostPlan, seen: Seen[CostDetails]) -> Iterable[Judgement]:
        """By the rules; then what a team decides by, which is no verdict."""
        yield from super().judge(plan, seen)
        pod, run = seen.details.pod, seen.details.measured
        if pod is None:
            return
        yield observation("cost.savings", savings_told(plan, pod), part=DOCUMENT)
        if run is None or facts_measured.refused(plan, run, seen.facts) is not None:
            return
        if told := facts_measured.bill_told(plan, pod, run):
            yield observation("cost.of_the_run", (*told, *by_those(plan)), part=MEASURED)
        if told := facts_measured.stored_told(plan, pod, run):
            yield observation("cost.stored_bytes", told, part=MEASURED)

    def sections(self, plan: CostPlan, seen: Seen[CostDetails]) -> Iterable[Section]:
        """Tables and chart."""
        return () if seen.details.pod is None else sections(plan, seen, seen.details.pod)

    def figures(self, plan: CostPlan, seen: Seen[CostDetails]) -> Iterable[Figure]:
        """The month's bill, corrected and by the run."""
        pod, run = seen.details.pod, seen.details.measured
        corrected = None if pod is None else plan.corrected(pod).total
        measured = None if pod is None or run is None else plan.by_run(pod, run).total
        yield Figure("bill.corrected", Unit.DOLLARS, "worse", Exact(corrected), gates=True)
        yield Figure("bill.measured", Unit.DOLLARS, "worse", Exact(measured), gates=True)


def pod_of(manifests: Manifests) -> PodSizes:
    """What a pod of the manifests asks for, and what its first container may use. Pure."""
    containers = manifests.deployment.template.containers
    api = containers[0]
    return PodSizes(
        requested=_size(
            sum(each.request_cpu_m or 0 for each in containers),
            sum(each.request_memory_bytes or 0 for each in containers),
        ),
        api_limits=_size(
            api.limit_cpu_m or api.request_cpu_m or 0, api.limit_memory_bytes or api.request_memory_bytes or 0
        ),
    )


def _size(milli: int, memory_bytes: int) -> Size:
    return Size(cores=milli / 1000, gib=memory_bytes / GIB)


REHEARSAL = Cost()
