"""Every file of a finished run's report. ``result.json`` comes first: the others can be made again from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.base.shown import shown
from harness.model.claim import Claim
from harness.model.judgement import Decision, Judgement, Verdict
from harness.model.result import MeasuredFact, Result
from harness.model.stack import EnvironmentKind
from harness.report import told, words
from harness.report.html import write_html, write_summary
from harness.report.language import ENGLISH, Language, write_atomically
from harness.report.outline import NOTHING_SAID, nothing_exercised, reason_words
from harness.report.published import RESULT

# ``junit.xml``: what a CI that reads JUnit shows. It is green if and only if the run's exit status is 0.
# * one test case a judgement: ``fail`` (a rollback limit that fired included) is a failure; ``inconclusive`` is an
# error, because the measurement could not tell; ``not exercised`` is skipped, with its reason; so is whatever does not
# pass and does not gate; an erratum shown passes, and says so in its output; * the test case ``decision`` carries what
# skipped cases cannot: a CI shows skipped as green, and a run with something not exercised that gates holds; * the test
# cases ``run``, ``leaks`` and ``exercised`` fail when a part broke, something was left on the machine, or nothing was
# exercised at all.
# It is for machines, and in English whatever the language of the pages.

JUNIT_XML = "junit.xml"
_Outcome = Failure | Error | Skipped | None

#: What XML 1.0 cannot hold at all, escaped or not.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """``text`` with what XML cannot hold replaced, and what a reader would obey shown."""
    return shown(_NOT_XML.sub("�", text))


def junit(result: Result) -> bytes:
    """The document: one suite, named for the plan and the rung; properties first, as the schema that Jenkins and
    others check has it."""
    name = f"{result.plan} on {result.facts.rung}"
    suite = TestSuite(xml_text(name))
    suite.timestamp = result.facts.started_utc
    for key, value in _properties(result).items():
        suite.add_property(key, xml_text(value))
    suite.add_testcases(_cases(name, result))
    document = JUnitXml()
    document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]  # half typed upstream
    content: bytes = document.tostring()  # type: ignore[no-untyped-call]  # half typed upstream
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + content + b"\n"


def _properties(result: Result) -> dict[str, str]:
    facts = result.facts
    return {
        "replay": facts.replay,
        "seed": str(facts.seed),
        "rung": str(facts.rung),
        "environment": ENGLISH(words.RUNG[facts.rung]),
        "target": told.target(facts, ENGLISH),
        "run_id": result.run_id,
        "decision": str(result.decision or "none"),
        "first_line": words.first_line(facts.seed, facts.rung, facts.replay, ENGLISH),
    }


def _cases(suite: str, result: Result) -> list[TestCase]:
    facts = result.facts
    moments = {**facts.timings}  # the tear down is a length; the stack's own lie within a moment
    took_s = round(moments.pop("tear_down", 0.0) + max(moments.values(), default=0.0), 3)
    broken = Error(xml_text("; ".join(facts.errors)), "broken") if facts.errors else None
    of_case: dict[tuple[str, str], list[str]] = {each.key: [] for each in result.judgements}
    of_run: list[str] = []  # what was measured that is no judgement's own case
    for each in result.measured:
        of_case.get((each.part, each.case), of_run).append(f"{': '.join(filter(None, _key(each)))}: {each.seen}")
    return [
        _decision(suite, result),
        *(_judged(suite, each, of_case[each.key]) for each in result.judgements),
        _case(suite, "run", broken, "\n".join(of_run), took_s),
        _case(suite, "leaks", Failure(xml_text("; ".join(facts.leaks)), "leak") if facts.leaks else None),
        _case(suite, "exercised", Failure(NOTHING_SAID, "exercised") if nothing_exercised(result) else None),
    ]


def _key(fact: MeasuredFact) -> tuple[str, str, str]:
    return fact.part, fact.case, fact.name


def _case(suite: str, name: str, outcome: _Outcome, output: str = "", seconds: float = 0.0) -> TestCase:
    """A test case; passed when ``outcome`` is ``None``. What took no time of its own is given none."""
    made = TestCase(xml_text(name), classname=xml_text(suite), time=seconds or None)
    if outcome is not None:
        made.result = [outcome]
    if output:
        made.system_out = xml_text(output)
    return made


def _decision(suite: str, result: Result) -> TestCase:
    why = xml_text(reason_words(result, ENGLISH))
    outcome: _Outcome = None
    if result.decision is None:
        outcome = Error(why, "no_decision")
    elif result.decision is not Decision.ADVANCE:
        outcome = Failure(why, str(result.decision))
    simulated = xml_text(ENGLISH(words.RUNG[EnvironmentKind.SIM]))
    return _case(suite, "decision", outcome, f"{why}\n{simulated}" if result.facts.rung is EnvironmentKind.SIM else why)


def _judged(suite: str, judgement: Judgement, measured: Sequence[str]) -> TestCase:
    word = words.verdict_id(judgement)
    reason = f"{word}: {judgement.reason}"
    where = f"{suite}.{judgement.part}" if judgement.part else suite
    return _case(
        where,
        judgement.id,
        _outcome(judgement, xml_text(reason)),
        "\n".join((_output(judgement), *measured)),
        judgement.seconds,
    )


def _outcome(judgement: Judgement, reason: str) -> _Outcome:
    if judgement.verdict.good:
        return None
    if judgement.verdict is Verdict.NOT_EXERCISED or not judgement.gates:
        return Skipped(reason, str(judgement.verdict))
    kind = Failure if judgement.verdict is Verdict.FAIL else Error
    return kind(reason, str(judgement.verdict))


def _output(judgement: Judgement) -> str:
    figures = [f"value {words.measured(judgement, ENGLISH)}"]
    if judgement.bound is not None:
        figures.append(f"bound {words.figure(judgement, judgement.bound, ENGLISH)}")
    if judgement.limit is not None:
        figures.append(f"limit {words.figure(judgement, judgement.limit, ENGLISH)}")
    if judgement.samples:
        figures.append(f"{judgement.samples} samples")
    lines = [f"{judgement.kind}: {words.asked_words(judgement, ENGLISH)}", ", ".join(figures)]
    lines += [f"claim {claim}" for claim in judgement.claims]
    lines += [f"erratum shown: {judgement.erratum}"] if judgement.erratum else []
    lines += [judgement.reason, *map(str, judgement.examples)]
    lines += [judgement.reproduce] if judgement.reproduce else []
    return "\n".join(lines)


def write_junit(folder: Path, result: Result) -> Path:
    """Writes ``junit.xml`` into ``folder``. Raises ``EvidenceNotWritten``."""
    return write_atomically(folder / JUNIT_XML, junit(result))


def publish(folder: Path, result: Result) -> Path:
    """Writes ``result.json`` alone into ``folder``. Raises ``EvidenceNotWritten``."""
    return RESULT.write(folder, result)


def write_reports(folder: Path, result: Result, claims: Mapping[str, Claim], say: Language = ENGLISH) -> list[Path]:
    """Writes ``result.json``, ``junit.xml``, ``summary.md`` and ``report.html`` into ``folder``, which exists.

    ``claims`` is the register by id; ``say`` the language of the last two. Raises ``EvidenceNotWritten``.
    """
    return [publish(folder, result), write_junit(folder, result), *write_pages(folder, result, claims, say)]


def write_pages(folder: Path, result: Result, claims: Mapping[str, Claim], say: Language = ENGLISH) -> list[Path]:
    """Writes what people read, ``summary.md`` and ``report.html``. Raises ``EvidenceNotWritten``."""
    return [write_summary(folder, result, claims, say), write_html(folder, result, claims, say)]
