"""``load.json``, ``report.html``, ``junit.xml``, ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.model.claim import Claim
from harness.model.step import Arrivals, Step
from harness.model.units import Unit
from harness.rehearsals.load_stages.chart import chart
from harness.rehearsals.load_stages.types import ClaimResult, LoadReport, StepResult
from harness.report import words
from harness.report.files import write_atomically
from harness.report.frame import by_status, closing_lines, head
from harness.report.junit_parts import judged_case, run_cases, suite_document
from harness.report.language import ENGLISH, Language
from harness.report.page import errata_views
from harness.report.summary import changes_section, errata_section, opening, plain, table
from harness.report.templates import page
from harness.report.verdict_rows import counted, verdict_row

LOAD_JSON = "load.json"
SUITE = "load_stages"


def write_report(folder: Path, report: LoadReport, register: Mapping[str, Claim], say: Language = ENGLISH) -> None:
    """Writes all of them into ``folder``. Raises ``EvidenceNotWritten``."""
    write_atomically(folder / LOAD_JSON, msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    write_atomically(folder / "junit.xml", junit(report))
    write_atomically(folder / "summary.md", summary(report, say).encode())
    write_atomically(folder / "report.html", html(report, register, say).encode())


def text(report: LoadReport, folder: str) -> str:
    """The closing lines for a terminal."""
    lines = [f"  {k.pods:>2} pods: {words.VERDICT[k.verdict]:<13} {k.reason}" for k in report.knees]
    lines = ["knee of the rate with p95 and errors within their limits:", *lines] if lines else []
    lines += [
        f"  {words.VERDICT[c.verdict]:<13} {subject(c)}: {c.value or 'no data'}; {c.reason}" for c in report.claims
    ]
    return "\n".join([*lines, *closing_lines(report, folder)])


def rows(steps: tuple[StepResult, ...], say: Language) -> list[tuple[str, ...]]:
    """The steps as the table shows them."""
    return [
        (
            step_words(result.step, say),
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
            say("{failed} of {all}", failed=result.figures.failed, all=result.figures.requests),
            _cores(result.figures.pods_cpu_cores),
            _cores(result.figures.generator_cpu_cores),
            "" if result.figures.machine_cpu_ratio is None else f"{result.figures.machine_cpu_ratio * 100:.0f} %",
            say(words.VERDICT[result.verdict]),
        )
        for result in steps
    ]


def subject(result: ClaimResult, say: Language = ENGLISH) -> str:
    """What was judged: the claim, or what it states, of the target at hand."""
    return say("{claim}, of this target", claim=result.claim) if result.of_target else result.claim


def step_words(step: Step, say: Language) -> str:
    """A step's load in words, with the name that the evidence calls it by."""
    if step.arrivals is Arrivals.CLOSED:
        load = say("{count} in flight", count=step.in_flight)
    elif step.arrivals is Arrivals.EVEN:
        load = say("{number} users", number=step.users)
    elif not step.of_search:
        load = say("{rate}/s, as the document says", rate=f"{step.rate_per_s:g}")
    else:
        load = say("knee, with photo uploads") if step.photos_per_s else say("knee")
    return f"{load} ({step.name})"


def heads(say: Language) -> tuple[str, ...]:
    """The columns of ``rows``; a colon ends those of numbers."""
    numbers = (say("pods"), say("offered/s"), say("answered/s"), "p50 ms", "p95 ms", "p99 ms", say("failed"),
               say("pods' cores"), say("generator's cores"), say("machine"))  # fmt: skip
    return (say("step"), *(f"{name}:" for name in numbers), say("verdict"))


def _cores(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def limits(report: LoadReport, say: Language) -> str:
    """What a step has to keep."""
    latency, errors = say.amount(report.p95_limit_ms, Unit.MILLISECONDS), say.amount(report.error_limit, Unit.RATIO)
    return say("p95 below {latency}, errors below {errors}", latency=latency, errors=errors)


def summary(report: LoadReport, say: Language = ENGLISH) -> str:
    """``summary.md``."""
    ending = by_status(report, say, counted([c.verdict for c in report.claims], say))
    more = [say("limits: {limits}", limits=limits(report, say))]
    parts = opening(report, say, say(report.title), ending, bundled=report.target_bundled, more=more)
    claims = [
        (say(words.VERDICT[c.verdict]), subject(c, say), plain(c.value), plain(say.told(c.told, c.reason)))
        for c in report.claims
    ]
    claim_heads = (say("verdict"), say("claim"), say("measured"), say("why"))
    parts += [f"### {say('Claims')}", table(claim_heads, claims)]
    knees = [
        (str(k.pods), "" if k.rate_per_s is None else f"{k.rate_per_s:.1f}", plain(say.told(k.told, k.reason)))
        for k in report.knees
    ]
    knee_heads = (f"{say('pods')}:", f"{say('requests/s')}:", say("why"))
    parts += [f"### {say('Knee')}", table(knee_heads, knees)] if knees else []
    parts += [f"### {say('Steps')}", table(heads(say), rows(report.steps, say))]
    parts += errata_section(report.errata_seen, say)
    parts += changes_section(report, say)
    return "\n\n".join(parts) + "\n"


def junit(report: LoadReport) -> bytes:
    """One test case a claim, one for what broke, one for leaks."""
    cases = [judged_case(SUITE, subject(c), c.verdict, f"{c.value}; {c.reason}") for c in report.claims]
    cases += run_cases(SUITE, report)
    return suite_document(SUITE, cases, started_utc=report.started_utc, properties={"replay": report.replay})


def html(report: LoadReport, register: Mapping[str, Claim], say: Language = ENGLISH) -> str:
    """``report.html``: self-contained, without script."""
    ending = by_status(report, say, counted([c.verdict for c in report.claims], say))
    context: dict[str, Any] = {
        "report": report,
        "head": head(
            report,
            say,
            title=say(report.title),
            ending=ending,
            bundled=report.target_bundled,
            broke=report.errors,
            leaks=report.leaks,
        ),
        "limits": limits(report, say),
        "claims": [
            verdict_row(c.verdict, say, subject=subject(c, say), value=c.value, reason=say.told(c.told, c.reason))
            for c in report.claims
        ],
        "errata": errata_views(report.errata_seen, register, say),
        "heads": heads(say),
        "rows": rows(report.steps, say),
        "chart": chart(report),
    }
    return page("load_stages.html.j2", say, context)
