"""What a rollout's page shows beside the judgement on each week: its criteria, its figures, a link to its own page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from harness.judge.words import beside
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, message, quantity, worded
from harness.model.section import Cell, Lines, Pairs, Row, Section, Table
from harness.model.verdict import Decision, Verdict
from harness.rehearsal.rehearsal import Seen
from harness.rehearsals.rollout.sections import NONE
from harness.rehearsals.rollout.weeks import Attempt, RolloutDetails, RolloutPlan, latest, report_of, stands

_DECISION = {
    Decision.ADVANCE: (Verdict.PASS, message("Advance")),
    Decision.HOLD: (Verdict.INCONCLUSIVE, message("Hold")),
    Decision.ROLL_BACK: (Verdict.FAIL, message("Roll back")),
    None: (Verdict.NOT_EXERCISED, message("No decision")),
}
_KIND = {
    Kind.CRITERION: message("success criterion"),
    Kind.ROLLBACK_LIMIT: message("rollback limit"),
    Kind.CHECK: message("check"),
}
_FIRED = {Verdict.PASS: message("did not fire"), Verdict.FAIL: message("fired")}


def rollout_sections(plan: RolloutPlan, seen: Seen[RolloutDetails]) -> Iterator[Section]:
    """In the order of the page."""
    details = seen.details
    told = stands(plan, details, ended=seen.ended)
    standing: Cell = told[0] if len(told) == 1 else message("{what} {next}", what=told[0], next=told[1])
    yield Pairs(pairs=((message("Where it stands"), standing),))
    yield _weeks(plan, details)
    for attempt in details.attempts:
        yield from _attempt(attempt)
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


def _row(attempt: Attempt) -> Row:
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


def _attempt(attempt: Attempt) -> Iterator[Section]:
    """The criteria, the checks and the figures of one attempt, as its own page shows them."""
    judged = [each for each in attempt.judgements if each.kind in _KIND]
    if judged:
        title = message("Criteria and checks of week {week}", week=str(attempt.week))
        if attempt.attempt > 1:
            title = message(
                "Criteria and checks of week {week}, attempt {attempt}",
                week=str(attempt.week),
                attempt=str(attempt.attempt),
            )
        yield Table(
            title=title,
            heads=(
                message("Criterion"),
                message("Kind"),
                message("Value"),
                message("Bound (95 %)"),
                message("Samples"),
            ),
            rows=tuple(_judged(each) for each in judged),
            numbers=(2, 3, 4),
            part=attempt.part,
        )
    for section in attempt.shown:
        if isinstance(section, Table | Lines):
            yield msgspec.structs.replace(section, part=attempt.part)


def _judged(each: Judgement) -> Row:
    name: Cell = each.asked[0] if each.asked else each.id
    return Row(
        cells=(name, _KIND[each.kind], _shown(each, each.value), _shown(each, each.bound), f"{each.samples:,}"),
        verdict=each.verdict,
        word=_FIRED.get(each.verdict) if each.kind is Kind.ROLLBACK_LIMIT else None,
        lines=each.told,
    )


def _shown(each: Judgement, value: float | None) -> Cell:
    """A value with as many digits as tell it from its limit."""
    if value is None:
        return NONE
    if each.kind is Kind.CHECK:
        return quantity(value, each.unit)
    return worded(beside(value, value if each.limit is None else each.limit, each.unit), each.unit)


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
