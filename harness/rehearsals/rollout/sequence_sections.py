"""What a rollout's page shows beside the judgement on each week: its criteria, its figures, a link to its own page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.model.section import Cell, Pairs, Row, Section, Table
from harness.model.verdict import Decision, Verdict
from harness.rehearsals.rollout.sections import NONE
from harness.rehearsals.rollout.weeks import RolloutDetails, RolloutPlan, WeekAttempt, latest, report_of, stands
from harness.run.rehearsal import RunRecord

_DECISION = {
    Decision.ADVANCE: (Verdict.PASS, message("Advance")),
    Decision.HOLD: (Verdict.INCONCLUSIVE, message("Hold")),
    Decision.ROLL_BACK: (Verdict.FAIL, message("Roll back")),
    None: (Verdict.NOT_EXERCISED, message("No decision")),
}


def rollout_sections(plan: RolloutPlan, seen: RunRecord[RolloutDetails]) -> Iterator[Section]:
    """In the order of the page."""
    details = seen.details
    told = stands(plan, details, ended=seen.ended)
    standing: Cell = told[0] if len(told) == 1 else message("{what} {next}", what=told[0], next=told[1])
    yield Pairs(pairs=((message("Where it stands"), standing),))
    yield _weeks(plan, details)
    not_exercised = tuple(_not_exercised(details))
    if not_exercised:
        yield Table(
            title=message("Not exercised"),
            heads=(message("Claim or criterion"), message("Why"), message("Weeks")),
            rows=not_exercised,
        )


def _weeks(plan: RolloutPlan, details: RolloutDetails) -> Table:
    """Every attempt in order, then the weeks asked for that were never entered."""
    rows = [_row(each) for each in details.attempts]
    begun = latest(details)
    for week in plan.asked:
        if week not in begun:
            cells: tuple[Cell, ...] = (_week(week), NONE, NONE, NONE, NONE)
            rows.append(Row(cells=cells, verdict=Verdict.NOT_EXERCISED, word=message("not entered")))
    return Table(
        title=message("Weeks"),
        heads=(message("Week"), message("Attempt"), message("Started"), message("Took"), message("Exit status")),
        rows=tuple(rows),
        numbers=(1, 3, 4),
    )


def _week(week: int) -> Message:
    return message("Week {week}", week=str(week))


def _row(attempt: WeekAttempt) -> Row:
    verdict, word = _DECISION[attempt.decision]
    lines: list[Cell] = [*attempt.errors]
    lines += [message("left on the machine: {leak}", leak=leak) for leak in attempt.leaks]
    return Row(
        cells=(
            _week(attempt.week),
            str(attempt.attempt),
            attempt.started_utc,
            f"{attempt.seconds:.0f} s",
            str(attempt.exit_status),
        ),
        verdict=verdict,
        word=word,
        lines=tuple(lines),
        link=report_of(attempt),
    )


def _not_exercised(details: RolloutDetails) -> Iterable[Row]:
    """What no week proves anything about, why, and in which weeks."""
    weeks: dict[tuple[str, str], tuple[Judgement, list[int]]] = {}
    for week, attempt in latest(details).items():
        for each in attempt.judgements:
            if each.verdict is Verdict.NOT_EXERCISED:
                weeks.setdefault((each.id, each.reason), (each, []))[1].append(week)
    for each, numbers in weeks.values():
        first, *more = each.told
        yield Row(
            cells=(each.id, first, ", ".join(map(str, numbers))),
            lines=tuple(more),
        )
