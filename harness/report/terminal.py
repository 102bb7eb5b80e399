"""The closing lines of a run on the terminal: how it ended, what did not pass, what was left, where the page is."""

from __future__ import annotations

from collections.abc import Iterable

from harness.base.errors import Exit
from harness.base.phase import Line, Row, Tone
from harness.model.judgement import Judgement, Kind
from harness.model.result import Result
from harness.model.stack import Rung
from harness.model.verdict import Verdict
from harness.report import told, words
from harness.report.ending import broke, counted, ending, nothing_exercised
from harness.report.files import REPORT_HTML
from harness.report.language import ENGLISH, Language, padded

_TONES: dict[Verdict, Tone] = {Verdict.FAIL: "bad", Verdict.INCONCLUSIVE: "open", Verdict.NOT_EXERCISED: "open"}


def closing_text(result: Result, folder: str, say: Language = ENGLISH) -> str:
    """The lines as one text."""
    return "\n".join(map(str, closing_lines(result, folder, say)))


def closing_lines(result: Result, folder: str, say: Language = ENGLISH) -> Iterable[Line]:
    """The lines. A run that decides on the rollout names every criterion and check, any other what did not pass."""
    yield from (Line(text, tone=_ended(result), headline=True) for text in _headline(result, say))
    yield from (
        _line(each, say, decides=result.decides) for each in result.judgements if _is_said(each, result.decides)
    )
    if (line := words.differing(result.judgements)) is not None:
        yield Line(f"  {say.message(line)}")
    if result.facts.rung is Rung.SIM:
        yield Line(f"  {say(words.RUNG[Rung.SIM])}")
    yield from (Line(f"  {say('LEAK: {what}', what=leak)}", tone="bad") for leak in result.facts.leaks)
    for error in result.facts.errors_told or result.facts.errors:
        yield Line(say("error: {error}", error=error), tone="bad")
    if result.facts.timings:
        yield Line(say("timings: {timings}", timings=say.listed(told.timings(result.facts, say))))
    yield Line(words.report_line(f"{folder}/{REPORT_HTML}", result.status, say))


def under_way(judgements: Iterable[Judgement], say: Language) -> tuple[Row, ...]:
    """Each criterion and limit as it stands while its window is open."""
    return tuple(
        Row(words.asked_words(each, say), words.measured(each, say), say(words.verdict_id(each)), _tone(each))
        for each in judgements
        if each.kind is not Kind.OBSERVATION
    )


def _tone(judgement: Judgement) -> Tone:
    return _TONES.get(judgement.verdict, "good")


def _ended(result: Result) -> Tone:
    return "good" if result.status == Exit.OK else "bad" if result.status != Exit.HOLD else "open"


def _headline(result: Result, say: Language) -> list[str]:
    if not result.decides:
        end = ending(result, say)
        counts = counted(result.judgements, say)
        line = f"{say.message(result.title)}: {end.word}" + (f" ({counts})" if counts else "")
        return [line, end.reason] if nothing_exercised(result) and not broke(result) else [line]
    decision = say("none: the run did not finish")
    if result.decision is not None:
        decision = words.decision_word(result.decision, say)
    return [say("decision: {decision}", decision=decision)]


def _is_said(judgement: Judgement, decides: bool) -> bool:
    if judgement.kind is Kind.OBSERVATION or judgement.differs:
        return False
    if judgement.verdict is Verdict.NOT_EXERCISED:
        return decides or judgement.gates  # what an environment cannot show is counted, and listed on the page
    return decides or judgement.verdict is not Verdict.PASS


def _line(judgement: Judgement, say: Language, *, decides: bool) -> Line:
    verdict, kind = say(words.verdict_id(judgement)), say(words.kind_id(judgement, decides=decides))
    what = words.asked_words(judgement, say)
    if judgement.kind is Kind.CHECK and judgement.asked:
        what = f"{what} ({judgement.id})"
    part = f"{judgement.part}: " if judgement.part else ""
    value = "" if judgement.value is None and not judgement.shown else f"{words.measured(judgement, say)}; "
    reason = say.told(judgement.told, judgement.reason)
    lead = f"  {padded(verdict, 13)} {padded(kind, 17)} "
    return Line(f"{part}{what}: {value}{reason}", (verdict, kind), padded=lead, tone=_tone(judgement))
