"""A night's ``chaos_nightly.json``, ``report.html``, ``junit.xml``, ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.model.errors import Exit
from harness.model.verdict import Verdict
from harness.rehearsals.chaos.types import DrawnSchedule, NightReport
from harness.report.files import write_atomically
from harness.report.frame import by_status, closing_lines, head
from harness.report.html import REPORT_HTML
from harness.report.junit_parts import case, result_of, run_cases, suite_document
from harness.report.language import ENGLISH, Language
from harness.report.summary import opening, plain, table
from harness.report.templates import page
from harness.report.words import VERDICT_SIGN

NIGHT_JSON = "chaos_nightly.json"
SUITE = "chaos_nightly"
_SIGN = {Exit.OK: "✓", Exit.HOLD: "■"}
_CSS = {Exit.OK: "pass", Exit.HOLD: "inconclusive"}


def write_report(folder: Path, report: NightReport, say: Language = ENGLISH) -> None:
    """Writes all of them into ``folder``. Raises ``EvidenceNotWritten``."""
    write_atomically(folder / NIGHT_JSON, msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    write_atomically(folder / "junit.xml", junit(report))
    write_atomically(folder / "summary.md", summary(report, say).encode())
    write_atomically(folder / "report.html", html(report, say).encode())


def text(report: NightReport, folder: str) -> str:
    """The closing lines for a terminal: every schedule that is not whole, and the count."""
    lines = []
    for each in report.schedules:
        if each.verdict is Verdict.FAIL:
            lines.append(f"  seed {each.seed} ended in {each.exit_status}; replay: {each.replay}")
            lines += [f"    {line}" for line in (*each.shortcomings, *each.broke)]
    return "\n".join([*lines, counts(report, ENGLISH), *closing_lines(report, folder)])


def counts(report: NightReport, say: Language) -> str:
    """How many of the schedules asked for were made, and how they ended."""
    failed = [each for each in report.schedules if each.verdict is Verdict.FAIL]
    nothing = sum(each.nothing for each in report.schedules)
    told = say(
        "{made} of {asked} schedules made: {passed} passed, {nothing} had nothing that the environment can do, "
        "{failed} did not pass, {broke} of them for a failure of the rehearsal itself",
        made=str(len(report.schedules)),
        asked=str(report.asked),
        passed=str(len(report.schedules) - len(failed) - nothing),
        nothing=str(nothing),
        failed=str(len(failed)),
        broke=str(sum(bool(each.broke) for each in failed)),
    )
    if report.exercised >= report.least:
        return told
    too_few = say("that is too few: at least {least} were to do something", least=str(report.least))
    return f"{told}; {too_few}"


class ScheduleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as the tables show it."""

    schedule: DrawnSchedule
    sign: str
    css: str
    ending: str
    failed: str
    link: str


def rows(report: NightReport, say: Language) -> list[ScheduleRow]:
    """The schedules in words."""
    return [
        ScheduleRow(
            schedule=each,
            sign=VERDICT_SIGN[each.verdict] if each.nothing else _SIGN.get(Exit(each.exit_status), "✗"),
            css=str(each.verdict) if each.nothing else _CSS.get(Exit(each.exit_status), "fail"),
            ending=say("exit status {status}", status=str(each.exit_status)),
            failed=say("{failed} of {all}", failed=each.failed, all=each.calls),
            link=f"{each.folder}/{REPORT_HTML}" if each.folder else "",
        )
        for each in report.schedules
    ]


def title(report: NightReport, say: Language) -> str:
    """The page's title."""
    return say("A night of chaos: {count} schedules", count=len(report.schedules))


def summary(report: NightReport, say: Language = ENGLISH) -> str:
    """``summary.md``."""
    ending = by_status(report, say, counts(report, say))
    parts = opening(report, say, title(report, say), ending, bundled=report.target_bundled)
    heads = (say("Seed"), say("Ended"), say("Experiments"), f"{say('Failed')}:", say("Why"), say("Report"))
    lines = [
        (
            str(row.schedule.seed),
            f"{row.sign} {row.ending}",
            plain(", ".join(row.schedule.drawn)),
            row.failed,
            "<br>".join(plain(line) for line in (*row.schedule.shortcomings, *row.schedule.broke)) or "–",
            f"[{say('report')}]({row.link})" if row.link else "–",
        )
        for row in rows(report, say)
    ]
    return "\n\n".join([*parts, f"### {say('Schedules')}", table(heads, lines)]) + "\n"


def junit(report: NightReport) -> bytes:
    """One test case a schedule, one for what broke, one for leaks."""
    cases = []
    for each in report.schedules:
        told = "; ".join((*each.shortcomings, *each.broke)) or f"exit status {each.exit_status}"
        name = f"seed {each.seed}: {', '.join(each.drawn)}"
        cases.append(case(SUITE, name, result_of(each.verdict, told), seconds=each.seconds))
    properties = {"replay": report.replay, "seed": str(report.seed), "rung": str(report.rung)}
    properties |= {"asked": str(report.asked), "made": str(len(report.schedules))}
    cases += run_cases(SUITE, report)
    return suite_document(SUITE, cases, started_utc=report.started_utc, properties=properties)


def html(report: NightReport, say: Language = ENGLISH) -> str:
    """``report.html``: self-contained but for the links to the schedules' own reports beside it."""
    context = {
        "report": report,
        "head": head(
            report,
            say,
            title=title(report, say),
            ending=by_status(report, say, counts(report, say)),
            bundled=report.target_bundled,
            broke=report.errors,
            leaks=report.leaks,
        ),
        "schedules": rows(report, say),
    }
    return page("night.html.j2", say, context)
