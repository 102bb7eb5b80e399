"""The costs: what the document prints, recomputed by unit prices, and the bill of a stored run. It needs no stack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.base.units import Unit
from harness.model.judgement import Expected, Kind, expected_of
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.result import Part, RunInfo
from harness.model.section import Axis, Chart, Limit, Pairs, Point, Row, Section, Series, Style, Table, table_of
from harness.rehearsals.cost.facts import PHRASES, facts, measured_facts
from harness.rehearsals.cost.month.bill import GIB, NAMES, Bill, MachineSize, money
from harness.rehearsals.cost.month.savings import Saving, ranked
from harness.rehearsals.cost.month.tables import ReplicasRow
from harness.rehearsals.cost.reading import read
from harness.rehearsals.cost.types import DOCUMENT, MEASURED, CostDetails, CostPlan, MeasuredUsage, PodSizes
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.rehearsal import Rehearsal, RunRecord

# The bill as tables and a chart. Pure.

_NONE = "–"


def sections(plan: CostPlan, seen: RunRecord[CostDetails], pod: PodSizes) -> Iterator[Section]:
    """What the prices are, the bill by parts, by replicas, and the savings."""
    run = seen.details.measured
    yield _basis(plan, run)
    yield bills(plan, pod, run)
    yield _replicas(plan, pod)
    yield _chart(plan, pod)
    yield table_of(
        message("Savings, the largest first"),
        ranked(plan, pod),
        (message("Saving"), _name_of),
        (message("A month"), lambda each: money(each.usd)),
        numbers=(1,),
    )


def _name_of(each: Saving) -> Message:
    return each.name


def _basis(plan: CostPlan, run: MeasuredUsage | None) -> Pairs:
    prices = plan.prices
    of = message("none") if run is None else message("{run} ({plan})", run=run.run_id, plan=run.plan)
    said = message("{region}, as of {day}; {source}", region=prices.region, day=prices.as_of, source=prices.source)
    pairs = [(message("Unit prices"), said), (message("Measured by the run"), of)]
    if (untried := plan.tables.untried(prices)) is not None:
        pairs.insert(1, (message("Not the document's region"), untried))
    return Pairs(pairs=tuple(pairs))


def bills(plan: CostPlan, pod: PodSizes, run: MeasuredUsage | None) -> Table:
    """The month by parts: printed, the document's quantities at the unit prices, corrected, and measured."""
    printed = plan.tables.printed
    columns: list[tuple[Message, Bill]] = [
        (
            message("Printed"),
            Bill(
                pods=printed.autopilot_usd, cluster=0.0, database=printed.cloud_sql_usd, storage=printed.storage_usd,
                logging=printed.logging_usd, monitoring=printed.monitoring_usd,
                load_balancer=printed.load_balancer_usd,
            ),
        ),
        (message("Recomputed as written"), plan.as_written()),
        (message("With what is left out"), plan.corrected(pod)),
    ]  # fmt: skip
    if run is not None:
        columns.append((message("By the run"), plan.by_run(pod, run)))
    rows = [Row(cells=(name, *(money(each.parts[key]) for _, each in columns))) for key, name in NAMES.items()]
    rows.append(Row(cells=(message("Total"), *(money(each.total) for _, each in columns))))
    note = message(
        "left out are the sidecar, the cluster's fee, the database's storage and the API's own metrics; the run gives "
        "its mean of pods, and of each walk that the document's users record in a month the logs of its requests, its "
        "bytes in the database and its photos, which are the app's thumbnails"
    )
    return Table(
        title=message("A month's bill"),
        heads=(message("Part"), *(head for head, _ in columns)),
        rows=tuple(rows),
        numbers=tuple(range(1, len(columns) + 1)),
        note=(note,),
    )


def _replicas(plan: CostPlan, pod: PodSizes) -> Table:
    return table_of(
        message("By replicas"),
        plan.tables.replicas,
        (message("Replicas"), lambda row: str(row.replicas)),
        (message("Printed: pods"), lambda row: money(row.autopilot_usd)),
        (message("Recomputed: pods"), lambda row: money(plan.corrected(pod, row.replicas).pods)),
        (message("Printed: total"), lambda row: money(row.total_usd)),
        (message("Recomputed: total"), lambda row: money(plan.corrected(pod, row.replicas).total)),
        numbers=(0, 1, 2, 3, 4),
    )


def _chart(plan: CostPlan, pod: PodSizes) -> Chart:
    rows: Sequence[ReplicasRow] = sorted(plan.tables.replicas, key=lambda row: row.replicas)
    alert = plan.tables.savings.budget_alert_usd
    printed = tuple(Point(float(row.replicas), row.total_usd) for row in rows)
    computed = tuple(Point(float(row.replicas), round(plan.corrected(pod, row.replicas).total, 2)) for row in rows)
    text = message(
        "printed {first} to {last}, recomputed {low} to {high}; the alert is at {alert}",
        first=money(rows[0].total_usd),
        last=money(rows[-1].total_usd),
        low=money(computed[0].y or 0.0),
        high=money(computed[-1].y or 0.0),
        alert=money(alert),
    )
    return Chart(
        title=message("A month's bill by replicas"),
        x=Axis(label=message("replicas"), whole=True),
        y=Axis(label=message("dollars a month"), unit=Unit.DOLLARS),
        series=(
            Series(name=message("printed"), points=printed, style=Style.LINE),
            Series(name=message("recomputed"), points=computed, style=Style.LINE),
        ),
        text=(text,),
        limits=(Limit(label=message("budget alert"), at=alert),),
    )


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
            yield from measured_facts(plan, pod, seen.details.measured, seen.facts)

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
