"""The facts of the document's printed costs: its own sums, and what the unit prices give instead. Pure.

A figure that rests on what a region charges is lacking by the prices of another region than the document's: they
neither keep nor break it. What holds whatever a region charges says by whose prices its amounts are. Amounts are to the
cent.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.base.message import gettext_noop
from harness.base.units import DAY_S
from harness.model.judgement import observation
from harness.model.message import message
from harness.rehearsals.cost import facts_measured
from harness.rehearsals.cost.facts_measured import by_those
from harness.rehearsals.cost.month import bill
from harness.rehearsals.cost.month.bill import GB, GIB, money, near, same
from harness.rehearsals.cost.month.savings import instance, ranked, saved
from harness.rehearsals.cost.month.tables import ReplicasRow
from harness.rehearsals.cost.types import DOCUMENT, CostPlan, PodSizes
from harness.rules.rule import Fact, FactsOf

_AT_UNIT_PRICES = gettext_noop("{seen} by the unit prices")
_ROW = gettext_noop(
    "{pods} for the pods, {database} for the database and {rest} of the estimate's other parts are {sum}, printed is "
    "{seen}"
)
_ROW_DUE = gettext_noop("printed is {seen}; the corrected parts of so many pods add up to {due}")
_ADDED = gettext_noop("the parts add up to {seen}")
#: The rows of スケールアップ時（レプリカ数別）.
ROWS = ("replicas.2", "replicas.4", "replicas.8", "replicas.10")
_ROWS = {
    f"{row}.{name}": phrase
    for row in ROWS
    for name, phrase in (
        ("printed_usd", _ROW), ("sum_usd", _ADDED), ("total_usd", _ROW_DUE), ("corrected_usd", _ADDED),
    )
}  # fmt: skip
_ESTIMATES = {
    "autopilot.printed_usd": gettext_noop(
        "the unit prices give {due} by requests and {instead} by limits, the document prints {seen}"
    ),
    "autopilot.due_usd": _AT_UNIT_PRICES,
    "billing.limits_usd": gettext_noop("by requests {requests}, by limits {seen}: Autopilot bills requests"),
    "sidecar.whole_usd": gettext_noop(
        "with its sidecar a pod asks for {cores} cores and {memory} GiB, and {pods} of them cost {seen}; the container "
        "that is priced alone {without}"
    ),
    "cluster.fees_usd": gettext_noop(
        "one cluster costs {one} of fees after the free credit, {clusters} cost {seen}; the table has none"
    ),
    "cloud_sql.printed_usd": gettext_noop(
        "the unit prices give {due}, and {instead} without a standby, the document prints {seen}"
    ),
    "cloud_sql.due_usd": _AT_UNIT_PRICES,
    "cloud_sql.alone_usd": _AT_UNIT_PRICES,
    "storage.printed_usd": gettext_noop(
        "{gb} GB cost {kept}; the printed {seen} leave {downloads} GB for downloads; they are full after {walks} walks "
        "of {photos} photos, {each} for each of {users} users"
    ),
    "storage.kept_usd": _AT_UNIT_PRICES,
    "storage.walks": gettext_noop("{seen} walks fill it"),
    "logging.printed_usd": gettext_noop(
        "the unit prices give {due}, the document prints {seen}; without the free part it would be {unfree}"
    ),
    "logging.due_usd": _AT_UNIT_PRICES,
    "logging.least_unfree_usd": gettext_noop("without the free part about {seen} at least"),
    "monitoring.printed_usd": gettext_noop(
        "the API's own metrics make {samples} million samples a month, which cost {due}; the document prints {seen}"
    ),
    "monitoring.due_usd": _AT_UNIT_PRICES,
    "load_balancer.printed_usd": gettext_noop("the unit prices give {due}, the document prints {seen}"),
    "load_balancer.due_usd": _AT_UNIT_PRICES,
}
_TOTALS = {
    "total.printed_usd": gettext_noop(
        "the printed parts add up to {added}, printed is {seen}; {yen} yen are {rate} yen a dollar"
    ),
    "total.added_usd": _ADDED,
    "total.due_usd": _ADDED,
    **_ROWS,
    "comparison.printed_usd": gettext_noop("the comparison says {seen}, the estimate {total}: the same cluster"),
    "comparison.total_usd": _ADDED,
    "one.total_usd": gettext_noop(
        "one application of {least} pods costs {seen}, {services} services of {least} pods each {split}, at one "
        "database and one load balancer"
    ),
    "one.pods_usd": gettext_noop("{fixed} of it are there whatever the pods, and the least pods are {seen}"),
    "split.total_usd": _AT_UNIT_PRICES,
    "split.pods_usd": _AT_UNIT_PRICES,
}
_SAVINGS = {
    "commitment.printed_ratio": gettext_noop(
        "a year's commitment takes {pods} off the pods and {database} off the database, {both} of the two together; "
        "the document says {seen}"
    ),
    "commitment.due_ratio": gettext_noop("{seen} off the two together"),
    "alert.at_usd": gettext_noop("the alert is at {seen}; a doubled bill is {doubled}, the most pods all month {most}"),
    "alert.most_usd": gettext_noop("the most is {seen}"),
    "alert.phase": gettext_noop(
        "the alert is there from phase {seen} in the chapter on costs, from phase {checklist} in the checklist"
    ),
    "alert.checklist_phase": gettext_noop("phase {seen} in the checklist"),
    "retention.printed_ratio": gettext_noop(
        "{gib} GiB cost {now} kept for {days} days, and {saved} less kept for {then}: the price is for taking them in, "
        "and {included} days are included; the document says {seen}"
    ),
    "retention.due_ratio": gettext_noop("{seen} less"),
}
#: Each fact of the costs, in a sentence.
PHRASES = {**_ESTIMATES, **_TOTALS, **_SAVINGS, "savings": "", **facts_measured.MEASURED_PHRASES}


def facts(plan: CostPlan, pod: PodSizes) -> Iterator[Fact]:
    """Every printed figure, and what it is held to."""
    fact = FactsOf(PHRASES, DOCUMENT)
    yield from _pods(fact, plan, pod)
    yield from _database(fact, plan)
    yield from _storage(fact, plan)
    yield from _logging(fact, plan)
    yield from _monitoring(fact, plan)
    balanced, printed = plan.tables.hours * plan.prices.load_balancer_hour_usd, plan.tables.printed.load_balancer_usd
    yield _regional(plan, fact("load_balancer.printed_usd", printed, due=money(balanced)))
    yield fact("load_balancer.due_usd", round(balanced, 2))
    yield from _total(fact, plan, pod)
    for row in plan.tables.replicas:
        if row.claim.removeprefix("cost.") in ROWS:
            yield from _replicas(fact, plan, pod, row)
    total, chosen = plan.tables.printed.total_usd, plan.tables.comparison_usd
    yield fact("comparison.printed_usd", chosen, total=money(total))
    yield fact("comparison.total_usd", total)
    yield from _split(fact, plan, pod)
    yield from _commitment(fact, plan, pod)
    yield from _budget_alert(fact, plan)
    yield from _log_retention(fact, plan)
    saves = (message("{name}: {amount} a month", name=each.name, amount=money(each.usd)) for each in ranked(plan, pod))
    yield fact.of_sample("savings", observation("cost.savings", (*saves, *by_those(plan)), part=DOCUMENT))


def _regional(plan: CostPlan, found: Fact) -> Fact:
    """``found``, which rests on what a region charges."""
    lacks = facts_measured.untried(plan)
    return msgspec.structs.replace(found, lacks=(*lacks, *found.told)) if lacks else found


def _anywhere(plan: CostPlan, found: Fact) -> Fact:
    """``found``, which holds whatever a region charges."""
    told = by_those(plan)
    by_any = (message("what is shown holds by any"),) if told else ()
    return msgspec.structs.replace(found, told=(*found.told, *told, *by_any))


def _pods(fact: FactsOf, plan: CostPlan, pod: PodSizes) -> Iterator[Fact]:
    tables, prices, hours = plan.tables, plan.prices, plan.tables.hours
    count, clusters = tables.quantities.pods, tables.supposed.clusters
    by_requests = count * bill.pod(bill.priced_pod(tables), prices, hours)
    by_limits, whole = (count * bill.pod(each, prices, hours) for each in (pod.api_limits, pod.requested))
    printed, due = tables.printed.autopilot_usd, money(by_requests)
    yield _regional(plan, fact("autopilot.printed_usd", printed, due=due, instead=money(by_limits)))
    yield fact("autopilot.due_usd", round(by_requests, 2))
    yield _anywhere(plan, fact("billing.limits_usd", round(by_limits, 2), requests=due))
    alone = (message("a pod asks for what is priced, and has no sidecar"),) if same(whole, by_requests) else ()
    asked = fact(
        "sidecar.whole_usd", round(whole, 2), lacks=alone, cores=f"{pod.requested.cores:g}",
        memory=f"{pod.requested.gib:g}", pods=f"{count:g}", without=due,
    )  # fmt: skip
    yield _anywhere(plan, asked)
    one, fees = (bill.cluster(each, prices, hours) for each in (1, clusters))
    free = () if fees > 0 else (message("the free credit pays for the clusters"),)
    yield fact("cluster.fees_usd", round(fees, 2), lacks=free, one=money(one), clusters=str(clusters))


def _database(fact: FactsOf, plan: CostPlan) -> Iterator[Fact]:
    usage, prices, hours = bill.as_printed(plan.tables, plan.prices), plan.prices, plan.tables.hours
    due, alone = (bill.database(usage.database, 0.0, prices, hours, ha=ha) for ha in (True, False))
    printed = plan.tables.printed.cloud_sql_usd
    yield _regional(plan, fact("cloud_sql.printed_usd", printed, due=money(due), instead=money(alone)))
    yield fact("cloud_sql.due_usd", round(due, 2))
    yield fact("cloud_sql.alone_usd", round(alone, 2))


def _storage(fact: FactsOf, plan: CostPlan) -> Iterator[Fact]:
    """That walks fill it holds whatever a GB costs; that they do not, and it is paid for, does not."""
    tables, supposed = plan.tables, plan.tables.supposed
    kept, printed = bill.storage(tables.quantities.storage_gb, 0.0, plan.prices), tables.printed.storage_usd
    walks = tables.quantities.storage_gb * GB / (supposed.photos_a_walk * supposed.photo_bytes)
    found = fact(
        "storage.printed_usd", printed, gb=f"{tables.quantities.storage_gb:g}", kept=money(kept),
        downloads=f"{bill.downloads_gb(tables, plan.prices):.0f}", walks=f"{walks:,.0f}",
        photos=str(supposed.photos_a_walk), each=f"{walks / supposed.users:g}", users=str(supposed.users),
    )  # fmt: skip
    full = kept <= printed and walks < supposed.walks
    yield _anywhere(plan, found) if full else _regional(plan, found)
    yield fact("storage.kept_usd", round(kept, 2))
    yield fact("storage.walks", walks)


def _logging(fact: FactsOf, plan: CostPlan) -> Iterator[Fact]:
    gib, tables = plan.tables.quantities.log_gb * GB / GIB, plan.tables
    due, unfree = bill.logging(gib, plan.prices), gib * plan.prices.logging.gib_usd
    yield fact("logging.printed_usd", tables.printed.logging_usd, due=money(due), unfree=money(unfree))
    yield fact("logging.due_usd", round(due, 2))
    yield fact("logging.least_unfree_usd", round((1 - tables.tolerance) * unfree, 2))


def _monitoring(fact: FactsOf, plan: CostPlan) -> Iterator[Fact]:
    samples_m = bill.samples_m(plan.tables, plan.tables.quantities.pods)
    due, printed = samples_m * plan.prices.million_samples_usd, plan.tables.printed.monitoring_usd
    yield fact("monitoring.printed_usd", printed, samples=f"{samples_m:.1f}", due=money(due))
    yield fact("monitoring.due_usd", round(due, 2))


def _total(fact: FactsOf, plan: CostPlan, pod: PodSizes) -> Iterator[Fact]:
    """Its parts are due: the corrected ones by the prices of its region, else the printed ones."""
    printed = plan.tables.printed
    added, total, due = sum(printed.parts_usd), printed.total_usd, plan.corrected(pod).total
    tried = plan.tables.untried(plan.prices) is None
    yield fact(
        "total.printed_usd", total, added=money(added), yen=f"{printed.total_yen:,}",
        rate=f"{printed.total_yen / total:.1f}",
        besides=(message("the corrected parts add up to {due}", due=money(due)),) if tried else (),
    )  # fmt: skip
    yield fact("total.added_usd", round(added, 2))
    yield fact("total.due_usd", round(due if tried else added, 2))


def _replicas(fact: FactsOf, plan: CostPlan, pod: PodSizes, row: ReplicasRow) -> Iterator[Fact]:
    """The row's own sum with the other parts of the estimate; and the corrected parts of so many pods."""
    printed, name = plan.tables.printed, row.claim.removeprefix("cost.")
    rest = printed.storage_usd + printed.monitoring_usd + printed.load_balancer_usd + printed.logging_usd
    whole, due = row.autopilot_usd + row.cloud_sql_usd + rest, plan.corrected(pod, row.replicas).total
    yield fact(
        f"{name}.printed_usd", row.total_usd, pods=money(row.autopilot_usd), database=money(row.cloud_sql_usd),
        rest=money(rest), sum=money(whole),
    )  # fmt: skip
    yield fact(f"{name}.sum_usd", round(whole, 2))
    yield _regional(plan, fact(f"{name}.total_usd", row.total_usd, due=money(due)))
    yield fact(f"{name}.corrected_usd", round(due, 2))


