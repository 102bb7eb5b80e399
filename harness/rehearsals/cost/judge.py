"""The document's printed costs, judged by arithmetic: its own sums to the cent, its estimates by the unit prices. Pure.

A printed figure passes when the unit prices give it; it is an erratum shown when they give what the register says
instead; else it fails. By those of another region than the document's nothing is known that rests on what a region
charges; what holds whatever a region charges says by whose prices its amounts are.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge.claimed import held, shown_as
from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.rehearsals.cost.judge_region import anywhere, priced
from harness.rehearsals.cost.judge_savings import savings
from harness.rehearsals.cost.month import bill
from harness.rehearsals.cost.month.bill import GB, GIB, dollars, money, near, same
from harness.rehearsals.cost.month.tables import ReplicasRow
from harness.rehearsals.cost.types import DOCUMENT, CostPlan, PodSizes

#: What the tables promise, whatever was measured.
CLAIMS = (
    "cost.autopilot", "cost.cloud_sql", "cost.storage", "cost.logging", "cost.monitoring", "cost.load_balancer",
    "cost.total", "cost.assumption.billing", "cost.replicas.2", "cost.replicas.4", "cost.replicas.8",
    "cost.replicas.10", "cost.saving.commitment", "cost.saving.budget_alert", "cost.saving.log_retention",
    "stack.monthly_cost", "strategy.versus.cost", "strategy.merit.cost", "checklist.cost.budget",
    "checklist.cost.alerts",
)  # fmt: skip


def judged(plan: CostPlan, pod: PodSizes) -> Iterator[Judgement]:
    """Every printed figure."""
    yield from _pods(plan, pod)
    yield _database(plan)
    yield _storage(plan)
    yield _logging(plan)
    yield _monitoring(plan)
    yield _estimate(
        plan, "cost.load_balancer", plan.tables.hours * plan.prices.load_balancer_hour_usd,
        plan.tables.printed.load_balancer_usd,
    )  # fmt: skip
    yield from _total(plan, pod)
    yield from (_replicas(plan, pod, row) for row in plan.tables.replicas)
    yield _comparison(plan)
    yield from _split(plan, pod)
    yield from savings(plan, pod)


def _due(computed: float, printed: float) -> Message:
    return message(
        "the unit prices give {computed}, the document prints {printed}",
        computed=money(computed),
        printed=money(printed),
    )


def _estimate(plan: CostPlan, claim: str, computed: float, printed: float, *errata: tuple[str, float]) -> Judgement:
    """``printed`` against what is computed; each of ``errata`` is shown where the printed figure is near its amount."""
    told, tolerance, amount = _due(computed, printed), plan.tables.tolerance, dollars(printed, computed)
    kept = near(computed, printed, tolerance)
    for erratum, instead in () if kept else errata:
        if near(instead, printed, tolerance):
            why = message("{amount} is what the erratum says is printed instead", amount=money(instead))
            return priced(plan, shown_as(DOCUMENT, erratum, told, why, claim=claim, **amount))
    return priced(plan, held(DOCUMENT, claim, kept, told, **amount))


def _pods(plan: CostPlan, pod: PodSizes) -> Iterator[Judgement]:
    tables, prices, hours = plan.tables, plan.prices, plan.tables.hours
    count, priced = tables.quantities.pods, bill.priced_pod(tables)
    by_requests = count * bill.pod(priced, prices, hours)
    by_limits = count * bill.pod(pod.api_limits, prices, hours)
    printed = tables.printed.autopilot_usd
    yield _estimate(plan, "cost.autopilot", by_requests, printed, ("cost.priced_by_limits", by_limits))
    told = message(
        "by requests {requests}, by limits {limits}: Autopilot bills requests",
        requests=money(by_requests),
        limits=money(by_limits),
    )
    amount = dollars(by_limits, by_requests)
    if same(by_requests, by_limits):
        billed = held(DOCUMENT, "cost.assumption.billing", True, told, **amount)
    else:
        billed = shown_as(DOCUMENT, "cost.billed_by_requests", told, claim="cost.assumption.billing", **amount)
    yield anywhere(plan, billed)
    whole = count * bill.pod(pod.requested, prices, hours)
    if not same(whole, by_requests):
        told = message(
            "with its sidecar a pod asks for {cores} cores and {memory} GiB, and {pods} of them cost {whole}; the "
            "container that is priced alone {without}",
            cores=f"{pod.requested.cores:g}",
            memory=f"{pod.requested.gib:g}",
            pods=f"{count:g}",
            whole=money(whole),
            without=money(by_requests),
        )
        yield anywhere(plan, shown_as(DOCUMENT, "cost.sidecar_left_out", told, **dollars(whole, by_requests)))
    clusters = tables.supposed.clusters
    if (fees := bill.cluster(clusters, prices, hours)) > 0:
        told = message(
            "one cluster costs {one} of fees after the free credit, {clusters} cost {fees}; the table has none",
            one=money(bill.cluster(1, prices, hours)),
            clusters=str(clusters),
            fees=money(fees),
        )
        yield shown_as(DOCUMENT, "cost.cluster_fee", told, **dollars(fees))


def _database(plan: CostPlan) -> Judgement:
    usage, prices, hours = bill.as_printed(plan.tables, plan.prices), plan.prices, plan.tables.hours
    with_ha, without = (bill.database(usage.database, 0.0, prices, hours, ha=ha) for ha in (True, False))
    printed = plan.tables.printed.cloud_sql_usd
    return _estimate(plan, "cost.cloud_sql", with_ha, printed, ("cost.cloud_sql_without_ha", without))


def _storage(plan: CostPlan) -> Judgement:
    tables, supposed, claim = plan.tables, plan.tables.supposed, "cost.storage"
    kept, printed = bill.storage(tables.quantities.storage_gb, 0.0, plan.prices), tables.printed.storage_usd
    walks = tables.quantities.storage_gb * GB / (supposed.photos_a_walk * supposed.photo_bytes)
    told = (
        message(
            "{gb} GB cost {kept}; the printed {printed} leave {downloads} GB for downloads",
            gb=f"{tables.quantities.storage_gb:g}",
            kept=money(kept),
            printed=money(printed),
            downloads=f"{bill.downloads_gb(tables, plan.prices):.0f}",
        ),
        message(
            "they are full after {walks} walks of {photos} photos, {each} for each of {users} users",
            walks=f"{walks:,.0f}",
            photos=str(supposed.photos_a_walk),
            each=f"{walks / supposed.users:g}",
            users=str(supposed.users),
        ),
    )
    if kept <= printed and walks < supposed.walks:  # whatever a GB costs
        full = shown_as(DOCUMENT, "cost.storage_by_photos", *told, claim=claim, **dollars(printed, kept))
        return anywhere(plan, full)
    return priced(plan, held(DOCUMENT, claim, kept <= printed, *told, **dollars(printed, kept)))


def _logging(plan: CostPlan) -> Judgement:
    """The erratum is that the printed price is neither that with the free part nor that without it."""
    gib, printed = plan.tables.quantities.log_gb * GB / GIB, plan.tables.printed.logging_usd
    due, unfree = bill.logging(gib, plan.prices), gib * plan.prices.logging.gib_usd
    told = (_due(due, printed), message("without the free part it would be {amount}", amount=money(unfree)))
    claim, tolerance, amount = "cost.logging", plan.tables.tolerance, dollars(printed, due)
    if near(due, printed, tolerance) or near(unfree, printed, tolerance) or printed > unfree:
        return held(DOCUMENT, claim, near(due, printed, tolerance), *told, **amount)
    return shown_as(DOCUMENT, "cost.logging_price", *told, claim=claim, **amount)


def _monitoring(plan: CostPlan) -> Judgement:
    tables, printed, claim = plan.tables, plan.tables.printed.monitoring_usd, "cost.monitoring"
    samples_m = bill.samples_m(tables, tables.quantities.pods)
    due = samples_m * plan.prices.million_samples_usd
    told = message(
        "the API's own metrics make {samples} million samples a month, which cost {due}; the document prints {printed}",
        samples=f"{samples_m:.1f}",
        due=money(due),
        printed=money(printed),
    )
    amount = dollars(printed, due)
    if near(due, printed, tables.tolerance):
        return held(DOCUMENT, claim, True, told, **amount)
    if printed < due:
        return shown_as(DOCUMENT, "cost.monitoring_custom", told, claim=claim, **amount)
    return held(DOCUMENT, claim, False, told, **amount)


def _total(plan: CostPlan, pod: PodSizes) -> Iterator[Judgement]:
    """Its parts add up to it, or it fails, whatever they are; by the prices of its region then the corrected parts."""
    printed = plan.tables.printed
    added, total = sum(printed.parts_usd), printed.total_usd
    told = (
        message("the printed parts add up to {added}, printed is {total}", added=money(added), total=money(total)),
        message("{yen} yen are {rate} yen a dollar", yen=f"{printed.total_yen:,}",
                rate=f"{printed.total_yen / total:.1f}"),
    )  # fmt: skip
    for claim in ("cost.total", "checklist.cost.budget"):
        if not same(added, total) or plan.tables.untried(plan.prices) is not None:
            yield held(DOCUMENT, claim, same(added, total), *told, **dollars(total, added))
        else:
            yield _by_parts(plan, claim, total, plan.corrected(pod).total, *told)


def _by_parts(plan: CostPlan, claim: str, printed: float, due: float, *told: Message) -> Judgement:
    """A total whose parts do add up to it: by the corrected ones it would be ``due``."""
    why, amount = (*told, message("the corrected parts add up to {due}", due=money(due))), dollars(printed, due)
    if near(due, printed, plan.tables.tolerance):
        return priced(plan, held(DOCUMENT, claim, True, *why, **amount))
    return priced(plan, shown_as(DOCUMENT, "cost.total_from_wrong_parts", *why, claim=claim, **amount))


def _replicas(plan: CostPlan, pod: PodSizes, row: ReplicasRow) -> Judgement:
    """The row's own sum with the other parts of the estimate, about; then the corrected parts of so many pods."""
    printed = plan.tables.printed
    rest = printed.storage_usd + printed.monitoring_usd + printed.load_balancer_usd + printed.logging_usd
    whole = row.autopilot_usd + row.cloud_sql_usd + rest
    told = message(
        "{pods} for the pods, {database} for the database and {rest} of the estimate's other parts are {whole}, "
        "printed is {total}",
        pods=money(row.autopilot_usd),
        database=money(row.cloud_sql_usd),
        rest=money(rest),
        whole=money(whole),
        total=money(row.total_usd),
    )
    if not near(whole, row.total_usd, plan.tables.tolerance):
        return held(DOCUMENT, row.claim, False, told, **dollars(row.total_usd, whole))
    return _by_parts(plan, row.claim, row.total_usd, plan.corrected(pod, row.replicas).total, told)


