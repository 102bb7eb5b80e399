"""The facts of the document's printed costs: its own sums, and what the unit prices give instead. Pure.

A figure that rests on what a region charges is lacking by the prices of another region than the document's: they
neither keep nor break it. What holds whatever a region charges says by whose prices its amounts are. Amounts are to the
cent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from harness.base.message import gettext_noop
from harness.base.units import DAY_S
from harness.checks.stepwise import MOST_FAILED
from harness.model.judgement import observation
from harness.model.message import Message, Told, message
from harness.model.result import RunInfo
from harness.model.stack import EnvironmentKind
from harness.rehearsals.cost.month import bill
from harness.rehearsals.cost.month.bill import GB, GIB, money, near, same
from harness.rehearsals.cost.month.savings import instance, ranked, saved
from harness.rehearsals.cost.month.tables import ReplicasRow
from harness.rehearsals.cost.types import DOCUMENT, MEASURED, CostPlan, MeasuredUsage, PodSizes
from harness.rules.rule import Fact, FactsOf

# The facts of a run that was measured, against what the document supposes. Pure.
# A run that is no evidence for a sign-off (simulated, with faults, of another target or program, old, broken) is told,
# and judges nothing; nor does one whose requests failed, which cost a target less than good answers do.

_FEWEST = 100  # requests, of which the logs of one are counted
#: Each fact of a measured run, in a sentence.
MEASURED_PHRASES = {
    "run.users": gettext_noop("of {seen} users, and {supposed} are supposed"),
    "run.pods": gettext_noop(
        "with {users} users there were {pods} pods on average in {seconds} s, supposed are {supposed}; with their "
        "sidecars they cost {cost} a month"
    ),
    "supposed.pods": gettext_noop("{seen} pods are supposed"),
    "run.log_gib": gettext_noop(
        "{bytes} bytes are logged a request ({requests} requests); {rate} requests a second all month are {gib} GiB, "
        "which cost {cost}; supposed are {supposed} GiB"
    ),
    "supposed.log_gib": gettext_noop("{seen} GiB are supposed"),
    "run.connections": gettext_noop(
        "with {of} users the database had {seen} connections when the load had ended, of at most {most}"
    ),
    "run.bill": "",  # what a team decides by, which is no verdict
    "run.stored": "",
}


def measured_facts(plan: CostPlan, pod: PodSizes, run: MeasuredUsage | None, of: RunInfo) -> Iterator[Fact]:
    """Those of the run that was read; of one that the plan names, and that is gone, there is none."""
    fact = FactsOf(MEASURED_PHRASES, MEASURED)
    if run is None and plan.of:
        return
    if (why := refused(plan, run, of)) is not None or run is None:
        yield fact.every(lacks=(why or message("no run was read"),))
        return
    yield fact("run.users", run.users, supposed=str(plan.tables.supposed.users))
    yield _measured_pods(fact, plan, pod, run)
    yield fact("supposed.pods", plan.tables.quantities.pods)
    yield _logs(fact, plan, run)
    yield fact("supposed.log_gib", plan.tables.quantities.log_gb * GB / GIB)
    yield _connections(fact, run)
    if told := _bill_told(plan, pod, run):
        yield fact.of_sample("run.bill", observation("cost.of_the_run", (*told, *by_those(plan)), part=MEASURED))
    if told := _stored_told(plan, pod, run):
        yield fact.of_sample("run.stored", observation("cost.stored_bytes", told, part=MEASURED))


def by_those(plan: CostPlan) -> Told:
    """By which region's prices the amounts are, where that is not the document's."""
    if plan.tables.untried(plan.prices) is None:
        return ()
    return (message("the amounts are by prices of {region}", region=plan.prices.region),)


def untried(plan: CostPlan) -> Told:
    """Why by these prices nothing is known that rests on what a region charges; () by those of the document's."""
    if (why := plan.tables.untried(plan.prices)) is None:
        return ()
    return why, message("figures by the prices of {region} are for information", region=plan.prices.region)


def refused(plan: CostPlan, run: MeasuredUsage | None, facts: RunInfo) -> Message | None:
    """Why nothing is judged by the run; ``None`` where it counts."""
    if run is None:
        return message(
            "no stored run of {scenario} lies in the reports folder: run it, or name another by --of",
            scenario=plan.tables.measured_by,
        )
    return next(_against(plan, run, facts), None)


def _against(plan: CostPlan, run: MeasuredUsage, facts: RunInfo) -> Iterator[Message]:
    if run.rung == EnvironmentKind.SIM:
        yield message("the run that was read is simulated: no evidence for a sign-off")
    if (run.target, run.target_digest) != (facts.target, facts.target_digest):
        yield message(
            "the run that was read is of another target, program or image: {target} {digest}",
            target=run.target,
            digest=run.target_digest[:19],
        )
    if run.broke:
        yield message("the run that was read broke, was killed, lacks evidence, or was less than a whole plan")
    if run.injected:
        yield message("the run that was read injected faults: what failed before the pods cost them nothing")
    if run.failed >= MOST_FAILED * run.requests > 0:
        counts = {"failed": f"{run.failed:,}", "requests": f"{run.requests:,}"}
        yield message(
            "in the run that was read {failed} of {requests} requests failed: it is not known what they cost well "
            "answered",
            **counts,
        )
    age_s = (datetime.fromisoformat(facts.started_utc) - datetime.fromisoformat(run.started_utc)).total_seconds()
    if age_s < 0:
        yield message("the run that was read began later than this one: {moment}", moment=run.started_utc)
    if age_s > plan.tables.max_age_s:
        days, most = f"{age_s / DAY_S:.1f}", f"{plan.tables.max_age_s / DAY_S:g}"
        yield message("the run that was read is {days} days old, and at most {most} count", days=days, most=most)
    if run.requests < _FEWEST:
        yield message("the run that was read made {requests} requests to the API", requests=str(run.requests))


