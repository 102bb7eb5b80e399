"""``load.json``, ``report.html``, ``junit.xml``, ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from junitparser import Error, Failure, Skipped, TestCase

from harness.model.load_stages import ClaimResult, LoadReport, StepResult
from harness.model.verdict import Verdict
from harness.report.files import write_atomically
from harness.report.junit_parts import case, suite_document, xml_text
from harness.report.summary import bullets, code, plain, table
from harness.stages.chart import chart

LOAD_JSON = "load.json"
SUITE = "load_stages"
_TEMPLATES = Path(__file__).resolve().parent.parent / "report" / "templates"


def write_report(folder: Path, report: LoadReport) -> None:
    """Writes all of them into ``folder``. Raises ``EvidenceNotWritten``."""
    write_atomically(folder / LOAD_JSON, msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    write_atomically(folder / "junit.xml", junit(report))
    write_atomically(folder / "summary.md", summary(report).encode())
    write_atomically(folder / "report.html", html(report).encode())


def text(report: LoadReport, folder: str) -> str:
    """The closing lines for a terminal."""
    lines = [f"  {k.pods:>2} pods: {k.verdict:<13} {k.reason}" for k in report.knees]
    lines = ["knee of the rate with p95 and errors within their limits:", *lines] if lines else []
    lines += [f"  {c.verdict:<13} {c.claim}: {c.value or 'no data'}; {c.reason}" for c in report.claims]
    lines += [f"LEAK {leak}" for leak in report.leaks]
    lines += [f"error: {error}" for error in report.errors]
    timings = ", ".join(f"{name} {value:.1f} s" for name, value in report.timings.items())
    return "\n".join(
        [*lines, f"timings: {timings}", f"report: {folder}/report.html (exit status {report.exit_status})"]
    )


def rows(steps: tuple[StepResult, ...]) -> list[tuple[str, ...]]:
    """The steps as the table shows them."""
    return [
        (
            result.step.name,
            str(result.pods),
            f"{result.figures.offered_per_s:.1f}",
            f"{result.figures.answered_per_s:.1f}",
            *(
                "" if value is None else f"{value:.0f}"
                for value in (
                    result.figures.latency_p50_ms,
                    result.figures.latency_p95_ms,
                    result.figures.latency_p99_ms,
                )
            ),
            f"{result.figures.failed} of {result.figures.requests}",
            _cores(result.figures.pods_cpu_cores),
            _cores(result.figures.generator_cpu_cores),
            "" if result.figures.machine_cpu_ratio is None else f"{result.figures.machine_cpu_ratio * 100:.0f} %",
            str(result.verdict).replace("_", " "),
        )
        for result in steps
    ]


HEADS = ("step", "pods:", "offered/s:", "answered/s:", "p50 ms:", "p95 ms:", "p99 ms:", "failed:", "pods' cores:",
         "generator's:", "machine:", "verdict")  # fmt: skip


def _cores(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def summary(report: LoadReport) -> str:
    """``summary.md``."""
    told = "all claims exercised passed" if report.exit_status == 0 else f"exit status {report.exit_status}"
    parts = [
        f"## {plain(report.title)}: {told}",
        code(report.replay),
        bullets(
            [
                f"seed {report.seed}, rung {report.rung}, run {report.run_id}, started {report.started_utc}",
                f"target: {report.target}",
                f"limits: p95 below {report.p95_limit_ms:g} ms, errors below {report.error_limit * 100:g} %",
            ]
        ),
    ]
    if report.errors:
        parts += ["### What broke", bullets(report.errors)]
    if report.leaks:
        parts += ["### Left on the machine", bullets(report.leaks)]
    claims = [(str(c.verdict).replace("_", " "), c.claim, plain(c.value), plain(c.reason)) for c in report.claims]
    parts += ["### Claims", table(("verdict", "claim", "measured", "why"), claims)]
    knees = [
        (str(k.pods), "" if k.rate_per_s is None else f"{k.rate_per_s:.1f}", plain(k.reason)) for k in report.knees
    ]
    parts += ["### Knee", table(("pods:", "requests/s:", "why"), knees)] if knees else []
    parts += ["### Steps", table(HEADS, rows(report.steps))]
    return "\n\n".join(parts) + "\n"


def junit(report: LoadReport) -> bytes:
    """One test case a claim, one for what broke, one for leaks."""
    cases = [_case(claim) for claim in report.claims]
    cases += [
        case(SUITE, name, Failure(xml_text("; ".join(told)), name) if told else None)
        for name, told in (("run", report.errors), ("leaks", report.leaks))
    ]
    return suite_document(SUITE, cases, started_utc=report.started_utc, properties={"replay": report.replay})


def _case(claim: ClaimResult) -> TestCase:
    told = xml_text(f"{claim.value}; {claim.reason}")
    results: dict[Verdict, Failure | Error | Skipped] = {
        Verdict.FAIL: Failure(told, "fail"),
        Verdict.INCONCLUSIVE: Error(told, "inconclusive"),
        Verdict.NOT_EXERCISED: Skipped(told, "not_exercised"),
    }
    return case(SUITE, claim.claim, results.get(claim.verdict), told)


def html(report: LoadReport) -> str:
    """``report.html``: self-contained, without script."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    context: dict[str, Any] = {"report": report, "heads": HEADS, "rows": rows(report.steps), "chart": chart(report)}
    return environment.get_template("load_stages.html.j2").render(context)
