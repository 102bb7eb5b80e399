"""A judgement and a comparison as text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge.difference import Measured
from harness.model.units import Unit, show
from harness.model.verdict import CriterionResult, Decision
from harness.stored.compare import Change, Comparison, FigureChange, VerdictChange
from harness.stored.rejudge import Pair, Rejudgement

_MOST_SETTINGS = 40


def judged_words(judged: Rejudgement) -> str:
    """The stored verdicts beside today's, and plainly whether they differ."""
    lines = [f"run {judged.run_id}, scenario {judged.scenario}", f"evidence: {_rows(judged)}"]
    lines += [judged.broke] if judged.broke else []
    lines += judged.notes
    table = [("criterion", "stored", "judged again", "")]
    table += [(p.id, _verdict(p.stored), _verdict(p.now), _compared(p)) for p in judged.criteria]
    lines += ["", *_table(table), ""]
    for pair in judged.criteria:
        lines += _differences(pair)
    lines += [f"{check.id}: {check.verdict.replace('_', ' ')}; {check.reason}" for check in judged.checks]
    lines += [f"decision stored:       {_decision(judged.stored_decision)}"]
    lines += [f"decision judged again: {_decision(judged.decision)}"]
    if judged.broke:
        lines.append(
            f"a run that broke decides nothing; its evidence alone would say: {_decision(judged.evidence_says)}"
        )
    if judged.stored_decision is not None or judged.same:
        lines.append("the same as stored" if judged.same else "NOT the same as stored")
    return "\n".join(lines) + "\n"


def _compared(pair: Pair) -> str:
    if pair.stored is None or pair.now is None:
        return ""
    return "DIFFERS" if pair.differs else "same"


def _rows(judged: Rejudgement) -> str:
    counted = ", ".join(f"{count:,} {kind} rows" for kind, count in judged.rows.items()) or "no row"
    window = "no window" if judged.window_s is None else f"a window of {judged.window_s:.1f} s"
    return f"{counted}; {window}"


def _differences(pair: Pair) -> list[str]:
    if pair.now is not None and (pair.stored is None or not pair.differs):
        return [f"{pair.id}: {pair.now.reason}"]
    lines = [f"{pair.id} differs: {', '.join(pair.differs)}"]
    lines += [f"  stored: {pair.stored.reason}"] if pair.stored else []
    lines += [f"  now:    {pair.now.reason}"] if pair.now else []
    return lines


def compared_words(found: Comparison) -> str:
    """The comparison as tables."""
    lines = [
        f"{name}: {side.run_id} ({_decision(side.decision)}; judged again: {_decision(side.judged)})"
        for name, side in (("A", found.a), ("B", found.b))
    ]
    if found.not_comparable:
        lines += ["", "NOT COMPARABLE: the figures do not speak of the same thing"]
        lines += [f"  {reason}" for reason in found.not_comparable]
    criteria = [("criterion", "A", "B", "")] + [_criterion(change) for change in found.criteria]
    figures = [("window", "A", "B", "")] + [_figure(figure) for figure in found.figures]
    timings = [("timing", "A", "B", "")] + [_figure(figure) for figure in found.timings]
    lines += ["", *_table(criteria), "", *_table(figures), "", *_table(timings), "", *_settings(found)]
    lines += ["", *_closing(found)]
    return "\n".join(lines) + "\n"


def _closing(found: Comparison) -> list[str]:
    tested = sum(1 for figure in found.figures if figure.a.value is not None and figure.b.value is not None)
    lines = [
        "* judged by a criterion. [..] is a 95 % interval. "
        f"Each of {tested} figures is tested at 95 %: by chance alone one in 20 may show a change, "
        "and a busier machine is a change too."
    ]
    if found.worse:
        return [*lines, f"B is WORSE in: {', '.join(found.worse)}"]
    return [*lines, "B is no worse in anything that is judged"]


def _settings(found: Comparison) -> list[str]:
    if not found.settings:
        return ["settings, manifests and machine: the same"]
    rows = [("setting", "A", "B")] + [(s.name, _short(s.a), _short(s.b)) for s in found.settings[:_MOST_SETTINGS]]
    more = len(found.settings) - _MOST_SETTINGS
    return [*_table(rows), *([f"and {more} more (--json shows all)"] if more > 0 else [])]


def _criterion(change: VerdictChange) -> tuple[str, ...]:
    return (change.id, _verdict(change.a), _verdict(change.b), "" if change.change is Change.NONE else change.change)


def _figure(figure: FigureChange) -> tuple[str, ...]:
    name = f"{figure.name}{' *' if figure.judged else ''}"
    return (name, _measured(figure.a, figure.unit), _measured(figure.b, figure.unit), figure.change)


def _measured(measured: Measured, unit: str) -> str:
    if measured.value is None:
        return "no data"
    bounds = (measured.lower, measured.upper)
    if bounds in ((None, None), (measured.value, measured.value)):
        return _show(measured.value, unit)
    low, high = ("?" if bound is None else _show(bound, unit) for bound in bounds)
    return f"{_show(measured.value, unit)} [{low} .. {high}]"


def _show(value: float, unit: str) -> str:
    return show(value, Unit(unit)) if unit in set(Unit) else f"{value:.4g} {unit}".rstrip()


def _verdict(result: CriterionResult | None) -> str:
    if result is None:
        return "not judged"
    value = "no data" if result.value is None else show(result.value, result.unit)
    bound = "" if result.bound in {None, result.value} else f", bound {show(result.bound or 0.0, result.unit)}"
    return f"{result.verdict.replace('_', ' ')}: {value}{bound}"


def _decision(decision: Decision | None) -> str:
    return "none" if decision is None else decision.replace("_", " ")


def _short(text: str) -> str:
    return text if len(text) <= 48 else f"{text[:45]}..."


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