def _split(fact: FactsOf, plan: CostPlan, pod: PodSizes) -> Iterator[Fact]:
    """One application at its least pods against as many services, each of which needs its two to be redundant."""
    services, least = plan.tables.supposed.services, min(row.replicas for row in plan.tables.replicas)
    one, split = plan.corrected(pod, least), plan.corrected(pod, least * services)
    total = fact(
        "one.total_usd", round(one.total, 2), least=str(least), services=str(services), split=money(split.total)
    )
    yield _anywhere(plan, total)
    yield _anywhere(plan, fact("one.pods_usd", round(one.pods, 2), fixed=money(one.fixed)))
    yield fact("split.total_usd", round(split.total, 2))
    yield fact("split.pods_usd", round(split.pods, 2))


def _commitment(fact: FactsOf, plan: CostPlan, pod: PodSizes) -> Iterator[Fact]:
    """Of the two together, which weigh by what a region charges: where the printed share stands alike to either alone,
    it does to any mean of them."""
    printed, whole, paid = plan.tables.savings.commitment, plan.corrected(pod), instance(plan)
    either = plan.prices.pods.commitment, plan.prices.database.commitment
    share = (whole.pods * either[0] + paid * either[1]) / (whole.pods + paid)
    found = fact(
        "commitment.printed_ratio", printed, pods=f"{either[0]:.0%}", database=f"{either[1]:.0%}", both=f"{share:.0%}"
    )
    alike = (
        len({near(each, printed, plan.tolerance) or ("above" if printed > each else "below") for each in either}) == 1
    )
    yield _anywhere(plan, found) if alike else _regional(plan, found)
    yield fact("commitment.due_ratio", round(share, 4))


