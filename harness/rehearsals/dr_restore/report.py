"""``dr.json`` and its schema, ``report.html``, ``junit.xml``, ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from junitparser import Failure

from harness.model.message import marked
from harness.model.units import Unit, show
from harness.model.verdict import Verdict
from harness.rehearsals.dr_restore.result import RTO_PARTS, SCHEMA_VERSION, Finding, RecoveryReport
from harness.report.files import write_atomically
from harness.report.frame import Ending, by_status, head, nothing_line
from harness.report.html import REPORT_HTML
from harness.report.junit import JUNIT_XML
from harness.report.junit_parts import case, judged_case, run_cases, suite_document, xml_text
from harness.report.language import ENGLISH, Language
from harness.report.page import errata_views, files
from harness.report.summary import SUMMARY_MD, bullets, code, plain, table
from harness.report.templates import page
from harness.report.verdict_rows import counted
from harness.report.words import VERDICT, VERDICT_SIGN, report_line
from scenarios.claims import REGISTER

DR_JSON = "dr.json"
SCHEMA_FILE = Path(__file__).with_name("dr.schema.json")


def write_report(folder: Path, report: RecoveryReport, say: Language = ENGLISH) -> None:
    """Writes everything into ``folder``. Raises ``EvidenceNotWritten``."""
    write_atomically(folder / DR_JSON, msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    write_atomically(folder / JUNIT_XML, junit(report))
    write_atomically(folder / SUMMARY_MD, summary(report, say).encode())
    write_atomically(folder / REPORT_HTML, html(folder, report, say).encode())


def schema() -> bytes:
    """The JSON Schema of ``dr.json``, from the types, as it is committed."""
    document = msgspec.json.schema(RecoveryReport)
    document["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    document["title"] = "A recovery rehearsal of TekuToko"
    document["$defs"]["RecoveryReport"]["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    return msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=2) + b"\n"


PASSED, NOT_PASSED = marked("Recovered as promised"), marked("Not as promised")
NOT_SHOWN = marked("Not shown to recover as promised")
PART = {
    "detect": marked("detect"),
    "restore": marked("restore"),
    "replay": marked("replay"),
    "switch": marked("switch"),
    "ready": marked("ready"),
}
STAND_IN = marked("{database} stands in for Cloud SQL, its own tools for Cloud SQL's")


def ending(report: RecoveryReport, say: Language) -> Ending:
    """How it ended: a word, and how many findings of each verdict."""
    counts = counted([finding.verdict for finding in report.findings], say) or say("nothing was judged")
    failed = any(finding.verdict is Verdict.FAIL for finding in report.findings)
    return by_status(report, say, counts, passed=PASSED, not_passed=NOT_PASSED if failed else NOT_SHOWN)


def verdict(report: RecoveryReport, say: Language = ENGLISH) -> str:
    """One line: how it ended."""
    ended = ending(report, say)
    return f"{ended.sign} {ended.word}: {say(report.title)} ({ended.reason})"


def amount(value: float | None, unit: str) -> str:
    """A figure as people read it; long times in hours or minutes."""
    if value is None:
        return "–"
    if unit == Unit.RATIO:
        return show(value, Unit.RATIO)
    for least, size, word in ((3600, 3600, "h"), (120, 60, "min")):
        if value >= least:
            return f"{value / size:.3g} {word}"
    return f"{value:.3g} s"


def limit(finding: Finding) -> str:
    """What the claim allows."""
    return amount(finding.limit, finding.unit) if finding.limit is not None else ""


def measured(finding: Finding) -> str:
    """What was measured and what the claim allows: ``1.84 s (limit 1 h)``."""
    seen, allowed = amount(finding.value, finding.unit), limit(finding)
    return f"{seen} (limit {allowed})" if allowed else seen


def text(report: RecoveryReport, folder: str) -> str:
    """For a terminal."""
    lines = [
        f"  {VERDICT[each.verdict]:<13} {each.id:<24} {measured(each):<24} {each.reason}" for each in report.findings
    ]
    for one in report.cases:
        parts = " + ".join(f"{part} {one.rto_s[part]:.1f}" for part in RTO_PARTS)
        lines.append(f"  RTO {one.total_s:.1f} s = {parts}: {one.title}")
        lines += [f"    NOT OK {check.name}: {check.told}" for check in one.checks if not check.ok]
    lines += [f"  erratum {erratum.id}: {erratum.seen}" for erratum in report.errata]
    lines += [f"  not exercised {what}: {why}" for what, why in report.not_exercised]
    lines += [f"  LEAK {leak}" for leak in report.leaks]
    lines += [f"error: {error}" for error in report.errors]
    timings = ", ".join(f"{name} {value:.1f} s" for name, value in report.timings.items())
    lines += [
        verdict(report),
        *nothing_line(report),
        f"timings: {timings}",
        report_line(folder, report.exit_status, ENGLISH),
    ]
    return "\n".join(lines)


def prediction(report: RecoveryReport, say: Language) -> str:
    """The restore time of a production size, in one sentence; "" where no sizes were measured."""
    found = report.prediction
    if found is None:
        return ""
    if found.expected_s is None:
        return say(
            "{name}: nothing is predicted, the measured restores do not take longer with size ({slope} s a GiB). "
            "Machine: {machine}.",
            name=found.name,
            slope=f"{found.seconds_per_gib:.2f}",
            machine=found.machine,
        )
    return say(
        "{name}, {size} GiB: {expected}, at most {upper} (95 % prediction bound of a straight line, {slope} s a GiB). "
        "Machine: {machine}.",
        name=found.name,
        size=f"{found.production_bytes / 1024**3:.4g}",
        expected=amount(found.expected_s, "s"),
        upper=amount(found.upper_s, "s"),
        slope=f"{found.seconds_per_gib:.2f}",
        machine=found.machine,
    )


def html(folder: Path, report: RecoveryReport, say: Language = ENGLISH) -> str:
    """The page; whatever comes from evidence is escaped."""
    context: dict[str, Any] = {
        "report": report,
        "head": head(
            report,
            say,
            title=say(report.title),
            ending=ending(report, say),
            bundled=False,
            broke=report.errors,
            leaks=report.leaks,
            rung_words=say(STAND_IN, database=report.database),
        ),
        "words": VERDICT,
        "signs": VERDICT_SIGN,
        "amount": amount,
        "limit": limit,
        "parts": PART,
        "prediction": prediction(report, say),
        "register": REGISTER,
        "errata": errata_views(report.errata, REGISTER, say),
        "files": files(folder),
        "mib": 1024**2,
    }
    return page("recovery.html.j2", say, context)


def junit(report: RecoveryReport) -> bytes:
    """Green if and only if everything passed."""
    name = report.scenario
    whole = None if report.passed else Failure(xml_text(verdict(report)), "not_as_promised")
    cases = [case(name, "recovered_as_promised", whole)]
    for each in report.findings:
        cases.append(judged_case(name, each.id, each.verdict, f"claim {each.claim}\n{each.reason}"))
    cases += run_cases(name, report)
    facts = {"seed": str(report.seed), "replay": report.replay, "run_id": report.run_id}
    return suite_document(f"{name} on {report.rung}", cases, started_utc=report.started_utc, properties=facts)


def summary(report: RecoveryReport, say: Language = ENGLISH) -> str:
    """``summary.md``."""
    rows = [
        (
            f"{VERDICT_SIGN[each.verdict]} **{say(VERDICT[each.verdict])}**",
            plain(each.id),
            plain(each.claim),
            amount(each.value, each.unit),
            amount(each.bound, each.unit),
            limit(each) or "–",
            plain(each.reason),
        )
        for each in report.findings
    ]
    cases = [
        (
            plain(each.title),
            amount(each.loss.rpo_s, "s"),
            *(f"{each.rto_s[part]:.2f}" for part in RTO_PARTS),
            f"{each.total_s:.2f}",
            say("all hold") if each.ok else plain("; ".join(c.name for c in each.checks if not c.ok)),
        )
        for each in report.cases
    ]
    parts = [
        f"## {plain(verdict(report, say))}",
        code(report.replay),
        bullets([f"run {report.run_id}", report.machine]),
    ]
    if report.errors:
        parts += [f"### {say('What broke')}", bullets(report.errors)]
    if report.leaks:
        parts += [f"### {say('Left on the machine')}", bullets(report.leaks)]
    heads = (
        say("verdict"),
        say("what"),
        say("claim"),
        f"{say('Seen')}:",
        f"{say('Bound (95 %)')}:",
        f"{say('Limit')}:",
        say("why"),
    )
    parts += [f"### {say('Findings')}", table(heads, rows)]
    case_heads = (say("disaster"), "RPO:", *(f"{say(PART[p])} s:" for p in RTO_PARTS), "RTO s:", say("checks"))
    parts += [f"### {say('Disasters')}", table(case_heads, cases)]
    parts += [f"### {say('Errata seen')}", bullets(f"{each.id}: {each.seen}" for each in report.errata)]
    parts += [f"### {say('Not exercised')}", bullets(f"{what}: {why}" for what, why in report.not_exercised)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_bytes(schema())