def _unsaid(name: str, what: Message) -> Fact:
    why = message("the run that was read does not say {what}", what=what)
    return Fact(name=name, part=MEASURED, void=(why,))


def _measured_pods(fact: FactsOf, plan: CostPlan, pod: PodSizes, run: MeasuredUsage) -> Fact:
    """So few pods are what is printed only at the price of where they run; more of them are not at any."""
    supposed, users = plan.tables.quantities.pods, plan.tables.supposed.users
    if not run.pods:
        return _unsaid("run.pods", message("how many pods there were"))
    found = fact(
        "run.pods", run.pods, users=str(run.users), pods=f"{run.pods:.2f}", seconds=f"{run.seconds:.0f}",
        supposed=f"{supposed:g}",
        cost=money(run.pods * bill.pod(pod.requested, plan.prices, plan.tables.hours)),
    )  # fmt: skip
    if not (elsewhere := untried(plan)):
        return found
    few, told = (
        run.pods <= supposed,
        (*found.told, message("the amounts are by prices of {region}", region=plan.prices.region)),
    )
    if few and run.users >= users:
        return msgspec.structs.replace(found, lacks=(*elsewhere, *found.told))
    return msgspec.structs.replace(found, told=told if few else (*told, message("what is shown holds by any")))


def _logs(fact: FactsOf, plan: CostPlan, run: MeasuredUsage) -> Fact:
    """The logs of a month at the supposed rate; and what keeping them costs, by which a team decides its policy on
    them."""
    gib, each, saving = plan.month_log_gib(run), run.log_bytes_a_request, plan.tables.savings
    if gib is None or each is None:
        return _unsaid("run.log_gib", message("how much its pods logged"))
    kept = [money(bill.kept(gib, for_s, plan.prices)) for for_s in (saving.logs_kept_s, saving.logs_kept_then_s)]
    policy = message(
        "kept for {days} days they cost {now}, for {then} days {less}",
        days=f"{saving.logs_kept_s / DAY_S:g}",
        now=kept[0],
        then=f"{saving.logs_kept_then_s / DAY_S:g}",
        less=kept[1],
    )
    return fact(
        "run.log_gib", gib, bytes=f"{each:.0f}", requests=f"{run.requests:,}",
        rate=f"{plan.tables.supposed.rate_per_s:g}", gib=f"{gib:.1f}", cost=money(bill.logging(gib, plan.prices)),
        supposed=f"{plan.tables.quantities.log_gb * GB / GIB:.1f}", besides=(policy,),
    )  # fmt: skip


def _connections(fact: FactsOf, run: MeasuredUsage) -> Fact:
    """The database is said to be sized for so many users at once: by their number, or by the pools'?"""
    if not run.connections:
        return _unsaid("run.connections", message("how many connections the database had"))
    most = "?" if run.max_connections is None else str(run.max_connections)
    return fact("run.connections", float(run.connections), of=run.users, most=most)


def _bill_told(plan: CostPlan, pod: PodSizes, run: MeasuredUsage) -> Told:
    """The bill of the run where all of it was measured, else (): what a team settles its sizes by."""
    if not run.pods or run.log_bytes is None or run.connections is None:
        return ()
    told = message(
        "by the run's pods, logs and stores a month costs {due}, the document's estimate is {printed}; {connections} "
        "connections were in use when the load had ended",
        due=money(plan.by_run(pod, run).total),
        printed=money(plan.tables.printed.total_usd),
        connections=str(run.connections),
    )
    return (told,)


def _stored_told(plan: CostPlan, pod: PodSizes, run: MeasuredUsage) -> Told:
    """What a walk of the run takes in the stores, else (); its photos are the app's small thumbnails alone."""
    if run.photo_bytes is None and run.database_bytes is None:
        return ()
    told = [
        message(
            "{walks} walks were created; the database held {database}, Storage {photos}",
            walks=str(run.walks),
            database=_size(run.database_bytes),
            photos=_size(run.photo_bytes),
        )
    ]
    rates, usage = run.rates, bill.measured(plan.tables, plan.prices, pod.requested, run.rates)
    if rates.requests_a_walk is not None:
        told.append(
            message(
                "of a walk that was kept: {requests} requests, {database} bytes in the database, {photos} of photos; "
                "the bill has {walks} such walks a month: {gib} GiB of disk, {gb} GB of photos, {log} GiB of logs",
                requests=f"{rates.requests_a_walk:.1f}",
                database=_count(rates.database_bytes_a_walk),
                photos=_count(rates.photo_bytes_a_walk),
                walks=f"{plan.tables.supposed.walks:,.0f}",
                gib=f"{usage.database_gib:.3g}",
                gb=f"{usage.storage_gb:.3g}",
                log=f"{usage.log_gib:.3g}",
            )
        )
    return tuple(told)


def _count(count: float | None) -> str:
    return "?" if count is None else f"{count:,.0f}"


def _size(count: int | None) -> str:
    return "?" if count is None else f"{count / 2**20:.1f} MiB"


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
PHRASES = {**_ESTIMATES, **_TOTALS, **_SAVINGS, "savings": "", **MEASURED_PHRASES}


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
    lacks = untried(plan)
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
