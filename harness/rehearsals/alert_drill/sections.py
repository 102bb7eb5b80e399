"""What the page of a drill shows besides its judgements, of a team's own alerts as well. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.evidence.gathered import Gathered
from harness.model.message import message
from harness.model.section import Cell, Section, table_of
from harness.rehearsals.alert_drill.expected import StretchPair
from harness.rehearsals.alert_drill.facts import compared
from harness.rehearsals.alert_drill.facts_theirs import fired
from harness.rehearsals.alert_drill.theirs.facts import QueriedRules, QueryAnswer
from harness.rehearsals.alert_drill.types import AlertDrillDetails, AlertDrillPlan
from harness.rules.objectives.foreign.rules import PrometheusRule

_MOST_MOMENTS = 8


def theirs_table(plan: AlertDrillPlan, asked: QueriedRules) -> Section:
    """Each of a team's own alerts over the course, in the document's time."""

    def moments(of: tuple[PrometheusRule, QueryAnswer]) -> str:
        times = [f"{at_s / 60:.1f}" for at_s, _ in fired(of[1])]
        return ", ".join(times[:_MOST_MOMENTS]) + (" …" if len(times) > _MOST_MOMENTS else "")

    breaches = ", ".join(f"{each.name} {each.begin_s / 60:.1f}–{each.end_s / 60:.1f}" for each in asked.course)
    return table_of(
        message("A team's own alerts"),
        [pair for pair in zip(plan.theirs, asked.answers, strict=True) if not pair[0].records],
        (message("alert"), lambda of: of[0].name),
        (message("file and line"), lambda of: of[0].where),
        (message("must hold (s)"), lambda of: f"{of[0].for_s:g}"),
        (message("held at most (s)"), lambda of: f"{max((h.longest_s for h in of[1].held), default=0.0):.0f}"),
        (message("fired (min)"), moments),
        numbers=(2, 3),
        note=(
            message(
                "over {minutes} minutes of the document's time, by what users and probes of the run saw, told as the "
                "API's own counters; what nobody answered it cannot count",
                minutes=f"{asked.seconds / 60:.0f}",
            ),
            *((message("breaches (min): {breaches}", breaches=breaches),) if breaches else ()),
        ),
    )


def sections(plan: AlertDrillPlan, details: AlertDrillDetails, evidence: Gathered) -> Iterator[Section]:
    """What fired beside what had to; what a team's own alerts did."""
    if details.asked is not None:
        yield theirs_table(plan, details.asked)
    if not details.asked_ns:
        return

    def since(at_ns: int | None) -> str:
        return "" if at_ns is None else f"{(at_ns - details.origin_ns) / 1e9:.1f}"

    rows = [(each, pair) for each, pairs in compared(plan, details, evidence) for pair in pairs]

    def due_s(pair: StretchPair, *, resolved: bool) -> Cell:
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
        note=(
            message("by our own arithmetic on the evidence, and by Prometheus"),
            message("minutes of the document are divided by {scale} here", scale=f"{plan.scale:g}"),
        ),
    )
