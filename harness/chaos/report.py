"""``chaos.json``, ``report.html``, ``junit.xml``, ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from pathlib import Path

import msgspec
from junitparser import Error, Failure, Skipped, TestCase

from harness.model.chaos import ChaosReport, CheckSummary, ExperimentResult
from harness.model.verdict import Verdict
from harness.report import words
from harness.report.files import write_atomically
from harness.report.frame import by_status, head, run_facts
from harness.report.junit_parts import case, suite_document, xml_text
from harness.report.language import ENGLISH, Language
from harness.report.summary import bullets, code, plain, table
from harness.report.templates import page
from harness.report.verdict_rows import counted, verdict_row

CHAOS_JSON = "chaos.json"
SUITE = "chaos"


def write_report(folder: Path, report: ChaosReport, say: Language = ENGLISH) -> None:
    """Writes all of them into ``folder``. Raises ``EvidenceNotWritten``."""
    write_atomically(folder / CHAOS_JSON, msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    write_atomically(folder / "junit.xml", junit(report))
    write_atomically(folder / "summary.md", summary(report, say).encode())
    write_atomically(folder / "report.html", html(report, say).encode())


def text(report: ChaosReport, folder: str) -> str:
    """The closing lines for a terminal."""
    lines = [f"  {result.verdict:<13} {result.name}: {result.reason}" for result in report.experiments]
    lines += [f"  {check.verdict:<13} {check.name}: {check.detail}" for check in report.checks]
    lines += [f"LEAK {leak}" for leak in report.leaks]
    lines += [f"error: {error}" for error in report.errors]
    timings = ", ".join(f"{name} {value:.1f} s" for name, value in report.timings.items())
    return "\n".join(
        [*lines, f"timings: {timings}", f"report: {folder}/report.html (exit status {report.exit_status})"]
    )


class ExperimentRow(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment as the tables show it."""

    result: ExperimentResult
    sign: str
    verdict: str
    failed: str
    outage: str
    recovered: str


def rows(report: ChaosReport, say: Language) -> list[ExperimentRow]:
    """The experiments in words."""
    return [
        ExperimentRow(
            result=result,
            sign=words.VERDICT_SIGN[result.verdict],
            verdict=say(words.VERDICT[result.verdict]),
            failed=say("{failed} of {all}", failed=result.failed, all=result.calls),
            outage="–" if result.outage_s is None else f"{result.outage_s:.1f} s",
            recovered="–" if result.recovered_s is None else f"{result.recovered_s:.1f} s",
        )
        for result in report.experiments
    ]


def title(report: ChaosReport, say: Language) -> str:
    """The page's title."""
    return say("Chaos: {count} experiments", count=len(report.experiments))


def summary(report: ChaosReport, say: Language = ENGLISH) -> str:
    """``summary.md``."""
    ending = by_status(report.exit_status, say, counted([r.verdict for r in report.experiments], say))
    parts = [
        f"## {ending.sign} {ending.word}: {title(report, say)}",
        ending.reason,
        code(report.replay),
        bullets(run_facts(report, report.run_id, report.exit_status, say, bundled=report.target_bundled)),
    ]
    if report.errors:
        parts += [f"### {say('What broke')}", bullets(report.errors)]
    if report.leaks:
        parts += [f"### {say('Left on the machine')}", bullets(report.leaks)]
    heads = (say("Experiment"), say("Verdict"), f"{say('Failed')}:", f"{say('Outage')}:", f"{say('Steady again')}:",
             say("Why"))  # fmt: skip
    shown = [
        (
            plain(f"{r.result.number}. {r.result.title}"),
            r.verdict,
            r.failed,
            r.outage,
            r.recovered,
            plain(say.told(r.result.told, r.result.reason)),
        )
        for r in rows(report, say)
    ]
    parts += [f"### {say('Experiments')}", table(heads, shown)]
    if report.checks:
        checks = [
            (plain(c.name), say(words.VERDICT[c.verdict]), plain(say.told(c.told, c.detail))) for c in report.checks
        ]
        check_heads = (say("Check"), say("Verdict"), say("Found"))
        parts += [f"### {say('Checks of the whole run')}", table(check_heads, checks)]
    return "\n\n".join(parts) + "\n"


def junit(report: ChaosReport) -> bytes:
    """One test case an experiment and a checker, one for what broke, one for leaks."""
    cases = [_case(f"{r.number:02d}-{r.name}", r) for r in report.experiments]
    cases += [_case(c.name, c) for c in report.checks]
    cases += [
        case(SUITE, name, Failure(xml_text("; ".join(told)), name) if told else None)
        for name, told in (("run", report.errors), ("leaks", report.leaks))
    ]
    properties = {"replay": report.replay, "seed": str(report.seed), "rung": str(report.rung)}
    return suite_document(SUITE, cases, started_utc=report.started_utc, properties=properties)


def _case(name: str, result: ExperimentResult | CheckSummary) -> TestCase:
    told = xml_text(result.reason if isinstance(result, ExperimentResult) else result.detail)
    results: dict[Verdict, Failure | Error | Skipped] = {
        Verdict.FAIL: Failure(told, "fail"),
        Verdict.INCONCLUSIVE: Error(told, "inconclusive"),
        Verdict.NOT_EXERCISED: Skipped(told, "not_exercised"),
    }
    return case(SUITE, name, results.get(result.verdict), told)


def html(report: ChaosReport, say: Language = ENGLISH) -> str:
    """``report.html``: self-contained, without script."""
    ending = by_status(report.exit_status, say, counted([r.verdict for r in report.experiments], say))
    context = {
        "report": report,
        "head": head(
            report,
            say,
            title=title(report, say),
            ending=ending,
            bundled=report.target_bundled,
            broke=report.errors,
            leaks=report.leaks,
        ),
        "experiments": rows(report, say),
        "checks": [
            verdict_row(c.verdict, say, subject=c.name, reason=say.told(c.told, c.detail), examples=c.examples)
            for c in report.checks
        ],
    }
    return page("chaos.html.j2", say, context)
