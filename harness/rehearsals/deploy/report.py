"""``deploy.json``, ``report.html``, ``junit.xml``, ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.model.verdict import Verdict
from harness.rehearsals.deploy.types import DeployReport, PartResult
from harness.report import words
from harness.report.files import write_atomically
from harness.report.frame import by_status, closing_lines, head
from harness.report.junit_parts import judged_case, run_cases, suite_document
from harness.report.language import ENGLISH, Language
from harness.report.page import errata_views
from harness.report.summary import bullets, changes_section, errata_section, opening, plain, table
from harness.report.templates import page
from harness.report.verdict_rows import VerdictRow, counted, verdict_row
from scenarios.claims import REGISTER

DEPLOY_JSON = "deploy.json"
SUITE = "deploy"


def write_report(folder: Path, report: DeployReport, say: Language = ENGLISH) -> None:
    """Writes all of them into ``folder``. Raises ``EvidenceNotWritten``."""
    write_atomically(folder / DEPLOY_JSON, msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    write_atomically(folder / "junit.xml", junit(report))
    write_atomically(folder / "summary.md", summary(report, say).encode())
    write_atomically(folder / "report.html", html(report, say).encode())


def text(report: DeployReport, folder: str) -> str:
    """The closing lines for a terminal."""
    lines = []
    for part in report.parts:
        lines.append(f"{part.name}: {part.title} ({part.manifests}); {part.failed} of {part.calls} bad")
        lines += [f"  {words.VERDICT[each.verdict]:<13} {each.claim}: {each.reason}" for each in part.findings]
        lines += [f"  observed: {line}" for line in part.observed]
    lines += [f"  {words.VERDICT[check.verdict]:<13} {check.name}: {check.detail}" for check in report.checks]
    return "\n".join([*lines, *closing_lines(report, folder)])


class PartView(msgspec.Struct, frozen=True, kw_only=True):
    """A part as the page shows it."""

    part: PartResult
    failed: str
    bad: str
    findings: list[VerdictRow]


def views(report: DeployReport, say: Language) -> list[PartView]:
    """The parts in words."""
    return [
        PartView(
            part=part,
            failed=say("{failed} of {all}", failed=part.failed, all=part.calls),
            bad="–" if part.bad_s is None else f"{part.bad_s:.1f} s",
            findings=[
                verdict_row(each.verdict, say, subject=each.claim, value=each.value, reason=each.reason)
                for each in part.findings
            ],
        )
        for part in report.parts
    ]


def _verdicts(report: DeployReport) -> list[Verdict]:
    return [each.verdict for part in report.parts for each in part.findings]


def summary(report: DeployReport, say: Language = ENGLISH) -> str:
    """``summary.md``."""
    ending = by_status(report, say, counted(_verdicts(report), say))
    parts = opening(report, say, say(report.title), ending, bundled=report.target_bundled)
    for view in views(report, say):
        parts.append(f"### {plain(say(view.part.title))}")
        facts = [
            say(
                "manifests {manifests}, version {version}",
                manifests=view.part.manifests,
                version=view.part.version.name,
            ),
            say("{failed} bad, from the first to the last {seconds}", failed=view.failed, seconds=view.bad),
        ]
        parts.append(bullets([*facts, *(plain(line) for line in view.part.observed)]))
        heads = (say("Verdict"), say("Claim"), say("Measured"), say("Why"))
        parts.append(table(heads, [(r.verdict, plain(r.subject), r.value, plain(r.reason)) for r in view.findings]))
    if report.checks:
        checks = [(plain(c.name), say(words.VERDICT[c.verdict]), plain(c.detail)) for c in report.checks]
        parts += [f"### {say('Checks of the whole run')}", table((say("Check"), say("Verdict"), say("Found")), checks)]
    parts += errata_section(report.errata_seen, say)
    parts += changes_section(report, say)
    return "\n\n".join(parts) + "\n"


def junit(report: DeployReport) -> bytes:
    """One test case a claim of a part and a checker, one for what broke, one for leaks."""
    cases = [
        judged_case(f"{SUITE}.{part.name}", each.claim, each.verdict, f"{each.value}; {each.reason}")
        for part in report.parts
        for each in part.findings
    ]
    cases += [judged_case(SUITE, check.name, check.verdict, check.detail) for check in report.checks]
    cases += run_cases(SUITE, report)
    properties = {"replay": report.replay, "seed": str(report.seed), "rung": str(report.rung)}
    return suite_document(SUITE, cases, started_utc=report.started_utc, properties=properties)


def html(report: DeployReport, say: Language = ENGLISH) -> str:
    """``report.html``: self-contained, without script."""
    ending = by_status(report, say, counted(_verdicts(report), say))
    context = {
        "report": report,
        "head": head(
            report, say,
            title=say(report.title), ending=ending, bundled=report.target_bundled,
            broke=report.errors, leaks=report.leaks,
        ),
        "views": views(report, say),
        "errata": errata_views(report.errata_seen, REGISTER, say),
        "checks": [verdict_row(c.verdict, say, subject=c.name, reason=c.detail) for c in report.checks],
    }  # fmt: skip
    return page("deploy.html.j2", say, context)
