"""The closing lines of a run on the terminal: how it ended, what did not pass, what was left, where the page is."""

from __future__ import annotations

from harness.model.judgement import Judgement, Kind
from harness.model.result import Result
from harness.model.stack import Rung
from harness.model.verdict import Verdict
from harness.report import told, words
from harness.report.ending import broke, counted, ending, nothing_exercised
from harness.report.files import REPORT_HTML
from harness.report.language import ENGLISH, Language, padded


def closing_text(result: Result, folder: str, say: Language = ENGLISH) -> str:
    """The lines. A run that decides on the rollout names every criterion and check, any other what did not pass."""
    lines = [*_headline(result, say)]
    lines += [_line(each, say, decides=result.decides) for each in result.judgements if _is_said(each, result.decides)]
    lines += [f"  {say(words.RUNG[Rung.SIM])}"] if result.facts.rung is Rung.SIM else []
    lines += [f"  LEAK {leak}" for leak in result.facts.leaks]
    lines += [say("error: {error}", error=error) for error in result.facts.errors]
    if result.facts.timings:
        lines.append(say("timings: {timings}", timings=say.listed(told.timings(result.facts, say))))
    return "\n".join([*lines, words.report_line(f"{folder}/{REPORT_HTML}", result.status, say)])


def _headline(result: Result, say: Language) -> list[str]:
    if not result.decides:
        end = ending(result, say)
        counts = counted(result.judgements, say)
        line = f"{say.message(result.title)}: {end.word}" + (f" ({counts})" if counts else "")
        return [line, end.reason] if nothing_exercised(result) and not broke(result) else [line]
    decision = say("none: the run did not finish")
    if result.decision is not None:
        decision = str(result.decision) if say is ENGLISH else say(words.DECISION[result.decision])
    return [say("decision: {decision}", decision=decision)]


def _is_said(judgement: Judgement, decides: bool) -> bool:
    if judgement.kind is Kind.OBSERVATION:
        return False
    if judgement.verdict is Verdict.NOT_EXERCISED:
        return decides or judgement.gates  # what an environment cannot show is counted, and listed on the page
    return decides or judgement.verdict is not Verdict.PASS


def _line(judgement: Judgement, say: Language, *, decides: bool) -> str:
    verdict, kind = say(words.verdict_id(judgement)), say(words.kind_id(judgement, decides=decides))
    what = words.asked_words(judgement, say)
    if judgement.kind is Kind.CHECK and judgement.asked:
        what = f"{what} ({judgement.id})"
    part = f"{judgement.part}: " if judgement.part else ""
    value = "" if judgement.value is None and not judgement.shown else f"{words.measured(judgement, say)}; "
    reason = say.told(judgement.told, judgement.reason)
    return f"  {padded(verdict, 13)} {padded(kind, 17)} {part}{what}: {value}{reason}"