def _budget_alert(fact: FactsOf, plan: CostPlan) -> Iterator[Fact]:
    """An alert is of use when a bill that doubles, or the most pods all month, reaches it."""
    of = plan.tables.savings
    doubled, most = 2 * plan.tables.printed.total_usd, max(row.total_usd for row in plan.tables.replicas)
    yield fact("alert.at_usd", of.budget_alert_usd, doubled=money(doubled), most=money(most))
    yield fact("alert.most_usd", max(doubled, most))
    yield fact("alert.phase", of.budget_alert_phase, checklist=str(of.checklist_phase))
    yield fact("alert.checklist_phase", of.checklist_phase)


def _log_retention(fact: FactsOf, plan: CostPlan) -> Iterator[Fact]:
    of, gib = plan.tables.savings, plan.tables.quantities.log_gb * GB / GIB
    now, less = bill.kept(gib, of.logs_kept_s, plan.prices), saved(plan)
    yield fact(
        "retention.printed_ratio", of.logs_saved, gib=f"{gib:.1f}", now=money(now), days=f"{of.logs_kept_s / DAY_S:g}",
        saved=money(less), then=f"{of.logs_kept_then_s / DAY_S:g}",
        included=f"{plan.prices.logging.included_s / DAY_S:g}",
    )  # fmt: skip
    yield fact("retention.due_ratio", round(less / now if now else 0.0, 4))
