"""The facts of a run that was measured, against what the document supposes. Pure.

A run that is no evidence for a sign-off (simulated, with faults, of another target or program, old, broken) is told,
and judges nothing; nor does one whose requests failed, which cost a target less than good answers do.
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
from harness.rehearsals.cost.month.bill import GB, GIB, money
from harness.rehearsals.cost.types import MEASURED, CostPlan, MeasuredUsage, PodSizes
from harness.rules.rule import Fact, FactsOf

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
