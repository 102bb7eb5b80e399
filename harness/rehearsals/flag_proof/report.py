"""``flag_proof.json``, ``report.html``, ``flag_proof.xml`` (JUnit), ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from junitparser import Error, Failure

from harness.judge.errata import errata_seen
from harness.model.message import marked
from harness.model.verdict import Combined
from harness.rehearsals.flag_proof.types import FlagProof, Outcome, ProofCase
from harness.report.files import write_atomically
from harness.report.frame import Ending, by_status, head
from harness.report.html import REPORT_HTML
from harness.report.junit_parts import case as junit_case
from harness.report.junit_parts import suite_document, xml_text
from harness.report.language import ENGLISH, Language
from harness.report.page import errata_views, files
from harness.report.summary import bullets, code, plain, table
from harness.report.templates import page
from harness.report.verdict_rows import VerdictRow, verdict_row
from harness.report.words import report_line
from scenarios.claims import REGISTER

SUITE = "flag_proof"
_AGAINST = frozenset({Outcome.FAILED, Outcome.MISSED})
HOW = (
    marked("virtual cases compute the client's own fetch rule at the document's times: nobody waits for 12 h"),
    marked(
        "real cases run phones, Remote Config, API and Firestore with every time divided by the plan's scale, and are "
        "judged by the rule's bound, not by the document's 5 minutes"
    ),
)
PROVED, NOT_PROVED = marked("Proved"), marked("Not proved")
OUTCOME = {
    Outcome.PASSED: marked("pass"),
    Outcome.ERRATUM_SHOWN: marked("erratum shown"),
    Outcome.FAILED: marked("fail"),
    Outcome.MISSED: marked("erratum missed"),
}
_MODES = {"virtual": marked("In virtual time"), "real": marked("On real parts")}
_VIRTUAL = marked("the client's fetch rule in virtual time; no stack")


def write_report(folder: Path, proof: FlagProof, say: Language = ENGLISH) -> None:
    """Writes all of them; ``say`` is the page's language. Raises ``EvidenceNotWritten``."""
    write_atomically(folder / "flag_proof.json", msgspec.json.format(msgspec.json.encode(proof)) + b"\n")
    write_atomically(folder / "flag_proof.xml", junit(proof))
    write_atomically(folder / "summary.md", summary(proof).encode())
    write_atomically(folder / REPORT_HTML, html(folder, proof, say).encode())


def ending(proof: FlagProof, say: Language) -> Ending:
    """How it ended: a word, and how many cases of each outcome."""
    outcomes = [case.outcome for case in proof.cases]
    counts = say.listed(
        say("{count} {verdict}", count=outcomes.count(each), verdict=say(OUTCOME[each]))
        for each in Outcome
        if each in outcomes
    )
    return by_status(proof, say, counts or say("no case ran"), passed=PROVED, not_passed=NOT_PROVED)


def case_row(case: ProofCase, say: Language) -> VerdictRow:
    """A case as the page shows it."""
    row = verdict_row(
        case.outcome.verdict,
        say,
        subject=case.id,
        value="" if case.last_s is None else f"{case.last_s:,.1f}\N{NO-BREAK SPACE}s",
        reason=say.told(case.told, case.reason),
        examples=(say("erratum {erratum}", erratum=case.erratum),) if case.erratum else (),
    )
    return msgspec.structs.replace(row, verdict=say(OUTCOME[case.outcome]))


def _shown(proof: FlagProof) -> list[ProofCase]:
    """The cases whose erratum was seen: not those where it was expected, and missed."""
    return [case for case in proof.cases if case.outcome is Outcome.ERRATUM_SHOWN]


def html(folder: Path, proof: FlagProof, say: Language = ENGLISH) -> str:
    """``report.html``: self-contained, without script; its links lead into ``folder``."""
    virtual = proof.rung == "virtual"
    context: dict[str, Any] = {
        "report": proof,
        "head": head(
            proof,
            say,
            title=say(proof.title),
            ending=ending(proof, say),
            bundled=proof.target_bundled,
            broke=proof.errors,
            leaks=proof.leaks,
            rung_words=say(_VIRTUAL) if virtual else "",
        ),
        "modes": [
            (say(_MODES.get(mode, mode)), [case_row(case, say) for case in proof.cases if case.mode == mode])
            for mode in dict.fromkeys(case.mode for case in proof.cases)
        ],
        "how": [say(line) for line in HOW],
        "errata": errata_views(errata_seen(_shown(proof)), REGISTER, say),
        "files": files(folder),
    }
    return page("flag_proof.html.j2", say, context)


def verdict(proof: FlagProof) -> str:
    """One line: how it ended."""
    if proof.errors:
        return "the flag: not judged, the proof did not finish"
    if proof.combined is Combined.NOTHING_EXERCISED:
        return "the flag: nothing was exercised (no case ran)"
    counts = {outcome: sum(case.outcome is outcome for case in proof.cases) for outcome in Outcome}
    told = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in counts.items() if count)
    return f"the flag: {'proved' if proof.proved else 'NOT proved'} ({told or 'no case ran'})"


def text(proof: FlagProof, folder: str) -> str:
    """For a terminal."""
    lines = [f"{case.outcome.replace('_', ' '):<14} {case.id}: {_told(case)}" for case in proof.cases]
    lines += [f"LEAK {leak}" for leak in proof.leaks]
    lines += [f"error: {error}" for error in proof.errors]
    timings = ", ".join(f"{name} {value:.1f} s" for name, value in proof.timings.items())
    lines += [*HOW, verdict(proof), f"timings: {timings}"]
    return "\n".join([*lines, report_line(folder, proof.exit_status, ENGLISH)])


def _told(case: ProofCase) -> str:
    return case.reason + (f" [erratum {case.erratum}]" if case.erratum else "")


def summary(proof: FlagProof) -> str:
    """``summary.md``."""
    facts = [
        f"seed {proof.seed}, environment {proof.rung}, target {proof.target}, run {proof.run_id}, started "
        f"{proof.started_utc}, exit status {proof.exit_status}",
        *HOW,
    ]
    parts = [f"## {plain(verdict(proof))}", plain(proof.title), code(proof.replay), bullets(facts)]
    if proof.errors:
        parts += ["### What broke", bullets(proof.errors)]
    if proof.leaks:
        parts += ["### Left on the machine", bullets(proof.leaks)]
    rows = [
        (f"**{case.outcome.replace('_', ' ')}**", plain(case.id), case.mode, plain(_told(case))) for case in proof.cases
    ]
    return "\n\n".join([*parts, table(("outcome", "case", "mode", "seen"), rows)]) + "\n"


def junit(proof: FlagProof) -> bytes:
    """Red for every case against the proof; ``proof`` is red too when it did not finish."""
    cases = []
    for each in proof.cases:
        told = _told(each)
        failure = Failure(xml_text(told), str(each.outcome)) if each.outcome in _AGAINST else None
        cases.append(junit_case(SUITE, each.id, failure, told))
    broken = Error(xml_text("; ".join(proof.errors)), "broken") if proof.errors else None
    left = Failure(xml_text("; ".join(proof.leaks)), "leak") if proof.leaks else None
    whole = None if proof.proved else Failure(xml_text(verdict(proof)), "not_proved")
    cases += [
        junit_case(SUITE, name, result, verdict(proof))
        for name, result in (("proof", whole), ("run", broken), ("leaks", left))
    ]
    facts = {name: str(getattr(proof, name)) for name in ("seed", "replay", "run_id", "rung", "target")}
    return suite_document(SUITE, cases, started_utc=proof.started_utc, properties=facts)
