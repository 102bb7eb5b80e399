"""``scaling.json``, ``report.html``, ``junit.xml``, ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from junitparser import Error, Failure, Skipped, TestCase

from harness.model.scaling import PartResult, ScalingFinding, ScalingReport
from harness.model.verdict import Verdict
from harness.report.files import write_atomically
from harness.report.junit_parts import case, suite_document, xml_text
from harness.report.summary import bullets, code, plain, table

SCALING_JSON = "scaling.json"
SUITE = "scaling"
_TEMPLATES = Path(__file__).resolve().parent.parent / "report" / "templates"


def write_report(folder: Path, report: ScalingReport, suite: str = SUITE) -> None:
    """Writes all of them into ``folder``, the JSON as ``<suite>.json``. Raises ``EvidenceNotWritten``."""
    write_atomically(folder / f"{suite}.json", msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    write_atomically(folder / "junit.xml", junit(report, suite))
    write_atomically(folder / "summary.md", summary(report).encode())
    write_atomically(folder / "report.html", html(report, suite).encode())


def text(report: ScalingReport, folder: str) -> str:
    """The closing lines for a terminal."""
    lines = []
    for part in report.parts:
        lines.append(f"{part.name}: {part.title}")
        lines += [f"  {each.verdict:<13} {each.claim}: {each.reason}" for each in part.findings]
        lines += [f"  observed: {line}" for line in part.observed]
    lines += [f"LEAK {leak}" for leak in report.leaks]
    lines += [f"error: {error}" for error in report.errors]
    timings = ", ".join(f"{name} {value:.1f} s" for name, value in report.timings.items())
    lines += [f"timings: {timings}", f"report: {folder}/report.html (exit status {report.exit_status})"]
    return "\n".join(lines)


def summary(report: ScalingReport) -> str:
    """``summary.md``."""
    told = "all claims exercised passed" if report.exit_status == 0 else f"exit status {report.exit_status}"
    facts = [
        f"seed {report.seed}, rung {report.rung}, run {report.run_id}, started {report.started_utc}",
        f"target: {report.target}; CPU requests and limits times {report.cpu_factor:.2f}",
    ]
    parts = [f"## {plain(report.title)}: {told}", code(report.replay), bullets(facts)]
    if report.errors:
        parts += ["### What broke", bullets(report.errors)]
    if report.leaks:
        parts += ["### Left on the machine", bullets(report.leaks)]
    rows = [
        (part.name, str(each.verdict).replace("_", " "), each.claim, plain(each.value), plain(each.reason))
        for part in report.parts
        for each in part.findings
    ]
    parts += ["### Claims", table(("part", "verdict", "claim", "measured", "why"), rows)]
    observed = [plain(f"{part.name}: {line}") for part in report.parts for line in part.observed]
    parts += ["### Observed", bullets(observed)] if observed else []
    return "\n\n".join(parts) + "\n"


def junit(report: ScalingReport, suite: str = SUITE) -> bytes:
    """One test case a claim of a part, one for what broke, one for leaks."""
    cases = [_case(part, each, suite) for part in report.parts for each in part.findings]
    cases += [
        case(suite, name, Failure(xml_text("; ".join(told)), name) if told else None)
        for name, told in (("run", report.errors), ("leaks", report.leaks))
    ]
    properties = {"replay": report.replay, "seed": str(report.seed), "rung": str(report.rung)}
    return suite_document(suite, cases, started_utc=report.started_utc, properties=properties)


def _case(part: PartResult, finding: ScalingFinding, suite: str) -> TestCase:
    told = xml_text(f"{finding.value}; {finding.reason}")
    results: dict[Verdict, Failure | Error | Skipped] = {
        Verdict.FAIL: Failure(told, "fail"),
        Verdict.INCONCLUSIVE: Error(told, "inconclusive"),
        Verdict.NOT_EXERCISED: Skipped(told, "not_exercised"),
    }
    seconds = (part.end_ns - part.start_ns) / 1e9 / max(1, len(part.findings))
    return case(f"{suite}.{part.name}", finding.claim, results.get(finding.verdict), told, seconds)


def html(report: ScalingReport, suite: str = SUITE) -> str:
    """``report.html``: self-contained, without script."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("scaling.html.j2").render(report=report, suite=suite)
