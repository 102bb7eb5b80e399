"""The closing lines of a run on the terminal: what was judged, then how it ended, where the page is, what to type."""

from __future__ import annotations

from collections.abc import Iterable

from harness.base.errors import Exit
from harness.base.phase import Detail, PhaseLine, PhaseRow, Tone
from harness.model.judgement import DECISION, Decision, Judgement, Kind, Verdict
from harness.model.result import Result
from harness.model.stack import EnvironmentKind
from harness.report import told, words
from harness.report.brief import aftermath, brief, following, rest, said, what
from harness.report.language import ENGLISH, REPORT_HTML, Language, columns, padded
from harness.report.outline import beside, broke, counted, ending, nothing_exercised

_TONES: dict[Verdict, Tone] = {Verdict.PASS: "good", Verdict.FAIL: "bad"}
#: Two rows of a terminal of 80 columns, behind the verdict.
_ROOM = 124


def closing_lines(
    result: Result, folder: str, say: Language = ENGLISH, detail: Detail = "usual", *, within: bool = False
) -> Iterable[PhaseLine]:
    """The lines. ``within``: the run is one of a sequence, and one that advances is told by its decision."""
    alone = detail == "decision"
    if within and alone:
        return
    if detail == "all":
        seen = [each for each in result.judgements if each.kind is not Kind.OBSERVATION]
        yield from (_line(each, say, whole=True) for each in seen)
        yield PhaseLine(say("timings: {timings}", timings=say.listed(told.timings(result.facts, say))))
    elif not alone and not (within and result.decision is Decision.ADVANCE):
        yield from _briefly(result, say)
    if not alone and (then := aftermath(result, say)):
        yield PhaseLine(then)
    if (result.decides or result.facts.rung is EnvironmentKind.SIM) and not (alone or within):
        yield PhaseLine(say(words.RUNG[result.facts.rung]), tone="open")
    yield from (PhaseLine(say("LEAK: {what}", what=leak), tone="bad") for leak in result.facts.leaks)
    for error in result.facts.errors_told or result.facts.errors:
        yield PhaseLine(say("error: {error}", error=error), tone="bad")
    title = f"{say.message(result.title)} · " if within else ""
    yield PhaseLine(f"{title}{_headline(result, say)}", tone=_ended(result), bold=True)
    if not alone:
        yield PhaseLine(say("report: {path}", path=f"{folder}/{REPORT_HTML}"))
    if not (alone or within):
        when, command = following(result, say)
        yield PhaseLine(f"{when}: {command}")


def _briefly(result: Result, say: Language) -> Iterable[PhaseLine]:
    found = brief(result)
    yield from (_line(each, say) for each in found.named)
    if (differing := words.differing(result.judgements)) is not None:
        yield PhaseLine(say.message(differing))
    if found.more:
        yield PhaseLine(say("and {count} more: -v shows them", count=found.more), tone="open")
    if result.decides and (others := rest(result, found, say)):
        yield PhaseLine(others)


def under_way(judgements: Iterable[Judgement], say: Language) -> tuple[PhaseRow, ...]:
    """Each criterion and limit as it stands while its window is open."""
    return tuple(
        PhaseRow(words.asked_words(each, say), words.measured(each, say), say(words.verdict_id(each)), _tone(each))
        for each in judgements
        if each.kind is not Kind.OBSERVATION
    )


def _tone(judgement: Judgement) -> Tone:
    return _TONES.get(judgement.verdict, "open")


def _ended(result: Result) -> Tone:
    if result.status == Exit.OK:
        return "open" if result.facts.rung is EnvironmentKind.SIM else "good"
    return "bad" if result.status != Exit.HOLD else "open"


def _headline(result: Result, say: Language) -> str:
    end = ending(result, say)
    if not result.decides:
        counts = counted(result.judgements, say)
        line = f"{say.message(result.title)}: {end.word}" + (f" ({counts})" if counts else "")
        return say.join((f"{line}.", end.reason)) if nothing_exercised(result) and not broke(result) else line
    decision = say("none: the run did not finish")
    if result.decision is not None:
        decision = say(DECISION[result.decision]).lower()
    return say("decision: {decision}. {reason}", decision=beside(decision, result, say), reason=end.reason)


def _line(judgement: Judgement, say: Language, *, whole: bool = False) -> PhaseLine:
    asked = what(judgement, say)
    text = ": ".join(filter(None, (asked, said(judgement, say, None if whole else _ROOM - columns(asked)))))
    return PhaseLine(text, padded(say(words.verdict_id(judgement)), 13), tone=_tone(judgement))
