"""``conformance.json``, ``conformance.xml`` (JUnit), ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from pathlib import Path

import msgspec
from junitparser import Error, Failure, Skipped

from harness.model.verdict import Combined
from harness.rehearsals.conformance.grade import FINDINGS, GRADES
from harness.rehearsals.conformance.page import by_grade, html, shortened
from harness.rehearsals.conformance.result import CheckResult, Outcome, Report
from harness.report.files import write_atomically
from harness.report.html import REPORT_HTML
from harness.report.junit_parts import case, suite_document, xml_text
from harness.report.language import ENGLISH, Language
from harness.report.summary import bullets, code, plain, table
from harness.report.words import report_line

SUITE = "conformance"


def write_report(folder: Path, report: Report, junit: Path | None = None, say: Language = ENGLISH) -> None:
    """Writes them and ``report.html`` into ``folder``, and the JUnit document to ``junit`` too.

    ``say`` is the page's language. Raises ``EvidenceNotWritten``.
    """
    write_atomically(folder / "conformance.json", msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    document = junit_document(report)
    write_atomically(folder / "conformance.xml", document)
    write_atomically(folder / "summary.md", summary(report).encode())
    write_atomically(folder / REPORT_HTML, html(folder, report, say).encode())
    if junit is not None:
        write_atomically(junit, document)


def verdict(report: Report) -> str:
    """One line: how it ended."""
    counts = ", ".join(
        [f"{report.count(outcome)} {outcome.replace('_', ' ')}" for outcome in Outcome if report.count(outcome)]
    )
    graded = [f"{report.graded(grade)} {words}" for grade, words in GRADES.items() if report.graded(grade)]
    if graded:
        counts += f"; {', '.join(graded)}"
    word = "conforms" if report.conforms else "does not conform"
    if not report.conforms and not report.count(Outcome.DEVIATION):
        word = "is not shown to conform"
    if report.combined is Combined.NOTHING_EXERCISED:
        word = "nothing was exercised"
    if report.errors:
        word = "not judged: the run did not finish"
    return f"{report.target.name}: {word} ({counts or 'no check ran'})"


def text(report: Report, folder: str) -> str:
    """For a terminal: what passed by group, what was not exercised by reason, every deviation whole, and last."""
    lines = [f"passed         {group}: {', '.join(names)}" for group, names in _by_group(report).items()]
    for reason, ids in _by_reason(report).items():
        lines += [f"not exercised  {', '.join(ids)}", f"    reason:   {reason}"]
    for check in report.checks:
        if check.outcome is Outcome.MEASUREMENT_ERROR:
            lines += [f"MEASUREMENT ERROR  {check.id}: {check.sentence}", f"    reason:   {check.reason}"]
    for check in reversed(by_grade(report.checks)):  # what matters most stands last, above the verdict
        lines += _deviation(check)
    lines += [f"fuzz           {report.fuzz}"] if report.fuzz else []
    lines += [f"LEAK {leak}" for leak in report.leaks]
    lines += [f"error: {error}" for error in report.errors]
    lines += [f"not covered    {what}" for what in report.not_covered]
    lines += [f"not offered    {line}" for line in _not_offered(report)]
    timings = ", ".join(f"{name} {value:.1f} s" for name, value in report.timings.items())
    lines += [
        verdict(report),
        f"timings: {timings}",
        report_line(folder, report.exit_status, ENGLISH),
    ]
    return "\n".join(lines)


def _not_offered(report: Report) -> list[str]:
    return [f"{extra.name} (beyond the contract): {extra.without}" for extra in report.extras if not extra.offered]


def _by_group(report: Report) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for check in report.checks:
        if check.outcome is Outcome.PASSED:
            group, _, name = check.id.partition(".")
            found.setdefault(group, []).append(name)
    return found


def _by_reason(report: Report) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for check in report.checks:
        if check.outcome is Outcome.NOT_EXERCISED:
            found.setdefault(check.reason, []).append(check.id)
    return found


def _deviation(check: CheckResult) -> list[str]:
    word = "advice         " if check.outcome is Outcome.ADVICE else "DEVIATION      "
    found = [f"{word}{check.id}: {check.sentence}", f"    {_graded(check)}"]
    found += [f"    decided:  {what}" for what in check.decided]
    found += [f"    expected: {check.expected}", f"    got:      {check.got}"]
    if check.curl:
        found += [f"    request:  {shortened(check.curl)}", f"    raw:      {check.request_file}"]
    return found


def _graded(check: CheckResult) -> str:
    """What it breaks, what is wrong, and whose sentence it is: "breaks the contract (wrong status); SOURCE"."""
    words = GRADES[check.grade] if check.grade else ""
    words += f" ({FINDINGS[check.finding]})" if check.finding else ""
    return "; ".join(filter(None, (words, str(check.source or ""))))


def summary(report: Report) -> str:
    """``summary.md``."""
    parts = [
        f"## Conformance: {plain(verdict(report))}",
        code(report.replay),
        bullets(
            [
                f"target {' '.join(report.target.command)}, run in {report.target.folder}",
                f"seed {report.seed}, environment {report.rung}, run {report.run_id}, started {report.started_utc}, "
                f"exit status {report.exit_status}",
                *([f"fuzz: {report.fuzz}"] if report.fuzz else []),
            ]
        ),
    ]
    if report.errors:
        parts += ["### What broke", bullets(report.errors)]
    if report.leaks:
        parts += ["### Left on the machine", bullets(report.leaks)]
    for outcome, head in (
        (Outcome.DEVIATION, "Deviations"),
        (Outcome.ADVICE, "Advice"),
        (Outcome.MEASUREMENT_ERROR, "Measurement errors"),
        (Outcome.NOT_EXERCISED, "Not exercised"),
    ):
        found = [check for check in report.checks if check.outcome is outcome]
        if found:
            parts.append(f"### {head}")
            parts += [_section(check) for check in found]
    passed = [
        (plain(c.id), plain(c.sentence), plain(str(c.source or "")))
        for c in report.checks
        if c.outcome is Outcome.PASSED
    ]
    if passed:
        parts += ["### Passed", table(("check", "the contract says", "source"), passed)]
    parts += ["### Not covered by any check", bullets(report.not_covered)]
    if lines := _not_offered(report):
        parts += ["### Not offered", bullets(lines)]
    return "\n\n".join(parts) + "\n"


def _section(check: CheckResult) -> str:
    lines = [f"**{plain(check.id)}**: {plain(check.sentence)}"]
    if check.outcome in (Outcome.DEVIATION, Outcome.ADVICE):
        told = [_graded(check), *(f"decided: {what}" for what in check.decided)]
        lines.append(bullets([*told, f"expected {check.expected}", f"got {check.got}"]))
    if check.reason:
        lines.append(bullets([check.reason]))
    if check.curl:
        lines.append(code(shortened(check.curl)))
    return "\n\n".join(lines)


def junit_document(report: Report) -> bytes:
    """Green if and only if the target conforms: a CI shows skipped as green, so ``conforms`` is a case of its own."""
    told = verdict(report)
    whole = None if report.conforms else Failure(xml_text(told), "does_not_conform")
    cases = [case(SUITE, "conforms", whole, told)]
    cases += [
        case(SUITE, check.id, _result(check), "\n".join(_output(check)), check.duration_s) for check in report.checks
    ]
    broken = Error(xml_text("; ".join(report.errors)), "broken") if report.errors else None
    left = Failure(xml_text("; ".join(report.leaks)), "leak") if report.leaks else None
    cases += [case(SUITE, "run", broken), case(SUITE, "leaks", left)]
    facts = {"target": report.target.name, "seed": str(report.seed), "replay": report.replay, "run_id": report.run_id}
    return suite_document(SUITE, cases, started_utc=report.started_utc, properties=facts)


def _result(check: CheckResult) -> Failure | Error | Skipped | None:
    if check.outcome is Outcome.DEVIATION:
        return Failure(xml_text(f"{_graded(check)}: expected {check.expected}, got {check.got}"), str(check.grade))
    if check.outcome is Outcome.NOT_EXERCISED:
        return Skipped(xml_text(check.reason), "not_exercised")
    if check.outcome is Outcome.MEASUREMENT_ERROR:
        return Error(xml_text(check.reason), "measurement_error")
    return None


def _output(check: CheckResult) -> list[str]:
    """Of an advice too, which is green: nothing is broken."""
    found = [check.sentence, *([str(check.source)] if check.source else []), *check.decided]
    if check.outcome is Outcome.ADVICE:
        found.append(f"{_graded(check)}: expected {check.expected}, got {check.got}")
    return [*found, *([check.curl] if check.curl else [])]
