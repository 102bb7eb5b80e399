"""``network.json``, ``report.html``, ``junit.xml``, ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from pathlib import Path

import msgspec
from junitparser import TestCase

from harness.model.message import marked
from harness.model.verdict import Verdict
from harness.rehearsals.network.types import NetworkFinding, NetworkReport
from harness.rehearsals.network.types_ingress import Scene
from harness.report import words
from harness.report.files import write_atomically
from harness.report.frame import by_status, closing_lines, head, run_facts
from harness.report.junit_parts import judged_case, run_cases, suite_document
from harness.report.language import ENGLISH, Language
from harness.report.page import errata_views
from harness.report.summary import bullets, changes_section, code, errata_section, plain, table
from harness.report.templates import page
from harness.report.verdict_rows import counted, verdict_row
from scenarios import claims

NETWORK_JSON = "network.json"
SUITE = "network"
SCENES = {
    Scene.KEPT_OUT: marked("its pod without the label"),
    Scene.OPEN: marked("on the way"),
    Scene.AS_WRITTEN: marked("the component as it is"),
}
TITLE = marked("Network of the pods: allowed paths work, all others are refused")


def write_report(folder: Path, report: NetworkReport, say: Language = ENGLISH) -> None:
    """Writes all of them into ``folder``. Raises ``EvidenceNotWritten``."""
    write_atomically(folder / NETWORK_JSON, msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    write_atomically(folder / "junit.xml", junit(report))
    write_atomically(folder / "summary.md", summary(report, say).encode())
    write_atomically(folder / "report.html", html(report, say).encode())


def text(report: NetworkReport, folder: str) -> str:
    """The closing lines for a terminal."""
    lines = [
        f"  {words.VERDICT[each.verdict]:<13} {each.check} ({each.claim}): {each.reason}" for each in report.findings
    ]
    failed = [each for each in report.findings if each.verdict is Verdict.FAIL]
    lines += [f"    {line}" for each in failed for line in each.examples]
    lines += [f"  observed: {line}" for line in report.observed]
    return "\n".join([*lines, *closing_lines(report, folder)])


def summary(report: NetworkReport, say: Language = ENGLISH) -> str:
    """``summary.md``."""
    ending = by_status(report, say, counted([each.verdict for each in report.findings], say))
    facts = run_facts(report, report.run_id, report.exit_status, say, bundled=report.target_bundled)
    parts = [f"## {ending.sign} {ending.word}: {say(TITLE)}", ending.reason, code(report.replay), bullets(facts)]
    if report.errors:
        parts += [f"### {say('What broke')}", bullets(report.errors)]
    if report.leaks:
        parts += [f"### {say('Left on the machine')}", bullets(report.leaks)]
    heads = (say("Check"), say("Verdict"), say("claim"), f"{say('Measured')}:", say("Why"))
    found = [
        (each.check, say(words.VERDICT[each.verdict]), each.claim, plain(each.value), plain(each.reason))
        for each in report.findings
    ]
    parts += [f"### {say('Checks')}", table(heads, found)]
    if report.paths:
        asked = [
            (
                plain(each.path),
                say("allowed") if each.allowed else say("refused"),
                say(words.VERDICT[each.verdict]),
                *(plain(outcome) or "–" for outcome in (each.before, each.after, each.replaced)),
            )
            for each in report.paths
        ]
        parts += [f"### {say('Paths between pods')}", table(_path_heads(say), asked)]
    if report.ingress is not None and report.ingress.answers:
        asked_https = [tuple(map(plain, row)) for row in _ingress_rows(report, say)]
        parts += [f"### {say('Through the Ingress')}", table(_ingress_heads(say), asked_https)]
    parts += [f"### {say('Observed')}", bullets(report.observed)] if report.observed else []
    parts += errata_section(report.errata_seen, say)
    parts += changes_section(report, say)
    return "\n\n".join(parts) + "\n"


def _path_heads(say: Language) -> tuple[str, ...]:
    return (
        say("Path"), say("Expected"), say("Verdict"), say("Without policies"), say("With policies"),
        say("New pods under policies"),
    )  # fmt: skip


def _ingress_heads(say: Language) -> tuple[str, ...]:
    return (say("Request by HTTPS"), say("Controller"), say("Outcome"))


def _ingress_rows(report: NetworkReport, say: Language) -> list[tuple[str, str, str]]:
    answers = report.ingress.answers if report.ingress is not None else ()
    return [(each.ask, say(SCENES[each.scene]), each.told) for each in answers]


def junit(report: NetworkReport) -> bytes:
    """One test case a check, one for what broke, one for leaks."""
    cases = [_case(each) for each in report.findings]
    cases += run_cases(SUITE, report)
    properties = {"replay": report.replay, "seed": str(report.seed), "rung": str(report.rung)}
    return suite_document(SUITE, cases, started_utc=report.started_utc, properties=properties)


def _case(finding: NetworkFinding) -> TestCase:
    told = "; ".join((finding.value, finding.reason, *finding.examples))
    return judged_case(f"{SUITE}.{finding.claim}", finding.check, finding.verdict, told)


def html(report: NetworkReport, say: Language = ENGLISH) -> str:
    """``report.html``: self-contained, without script."""
    ending = by_status(report, say, counted([each.verdict for each in report.findings], say))
    context = {
        "report": report,
        "head": head(
            report,
            say,
            title=say(TITLE),
            ending=ending,
            bundled=report.target_bundled,
            broke=report.errors,
            leaks=report.leaks,
        ),
        "findings": [
            verdict_row(
                each.verdict,
                say,
                subject=f"{each.check} ({each.claim})",
                value=each.value,
                reason=each.reason,
                examples=each.examples,
            )
            for each in report.findings
        ],
        "paths": [(each, words.VERDICT_SIGN[each.verdict], say(words.VERDICT[each.verdict])) for each in report.paths],
        "path_heads": _path_heads(say),
        "asked": _ingress_rows(report, say),
        "asked_heads": _ingress_heads(say),
        "errata": errata_views(report.errata_seen, claims.REGISTER, say),
    }
    return page("network.html.j2", say, context)
