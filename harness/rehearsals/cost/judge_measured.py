"""The bill of a run that was measured, against what the document supposes. Pure.

A run that is no evidence for a sign-off (simulated, with faults, of another target or program, old, broken) is told,
and judges nothing; nor does one whose requests failed, which cost a target less than good answers do.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from harness.base.units import DAY_S
from harness.checks.stepwise import MOST_FAILED
from harness.judge.claimed import held, left_open, not_exercised, shown_as, unknown
from harness.model.judgement import Judgement, observation
from harness.model.message import Message, message
from harness.model.result import Facts
from harness.model.stack import Rung
from harness.model.verdict import Verdict
from harness.rehearsals.cost.judge_region import anywhere, by_those, priced
from harness.rehearsals.cost.month import bill
from harness.rehearsals.cost.month.bill import GB, GIB, money
from harness.rehearsals.cost.month.tables import Tables
from harness.rehearsals.cost.types import MEASURED, CostPlan, Measured, PodSizes

DATABASE_SIZE = "cost.assumption.database_size"
#: What only a run can tell.
CLAIMS = ("cost.autopilot", "cost.logging", DATABASE_SIZE)
_FEWEST = 100  # requests, of which the logs of one are counted


def judged(plan: CostPlan, pod: PodSizes, run: Measured | None, facts: Facts) -> Iterator[Judgement]:
    """Every claim, of the run that was read; of one that the plan names, and that is gone, there is none."""
    if run is None and plan.of:
        return
    if (why := refused(plan, run, facts)) is not None or run is None:
        reason = why or message("no run was read")
        yield from (not_exercised(MEASURED, claim, reason) for claim in CLAIMS)
        return
    yield _where_they_run(plan, _of_so_many(plan, run, _pods(plan, pod, run)))
    yield _of_so_many(plan, run, _logs(plan, run))
    yield _connections(plan.tables, run)
    yield from _whole(plan, pod, run)
    if run.photo_bytes is not None or run.database_bytes is not None:
        yield _stored(plan, pod, run)


def refused(plan: CostPlan, run: Measured | None, facts: Facts) -> Message | None:
    """Why nothing is judged by the run; ``None`` where it counts."""
    if run is None:
        return message(
            "no stored run of {scenario} lies in the reports folder: run it, or name another by --of",
            scenario=plan.tables.measured_by,
        )
    return next(_against(plan, run, facts), None)


def _against(plan: CostPlan, run: Measured, facts: Facts) -> Iterator[Message]:
    if run.rung == Rung.SIM:
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


def _lacks(claim: str, what: Message) -> Judgement:
    return unknown(MEASURED, claim, message("the run that was read does not say {what}", what=what))


def _of_so_many(plan: CostPlan, run: Measured, found: Judgement) -> Judgement:
    """That fewer users than supposed need no more shows nothing; that they need more does."""
    if found.verdict is not Verdict.PASS or run.users >= plan.tables.supposed.users:
        return found
    users, supposed = str(run.users), str(plan.tables.supposed.users)
    fewer = message("of {users} users, and {supposed} are supposed", users=users, supposed=supposed)
    return left_open(found, fewer)


def _where_they_run(plan: CostPlan, found: Judgement) -> Judgement:
    """So few pods are what is printed only at the price of where they run; more of them are not at any. What is left
    open says by whose prices its amount is; without pods there is none."""
    if found.verdict is Verdict.PASS:
        return priced(plan, found)
    if found.verdict is Verdict.FAIL:
        return anywhere(plan, found)
    return found if found.value is None else by_those(plan, found)


def _pods(plan: CostPlan, pod: PodSizes, run: Measured) -> Judgement:
    claim, supposed = "cost.autopilot", plan.tables.quantities.pods
    if not run.pods:
        return _lacks(claim, message("how many pods there were"))
    told = message(
        "with {users} users there were {pods} pods on average in {seconds} s, supposed are {supposed}; with their "
        "sidecars they cost {cost} a month",
        users=str(run.users),
        pods=f"{run.pods:.2f}",
        seconds=f"{run.seconds:.0f}",
        supposed=f"{supposed:g}",
        cost=money(run.pods * bill.pod(pod.requested, plan.prices, plan.tables.hours)),
    )
    return held(MEASURED, claim, run.pods <= supposed, told, value=run.pods, limit=supposed)


def _logs(plan: CostPlan, run: Measured) -> Judgement:
    """The logs of a month at the supposed rate against those of the table; and what keeping them costs, by which a team
    decides its policy on them."""
    gib, each = plan.month_log_gib(run), run.log_bytes_a_request
    if gib is None or each is None:
        return _lacks("cost.logging", message("how much its pods logged"))
    supposed = plan.tables.quantities.log_gb * GB / GIB
    told = message(
        "{bytes} bytes are logged a request ({requests} requests); {rate} requests a second all month are {gib} GiB, "
        "which cost {cost}; supposed are {supposed} GiB",
        bytes=f"{each:.0f}",
        requests=f"{run.requests:,}",
        rate=f"{plan.tables.supposed.rate_per_s:g}",
        gib=f"{gib:.1f}",
        cost=money(bill.logging(gib, plan.prices)),
        supposed=f"{supposed:.1f}",
    )
    saving = plan.tables.savings
    kept = [money(bill.kept(gib, for_s, plan.prices)) for for_s in (saving.logs_kept_s, saving.logs_kept_then_s)]
    policy = message(
        "kept for {days} days they cost {now}, for {then} days {less}",
        days=f"{saving.logs_kept_s / DAY_S:g}",
        now=kept[0],
        then=f"{saving.logs_kept_then_s / DAY_S:g}",
        less=kept[1],
    )
    return held(MEASURED, "cost.logging", gib <= supposed, told, policy, value=gib, limit=supposed)


def _connections(tables: Tables, run: Measured) -> Judgement:
    """The database is said to be sized for so many users at once: by their number, or by the pools'?"""
    if not run.connections:
        return _lacks(DATABASE_SIZE, message("how many connections the database had"))
    told = message(
        "with {users} users the database had {connections} connections when the load had ended, of at most {most}",
        users=str(run.users),
        connections=str(run.connections),
        most="?" if run.max_connections is None else str(run.max_connections),
    )
    amount = {"value": float(run.connections), "limit": float(run.users), "samples": run.users}
    if run.users < tables.supposed.users:
        return unknown(MEASURED, DATABASE_SIZE, told, **amount)
    if run.connections >= run.users:
        return held(MEASURED, DATABASE_SIZE, True, told, **amount)
    return shown_as(MEASURED, "cost.users_are_not_connections", told, claim=DATABASE_SIZE, **amount)


def _whole(plan: CostPlan, pod: PodSizes, run: Measured) -> Iterator[Judgement]:
    """The bill of the run where all of it was measured: what a team settles its sizes by, and no verdict on them."""
    if not run.pods or run.log_bytes is None or run.connections is None:
        return
    due = plan.by_run(pod, run)
    printed = plan.tables.printed.total_usd
    told = message(
        "by the run's pods, logs and stores a month costs {due}, the document's estimate is {printed}; {connections} "
        "connections were in use when the load had ended",
        due=money(due.total),
        printed=money(printed),
        connections=str(run.connections),
    )
    yield by_those(plan, observation("cost.of_the_run", (told,), part=MEASURED))


def _stored(plan: CostPlan, pod: PodSizes, run: Measured) -> Judgement:
    """What a walk of the run takes in the stores; its photos are the app's small thumbnails alone."""
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
    return observation("cost.stored_bytes", tuple(told), part=MEASURED)


def _count(count: float | None) -> str:
    return "?" if count is None else f"{count:,.0f}"


def _size(count: int | None) -> str:
    return "?" if count is None else f"{count / 2**20:.1f} MiB"
