"""What the page of a run shows of a team's own alerts. Pure."""

from __future__ import annotations

from harness.model.message import message
from harness.model.section import Section, table_of
from harness.objectives.foreign.rules import Rule
from harness.rehearsals.alert_drill.judge_theirs import fired
from harness.rehearsals.alert_drill.theirs.facts import Answer, Asked
from harness.rehearsals.alert_drill.types import AlertDrillPlan

_MOST_MOMENTS = 8


def theirs_table(plan: AlertDrillPlan, asked: Asked) -> Section:
    """Each of a team's own alerts over the course, in the document's time."""

    def moments(of: tuple[Rule, Answer]) -> str:
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
