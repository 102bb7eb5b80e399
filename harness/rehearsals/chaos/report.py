"""``chaos.json``, ``report.html``, ``junit.xml``, ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.rehearsals.chaos.types import ChaosReport, ExperimentResult
from harness.report import words
from harness.report.files import write_atomically
from harness.report.frame import by_status, closing_lines, head
from harness.report.junit_parts import judged_case, run_cases, suite_document
from harness.report.language import ENGLISH, Language
from harness.report.page import errata_views
from harness.report.summary import changes_section, errata_section, opening, plain, table
from harness.report.templates import page
from harness.report.verdict_rows import counted, verdict_row
from scenarios.claims import REGISTER

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
    lines = [f"  {words.VERDICT[result.verdict]:<13} {result.name}: {result.reason}" for result in report.experiments]
    lines += [f"  {words.VERDICT[check.verdict]:<13} {check.name}: {check.detail}" for check in report.checks]
    return "\n".join([*lines, *closing_lines(report, folder)])


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


class FailoverRow(msgspec.Struct, frozen=True, kw_only=True):
    """A failover as the tables show it."""

    number: int
    commit: str
    detect: str
    promote: str
    lead: str
    outage: str


def failovers(report: ChaosReport, say: Language) -> list[FailoverRow]:
    """Those of the database, in words; [] when no experiment had one."""
    return [
        FailoverRow(
            number=result.number,
            commit=say("synchronous") if seen.synchronous else say("asynchronous"),
            detect=f"{seen.detect_s:.1f} s",
            promote=f"{seen.promote_s:.2f} s",
            lead=f"{seen.lead_s:.2f} s",
            outage="–" if seen.outage_s is None else f"{seen.outage_s:.1f} s",
        )
        for result in report.experiments
        if (seen := result.failover) is not None
    ]


def failover_heads(say: Language) -> tuple[str, ...]:
    """Of ``FailoverRow``'s columns but the first."""
    return (say("Commit"), say("Detected after"), say("Promoted in"), say("Pods switched in"), say("Writes failed for"))


def stand_in(say: Language) -> str:
    """How real a failover here is."""
    return say(
        "A stand-in for Cloud SQL's regional disk replication: here PostgreSQL streams its WAL to a standby, a "
        "heartbeat of the rehearsal's own detects the loss, and the sidecars are pointed at the standby in place "
        "of an address that moves. Detection and promotion take other times at Cloud SQL."
    )


def title(report: ChaosReport, say: Language) -> str:
    """The page's title."""
    return say("Chaos: {count} experiments", count=len(report.experiments))


def summary(report: ChaosReport, say: Language = ENGLISH) -> str:
    """``summary.md``."""
    ending = by_status(report, say, counted([r.verdict for r in report.experiments], say))
    parts = opening(report, say, title(report, say), ending, bundled=report.target_bundled)
    heads = (say("Experiment"), say("Verdict"), f"{say('Failed')}:", f"{say('Outage')}:", f"{say('Steady again')}:",
             say("Why"))  # fmt: skip
    experiments = [
        (
            plain(f"{r.result.number}. {say(r.result.title)}"),
            r.verdict,
            r.failed,
            r.outage,
            r.recovered,
            plain(say.told(r.result.told, r.result.reason)),
        )
        for r in rows(report, say)
    ]
    parts += [f"### {say('Experiments')}", table(heads, experiments)]
    if shown := failovers(report, say):
        lines = [(f"{row.number}", row.commit, row.detect, row.promote, row.lead, row.outage) for row in shown]
        told = table((say("Experiment"), *failover_heads(say)), lines)
        parts += [f"### {say('Failover of the database')}", stand_in(say), told]
    if report.checks:
        checks = [
            (plain(c.name), say(words.VERDICT[c.verdict]), plain(say.told(c.told, c.detail))) for c in report.checks
        ]
        check_heads = (say("Check"), say("Verdict"), say("Found"))
        parts += [f"### {say('Checks of the whole run')}", table(check_heads, checks)]
    parts += errata_section(report.errata_seen, say)
    parts += changes_section(report, say)
    return "\n\n".join(parts) + "\n"


def junit(report: ChaosReport) -> bytes:
    """One test case an experiment and a checker, one for what broke, one for leaks."""
    cases = [judged_case(SUITE, f"{r.number:02d}-{r.name}", r.verdict, r.reason) for r in report.experiments]
    cases += [judged_case(SUITE, c.name, c.verdict, c.detail) for c in report.checks]
    cases += run_cases(SUITE, report)
    properties = {"replay": report.replay, "seed": str(report.seed), "rung": str(report.rung)}
    return suite_document(SUITE, cases, started_utc=report.started_utc, properties=properties)


def html(report: ChaosReport, say: Language = ENGLISH) -> str:
    """``report.html``: self-contained, without script."""
    ending = by_status(report, say, counted([r.verdict for r in report.experiments], say))
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
        "failovers": failovers(report, say),
        "failover_heads": failover_heads(say),
        "stand_in": stand_in(say),
        "errata": errata_views(report.errata_seen, REGISTER, say),
        "checks": [
            verdict_row(c.verdict, say, subject=c.name, reason=say.told(c.told, c.detail), examples=c.examples)
            for c in report.checks
        ],
    }
    return page("chaos.html.j2", say, context)
