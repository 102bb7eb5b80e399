"""A judgement and a comparison as text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge.difference import Measured
from harness.model.message import marked
from harness.model.units import Unit
from harness.model.verdict import CheckResult, Combined, CriterionResult, Decision
from harness.report.language import ENGLISH, Language, columns, padded
from harness.report.words import DECISION, VERDICT, reason_words
from harness.stored.compare import Change, Comparison, FigureChange, VerdictChange
from harness.stored.rejudge import Pair, Rejudgement

_MOST_SETTINGS = 40

CHANGE = {
    Change.NONE: marked("no difference can be shown"),
    Change.HIGHER: marked("higher"),
    Change.LOWER: marked("lower"),
    Change.BETTER: marked("better"),
    Change.WORSE: marked("worse"),
}


def judged_words(judged: Rejudgement, say: Language = ENGLISH) -> str:
    """The stored verdicts beside today's, and plainly whether they differ."""
    lines = [say("run {run}, scenario {scenario}", run=judged.run_id, scenario=judged.scenario), _rows(judged, say)]
    lines += [judged.broke] if judged.broke else []
    lines += judged.notes
    table = [(say("criterion"), say("stored"), say("judged again"), "")]
    table += [(p.id, _verdict(p.stored, say), _verdict(p.now, say), _compared(p, say)) for p in judged.criteria]
    lines += ["", *_table(table), ""]
    for pair in judged.criteria:
        lines += _differences(pair, say)
    lines += [_check(check, judged, say) for check in judged.checks]
    lines += [say("decision stored: {decision}", decision=_decision(judged.stored_decision, say))]
    lines += [say("decision judged again: {decision}", decision=_decision(judged.decision, say))]
    if judged.broke:
        says = _decision(judged.evidence_says, say)
        lines.append(say("a run that broke decides nothing; its evidence alone would say: {decision}", decision=says))
    if judged.stored_decision is not None or judged.same:
        lines.append(say("the same as stored") if judged.same else say("NOT the same as stored"))
    return "\n".join(lines) + "\n"


def _check(check: CheckResult, judged: Rejudgement, say: Language) -> str:
    differs = f" ({say('DIFFERS')})" if check.id in judged.checks_differ else ""
    return f"{check.id}: {say(VERDICT[check.verdict])}{differs}; {reason_words(check, say)}"


def _compared(pair: Pair, say: Language) -> str:
    if pair.stored is None or pair.now is None:
        return ""
    return say("DIFFERS") if pair.differs else say("same")


def _rows(judged: Rejudgement, say: Language) -> str:
    counted = ", ".join(f"{count:,} {kind}" for kind, count in judged.rows.items()) or "0"
    if judged.window_s is None:
        return say("evidence, rows: {rows}; no window", rows=counted)
    return say("evidence, rows: {rows}; a window of {seconds} s", rows=counted, seconds=f"{judged.window_s:.1f}")


def _differences(pair: Pair, say: Language) -> list[str]:
    if pair.now is not None and (pair.stored is None or not pair.differs):
        return [f"{pair.id}: {reason_words(pair.now, say)}"]
    lines = [say("{id} differs: {fields}", id=pair.id, fields=", ".join(pair.differs))]
    lines += [f"  {say('stored')}: {reason_words(pair.stored, say)}"] if pair.stored else []
    lines += [f"  {say('judged again')}: {reason_words(pair.now, say)}"] if pair.now else []
    return lines


def compared_words(found: Comparison, say: Language = ENGLISH) -> str:
    """The comparison as tables."""
    lines = [
        say(
            "{name}: {run} ({decision}; judged again: {judged})",
            name=name,
            run=side.run_id,
            decision=_decision(side.decision, say),
            judged=_decision(side.judged, say),
        )
        for name, side in (("A", found.a), ("B", found.b))
    ]
    if found.not_comparable:
        lines += ["", say("NOT COMPARABLE: the figures do not speak of the same thing")]
        lines += [f"  {reason}" for reason in found.not_comparable]
    criteria = [(say("criterion"), "A", "B", "")] + [_criterion(change, say) for change in found.criteria]
    figures = [(say("window"), "A", "B", "")] + [_figure(figure, say) for figure in found.figures]
    timings = [(say("timing"), "A", "B", "")] + [_figure(figure, say) for figure in found.timings]
    lines += ["", *_table(criteria), "", *_table(figures), "", *_table(timings), "", *_settings(found, say)]
    lines += ["", *_closing(found, say)]
    return "\n".join(lines) + "\n"


def _closing(found: Comparison, say: Language) -> list[str]:
    tested = sum(1 for figure in found.figures if figure.a.value is not None and figure.b.value is not None)
    told = say(
        "* judged by a criterion. [..] is a 95 % interval. Each of {figures} figures is tested at 95 %: by chance "
        "alone one in 20 may show a change, and a busier machine is a change too.",
        figures=tested,
    )
    if found.combined is Combined.NOTHING_EXERCISED:
        return [
            told,
            say("nothing was compared: no criterion was judged in either run, and no judged figure is in both"),
        ]
    if found.worse:
        return [told, say("B is WORSE in: {names}", names=", ".join(found.worse))]
    return [told, say("B is no worse in anything that is judged")]


def _settings(found: Comparison, say: Language) -> list[str]:
    if not found.settings:
        return [say("settings, manifests and machine: the same")]
    rows = [(say("setting"), "A", "B")] + [(s.name, _short(s.a), _short(s.b)) for s in found.settings[:_MOST_SETTINGS]]
    more = len(found.settings) - _MOST_SETTINGS
    return [*_table(rows), *([say("and {more} more (--json shows all)", more=more)] if more > 0 else [])]


def _criterion(change: VerdictChange, say: Language) -> tuple[str, ...]:
    told = "" if change.change is Change.NONE else say(CHANGE[change.change])
    return (change.id, _verdict(change.a, say), _verdict(change.b, say), told)


def _figure(figure: FigureChange, say: Language) -> tuple[str, ...]:
    name = f"{figure.name}{' *' if figure.judged else ''}"
    return (
        name,
        _measured(figure.a, figure.unit, say),
        _measured(figure.b, figure.unit, say),
        say(CHANGE[figure.change]),
    )


def _measured(measured: Measured, unit: str, say: Language) -> str:
    if measured.value is None:
        return say("no data")
    bounds = (measured.lower, measured.upper)
    if bounds in ((None, None), (measured.value, measured.value)):
        return _show(measured.value, unit, say)
    low, high = ("?" if bound is None else _show(bound, unit, say) for bound in bounds)
    return f"{_show(measured.value, unit, say)} [{low} .. {high}]"


def _show(value: float, unit: str, say: Language) -> str:
    return say.amount(value, Unit(unit)) if unit in set(Unit) else f"{value:.4g} {unit}".rstrip()


def _verdict(result: CriterionResult | None, say: Language) -> str:
    if result is None:
        return say("not judged")
    value = say("no data") if result.value is None else say.amount(result.value, result.unit)
    told = f"{say(VERDICT[result.verdict])}: {value}"
    if result.bound in {None, result.value}:
        return told
    return f"{told}, {say('bound {bound}', bound=say.amount(result.bound, result.unit))}"


def _decision(decision: Decision | None, say: Language) -> str:
    return say("none") if decision is None else say(DECISION[decision]).lower()


def _short(text: str) -> str:
    return text if len(text) <= 48 else f"{text[:45]}..."


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(columns(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
