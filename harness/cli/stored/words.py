"""A judgement made again and a comparison as text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from harness.base.errors import Exit
from harness.base.units import Unit
from harness.cli.stored.compare import Change, FigureChange, JudgementPair, Rejudgement, RunComparison, VerdictChange
from harness.model.judgement import DECISION, Decision, Judgement
from harness.model.message import gettext_noop
from harness.model.stack import EnvironmentKind
from harness.report import words
from harness.report.language import ENGLISH, Language, columns, padded
from harness.report.outline import NOT_PASSED, PASSED
from harness.rules.difference import Measured

_MOST_SETTINGS = 40

CHANGE = {
    Change.NONE: gettext_noop("no difference can be shown"),
    Change.HIGHER: gettext_noop("higher"),
    Change.LOWER: gettext_noop("lower"),
    Change.BETTER: gettext_noop("better"),
    Change.WORSE: gettext_noop("worse"),
}
#: Rows of the evidence, by their kind.
ROWS = {
    "request": gettext_noop("{count} requests"),
    "probe": gettext_noop("{count} probes"),
    "flag": gettext_noop("{count} flag rows"),
    "session": gettext_noop("{count} sessions"),
    "sample": gettext_noop("{count} metric samples"),
    "event": gettext_noop("{count} events"),
}


def judged_words(judged: Rejudgement, say: Language = ENGLISH) -> str:
    """The stored verdicts beside today's, and plainly whether they differ."""
    counted = say.listed(say(ROWS[kind], count=f"{count:,}") for kind, count in judged.rows.items()) or "0"
    lines = [
        say("run {run}, plan {plan}", run=judged.run_id, plan=judged.plan),
        say("evidence, rows: {rows}", rows=counted),
    ]
    lines += _simulated(judged.rung, say)
    lines += [say.message(judged.broke)] if judged.broke else []
    table = [(say("judgement"), say("stored"), say("judged again"), "")]
    table += [
        (pair.name, _verdict(pair.stored, say), _verdict(pair.now, say), _compared(pair, say))
        for pair in judged.judgements
    ]
    lines += ["", *aligned(table), ""]
    for pair in judged.judgements:
        lines += _differences(pair, say)
    stored = _decision(judged.stored_decision, judged.decides, say)
    lines += [say("decision stored: {decision}", decision=stored)]
    again = _decision(judged.decision, judged.decides, say)
    lines += [say("decision judged again: {decision}", decision=again)]
    if judged.broke:
        says = _decision(judged.evidence_says, judged.decides, say)
        lines.append(say("a run that broke decides nothing; its evidence alone would say: {decision}", decision=says))
    if judged.stored_decision is not None or judged.same:
        lines.append(say("the same as stored") if judged.same else say("NOT the same as stored"))
    return "\n".join(lines) + "\n"


def _simulated(rung: EnvironmentKind, say: Language) -> list[str]:
    """That a run was simulated, wherever its decision is told."""
    return [say(words.RUNG[rung])] if rung is EnvironmentKind.SIM else []


def _compared(pair: JudgementPair, say: Language) -> str:
    if pair.stored is None or pair.now is None:
        return ""
    return say("DIFFERS") if pair.differs else say("same")


def _differences(pair: JudgementPair, say: Language) -> list[str]:
    if pair.now is not None and (pair.stored is None or not pair.differs):
        return [f"{pair.name}: {say.told(pair.now.told, '')}"]
    lines = [say("{id} differs: {fields}", id=pair.name, fields=", ".join(pair.differs))]
    lines += [f"  {say('stored')}: {say.told(pair.stored.told, '')}"] if pair.stored else []
    lines += [f"  {say('judged again')}: {say.told(pair.now.told, '')}"] if pair.now else []
    return lines


def compared_words(found: RunComparison, say: Language = ENGLISH) -> str:
    """The comparison as tables."""
    lines = []
    for name, side in (("A", found.a), ("B", found.b)):
        told = say(
            "{name}: {run} ({decision}; judged again: {judged})",
            name=name,
            run=side.run_id,
            decision=_decision(side.decision, found.decides, say),
            judged=_decision(side.judged, found.decides, say),
        )
        lines += [told, *(f"   {line}" for line in _simulated(side.rung, say))]
    if found.not_comparable:
        lines += ["", say("NOT COMPARABLE: the figures do not speak of the same thing")]
        lines += [f"  {say.message(reason)}" for reason in found.not_comparable]
    verdicts = [(say("judgement"), "A", "B", ""), *(_change(each, say) for each in found.judgements)]
    lines += ["", *aligned(verdicts)]
    differing = [each for each in found.figures if each.a != each.b]
    for head, figures in ((say("figure"), differing), (say("timing"), found.timings)):
        if figures:
            lines += ["", *aligned([(head, "A", "B", ""), *(_figure(each, say) for each in figures)])]
    if same := len(found.figures) - len(differing):
        lines += ["", say("the same in both: {count} figures", count=same)]
    return "\n".join([*lines, "", *_settings(found, say), "", *_closing(found, say)]) + "\n"


def _closing(found: RunComparison, say: Language) -> list[str]:
    tested = sum(1 for figure in found.figures if figure.a.value is not None and figure.b.value is not None)
    told = []
    if tested:
        told.append(
            say(
                "* judged by a criterion. [..] is a 95 % interval. Each of {figures} figures is tested at 95 %: by "
                "chance alone one in 20 may show a change, and a busier machine is a change too.",
                figures=tested,
            )
        )
    if found.nothing:
        none = say("nothing was compared: nothing was judged in either run, and no judged figure is in both")
        return [*told, none]
    if found.worse:
        return [*told, say("B is WORSE in: {names}", names=", ".join(found.worse))]
    if found.exit_status != Exit.OK:
        return [*told, say("no verdict on B: the runs are not comparable (--across: they are meant to differ)")]
    return [*told, say("B is no worse in anything that is judged")]


def _settings(found: RunComparison, say: Language) -> list[str]:
    if not found.settings:
        return [say("settings, manifests and machine: the same")]
    rows = [(say("setting"), "A", "B")] + [(s.name, _short(s.a), _short(s.b)) for s in found.settings[:_MOST_SETTINGS]]
    more = len(found.settings) - _MOST_SETTINGS
    return [*aligned(rows), *([say("and {more} more (--json shows all)", more=more)] if more > 0 else [])]


def _change(change: VerdictChange, say: Language) -> tuple[str, ...]:
    told = "" if change.change is Change.NONE else say(CHANGE[change.change])
    return (change.name, _verdict(change.a, say), _verdict(change.b, say), told)


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


def _verdict(judgement: Judgement | None, say: Language) -> str:
    if judgement is None:
        return say("not judged")
    told = say(words.verdict_id(judgement))
    if judgement.value is None and not judgement.shown:
        return told
    told = f"{told}: {words.measured(judgement, say)}"
    if judgement.bound in {None, judgement.value}:
        return told
    bound = say("bound {bound}", bound=words.figure(judgement, judgement.bound, say))
    return say.listed([told, bound])


def _decision(decision: Decision | None, decides: bool, say: Language) -> str:
    """Of a run that decides nothing about the rollout, whether everything passed."""
    if decision is None:
        return say("none")
    if decides:
        return say(DECISION[decision]).lower()
    return say(PASSED if decision is Decision.ADVANCE else NOT_PASSED).lower()


def _short(text: str) -> str:
    return text if len(text) <= 48 else f"{text[:45]}..."


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(columns(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