def _comparison(plan: CostPlan) -> Judgement:
    tables, claim = plan.tables, "stack.monthly_cost"
    chosen, total = tables.comparison_usd, tables.printed.total_usd
    told = message(
        "the comparison says {chosen}, the estimate {total}: the same cluster", chosen=money(chosen), total=money(total)
    )
    if near(total, chosen, tables.tolerance):
        return held(DOCUMENT, claim, True, told, **dollars(chosen, total))
    if chosen < total:
        return shown_as(DOCUMENT, "cost.autopilot_150_or_225", told, claim=claim, **dollars(chosen, total))
    return held(DOCUMENT, claim, False, told, **dollars(chosen, total))


def _split(plan: CostPlan, pod: PodSizes) -> Iterator[Judgement]:
    """One application at its least pods against as many services, each of which needs its two to be redundant."""
    tables, services = plan.tables, plan.tables.supposed.services
    least = min(row.replicas for row in tables.replicas)
    one, split = plan.corrected(pod, least), plan.corrected(pod, least * services)
    told = message(
        "one application of {least} pods costs {one}, {services} services of {least} pods each {split}, at one "
        "database and one load balancer",
        least=str(least),
        one=money(one.total),
        services=str(services),
        split=money(split.total),
    )
    amount = dollars(one.total, split.total)
    yield anywhere(plan, held(DOCUMENT, "strategy.versus.cost", one.total < split.total, told, **amount))
    standing = message(
        "{fixed} of it are there whatever the pods, and the least pods are {pods}",
        fixed=money(one.fixed),
        pods=money(one.pods),
    )
    yield anywhere(plan, held(DOCUMENT, "strategy.merit.cost", one.pods < split.pods, standing, told, **amount))
