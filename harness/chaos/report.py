"""``chaos.json``, ``report.html``, ``junit.xml``, ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from junitparser import Error, Failure, Skipped, TestCase

from harness.model.chaos import ChaosReport, CheckSummary, ExperimentResult
from harness.model.verdict import Verdict
from harness.report.files import write_atomically
from harness.report.junit_parts import case, suite_document, xml_text
from harness.report.summary import bullets, code, plain, table

CHAOS_JSON = "chaos.json"
SUITE = "chaos"
_TEMPLATES = Path(__file__).resolve().parent.parent / "report" / "templates"
HEADS = ("experiment", "verdict", "failed:", "outage s:", "steady again s:", "why")


def write_report(folder: Path, report: ChaosReport) -> None:
    """Writes all of them into ``folder``. Raises ``EvidenceNotWritten``."""
    write_atomically(folder / CHAOS_JSON, msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    write_atomically(folder / "junit.xml", junit(report))
    write_atomically(folder / "summary.md", summary(report).encode())
    write_atomically(folder / "report.html", html(report).encode())


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


def rows(report: ChaosReport) -> list[tuple[str, ...]]:
    """The experiments as the table shows them."""
    return [
        (
            f"{result.number}. {result.title}",
            str(result.verdict).replace("_", " "),
            f"{result.failed} of {result.calls}",
            "" if result.outage_s is None else f"{result.outage_s:.1f}",
            "" if result.recovered_s is None else f"{result.recovered_s:.1f}",
            result.reason,
        )
        for result in report.experiments
    ]


def summary(report: ChaosReport) -> str:
    """``summary.md``."""
    counts = {verdict: sum(r.verdict is verdict for r in report.experiments) for verdict in Verdict}
    told = ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in counts.items() if count)
    parts = [
        f"## Chaos: {told or 'no experiment was run'}",
        code(report.replay),
        bullets([f"seed {report.seed}, rung {report.rung}, run {report.run_id}", f"target: {report.target}"]),
    ]
    if report.errors:
        parts += ["### What broke", bullets(report.errors)]
    if report.leaks:
        parts += ["### Left on the machine", bullets(report.leaks)]
    parts += ["### Experiments", table(HEADS, [[plain(cell) for cell in row] for row in rows(report)])]
    if report.checks:
        checks = [(plain(c.name), str(c.verdict).replace("_", " "), plain(c.detail)) for c in report.checks]
        parts += ["### Checks of the whole run", table(("check", "verdict", "found"), checks)]
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


def html(report: ChaosReport) -> str:
    """``report.html``: self-contained, without script."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("chaos.html.j2").render(report=report, heads=HEADS)
