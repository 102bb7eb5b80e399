"""The costs: what the document prints, recomputed by unit prices, and the bill of a stored run. It needs no stack."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.model.expected import Expected, expected_of
from harness.model.judgement import Kind
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import Part, RunInfo
from harness.model.section import Section
from harness.rehearsals.cost import facts_measured
from harness.rehearsals.cost.facts import PHRASES, facts
from harness.rehearsals.cost.month.bill import GIB, MachineSize
from harness.rehearsals.cost.month.page import sections
from harness.rehearsals.cost.reading import read
from harness.rehearsals.cost.types import DOCUMENT, MEASURED, CostDetails, CostPlan, PodSizes
from harness.rules.fact import Fact
from harness.run.context import RunContext
from harness.run.rehearsal import Rehearsal, RunRecord

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


class CostRehearsal(Rehearsal[CostPlan, CostDetails]):
    """The rehearsal."""

    name = "cost"
    figures = ("cost", "prices")
    only_looks = True
    plan, details = CostPlan, CostDetails
    phrases = PHRASES

    def claims(self, plan: CostPlan) -> Iterable[tuple[str, str]]:
        """Of the tables, and of the run that is read."""
        _ = plan
        yield from ((DOCUMENT, claim) for claim in CLAIMS)
        yield from ((MEASURED, claim) for claim in OF_A_RUN)

    def expected(self, plan: CostPlan, facts: RunInfo) -> Iterable[Expected]:
        """Of each claim, of what the tables leave out, and what a team decides by, which is no verdict."""
        yield from super().expected(plan, facts)
        yield from expected_of(((each, each) for each in LEFT_OUT), part=DOCUMENT)
        yield Expected(DOCUMENT, "cost.savings", kind=Kind.OBSERVATION)
        yield from (
            Expected(MEASURED, each, kind=Kind.OBSERVATION) for each in ("cost.of_the_run", "cost.stored_bytes")
        )

    def parts(self, plan: CostPlan, seen: RunRecord[CostDetails]) -> Sequence[Part]:
        """What is printed, and what was measured."""
        _ = plan, seen
        return (
            Part(name=DOCUMENT, title=message("The document's tables, recomputed")),
            Part(name=MEASURED, title=message("By a run that was measured")),
        )

    async def run(self, plan: CostPlan, on: RunContext[CostDetails]) -> None:
        """Reads the manifests' pod, and the run."""
        on.phase(DOCUMENT, message("recomputing the document's tables"))
        on.details.pod = pod_of(on.manifests)
        if plan.of:
            on.phase(MEASURED, message("reading the run {name}", name=Path(plan.of).name))
            on.details.measured = read(Path(plan.of))

    def measured(self, plan: CostPlan, seen: RunRecord[CostDetails]) -> Iterable[Fact]:
        """Of the tables, and of the run that was read."""
        if (pod := seen.details.pod) is not None:
            yield from facts(plan, pod)
            yield from facts_measured.facts(plan, pod, seen.details.measured, seen.facts)

    def sections(self, plan: CostPlan, seen: RunRecord[CostDetails]) -> Iterable[Section]:
        """Tables and chart."""
        return () if seen.details.pod is None else sections(plan, seen, seen.details.pod)


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


def _size(milli: int, memory_bytes: int) -> MachineSize:
    return MachineSize(cores=milli / 1000, gib=memory_bytes / GIB)


REHEARSAL = CostRehearsal()
