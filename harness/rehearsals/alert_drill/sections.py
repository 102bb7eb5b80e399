"""What the page of a drill shows besides its judgements. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.evidence.gathered import Gathered
from harness.judge.difference import Single
from harness.model.message import message
from harness.model.section import Cell, Section, table_of
from harness.rehearsal.rehearsal import Figure
from harness.rehearsals.alert_drill.judge import compared
from harness.rehearsals.alert_drill.pairs import Pair, fired_off_s
from harness.rehearsals.alert_drill.theirs.page import theirs_table
from harness.rehearsals.alert_drill.types import CLAIM, AlertDrillDetails, AlertDrillPlan, Delivery


def sections(plan: AlertDrillPlan, details: AlertDrillDetails, evidence: Gathered) -> Iterator[Section]:
    """The trials, what fired beside what had to, and what was delivered; what a team's own alerts did."""
    if details.asked is not None:
        yield theirs_table(plan, details.asked)
    if not details.asked_ns:
        return

    def since(at_ns: int | None) -> str:
        return "" if at_ns is None else f"{(at_ns - details.origin_ns) / 1e9:.1f}"

    yield table_of(
        message("The breaches"),
        details.planted,
        (message("trial"), lambda each: each.trial),
        (message("begun (s)"), lambda each: since(each.begun_ns)),
        (message("lasted (s)"), lambda each: f"{(each.ended_ns - each.begun_ns) / 1e9:.1f}"),
        numbers=(1, 2),
        note=(message("minutes of the document are divided by {scale} here", scale=f"{plan.scale:g}"),),
    )
    rows = [(each, pair) for each, pairs in compared(plan, details, evidence) for pair in pairs]

    def due_s(pair: Pair, *, resolved: bool) -> Cell:
        at_ms = None if pair.due is None else pair.due.resolved_ms if resolved else pair.due.fired_ms
        return "" if at_ms is None else f"{at_ms / 1000:.1f}"

    yield table_of(
        message("What had to fire, and what fired"),
        rows,
        (message("alert"), lambda row: f"{row[0].alert} {row[0].objective} {row[0].severity}".strip()),
        (message("had to fire (s)"), lambda row: due_s(row[1], resolved=False)),
        (message("fired (s)"), lambda row: since(row[1].seen.fired_ns) if row[1].seen else ""),
        (message("had to resolve (s)"), lambda row: due_s(row[1], resolved=True)),
        (message("resolved (s)"), lambda row: since(row[1].seen.resolved_ns) if row[1].seen else ""),
        numbers=(1, 2, 3, 4),
        note=(message("by our own arithmetic on the evidence, and by Prometheus"),),
    )

    def status(each: Delivery) -> Cell:
        return message("resolved") if each.resolved else message("firing")

    yield table_of(
        message("What was delivered"),
        details.deliveries,
        (message("route"), lambda each: each.route),
        (message("alert"), lambda each: f"{each.alert} {each.objective} {each.job} {each.severity}".strip()),
        (message("status"), status),
        (message("at (s)"), lambda each: since(each.at_ns)),
        numbers=(3,),
    )


def figures(plan: AlertDrillPlan, details: AlertDrillDetails, evidence: Gathered) -> Iterator[Figure]:
    """By alert: how far off it fired at most."""
    found = compared(plan, details, evidence) if details.asked_ns else []
    for name in CLAIM:
        offs = fired_off_s(plan, details, [pair for each, of in found if each.alert == name for pair in of])
        yield Figure(f"{name} off by", "s", "worse", Single(max(offs, default=None)), gates=True)
