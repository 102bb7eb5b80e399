"""``mirror_stop.json``, ``report.html``, ``junit.xml``, ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness.judge.errata import errata_seen
from harness.model.message import marked
from harness.rehearsals.mirror_stop.result import Judgement, MirrorStopResult, Step
from harness.report.files import write_atomically
from harness.report.frame import Ending, by_status, closing_lines, head
from harness.report.html import REPORT_HTML
from harness.report.junit_parts import judged_case, run_cases, suite_document
from harness.report.language import ENGLISH, Language
from harness.report.page import errata_views, files
from harness.report.summary import opening, plain, table
from harness.report.templates import page
from harness.report.verdict_rows import VerdictRow, counted, verdict_row
from harness.report.words import VERDICT
from scenarios.claims import REGISTER

MIRROR_STOP_JSON = "mirror_stop.json"
SUITE = "mirror_stop"
TITLE = marked("The stepwise stop of the mirror, and what a roll back then loses")


def write_report(folder: Path, result: MirrorStopResult, say: Language = ENGLISH) -> None:
    """Writes all of them; ``say`` is the pages' language. Raises ``EvidenceNotWritten``."""
    write_atomically(folder / MIRROR_STOP_JSON, msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    write_atomically(folder / "junit.xml", junit(result))
    write_atomically(folder / "summary.md", summary(result, say).encode())
    write_atomically(folder / REPORT_HTML, html(folder, result, say).encode())


def text(result: MirrorStopResult, folder: str) -> str:
    """For a terminal: each claim's verdict, then what each user would lose after the last step."""
    lines = []
    for each in result.judgements:
        lines.append(f"{VERDICT[each.verdict]:<13} {each.id} ({each.claim}): {each.reason}")
        if each.erratum:
            lines.append(f"              erratum {each.erratum}")
    lines += [
        f"a flag-off after {step.share_percent} % would lose, walks (locations) by user: {_lost(step)}"
        for step in result.steps
        if step.losses
    ]
    return "\n".join([*lines, *closing_lines(result, folder)])


def _lost(step: Step) -> str:
    return ", ".join(f"{each.user} {each.walks} ({each.locations})" for each in step.losses)


def summary(result: MirrorStopResult, say: Language = ENGLISH) -> str:
    """``summary.md``."""
    parts = opening(result, say, say(TITLE), _ending(result, say), bundled=True)
    judged = [
        (say(VERDICT[each.verdict]), plain(each.id), each.claim, plain(say.told(each.told, each.reason)), each.erratum)
        for each in result.judgements
    ]
    claim_heads = (say("verdict"), say("what"), say("claim"), say("why"), say("Erratum"))
    parts += [f"### {say('Claims')}", table(claim_heads, judged)]
    figures = tuple(f"{each}:" for each in heads(say))
    parts += [f"### {say('What each step leaves')}", table(figures, [_cells(step) for step in result.steps])]
    return "\n\n".join(parts) + "\n"


def junit(result: MirrorStopResult) -> bytes:
    """One test case a claim of a step, one for what broke, one for leaks."""
    cases = [
        judged_case(SUITE, each.id, each.verdict, f"claim {each.claim}: {each.reason}") for each in result.judgements
    ]
    properties = {"replay": result.replay, "seed": str(result.seed), "rung": str(result.rung)}
    all_cases = [*cases, *run_cases(SUITE, result)]
    return suite_document(SUITE, all_cases, started_utc=result.started_utc, properties=properties)


def _ending(result: MirrorStopResult, say: Language) -> Ending:
    reason = counted([each.verdict for each in result.judgements], say) or say("nothing was judged")
    return by_status(result, say, reason)


def html(folder: Path, result: MirrorStopResult, say: Language = ENGLISH) -> str:
    """The page: self-contained, without script; its links lead into ``folder``."""
    context: dict[str, Any] = {
        "report": result,
        "head": head(
            result,
            say,
            title=say(TITLE),
            ending=_ending(result, say),
            bundled=True,
            broke=result.errors,
            leaks=result.leaks,
        ),
        "judgements": [_row(each, say) for each in result.judgements],
        "heads": heads(say),
        "steps": [_cells(step) for step in result.steps],
        "errata": errata_views(errata_seen(result.judgements), REGISTER, say),
        "files": files(folder),
    }
    return page("mirror_stop.html.j2", say, context)


def heads(say: Language) -> tuple[str, ...]:
    """The columns of the table of steps."""
    return (
        say("mirrored share"),
        say("walks"),
        say("written in the step"),
        say("reached Firestore"),
        say("missing"),
        say("of an earlier state"),
        say("deleted, and back"),
        say("different"),
        say("locations lost"),
    )


def _cells(step: Step) -> tuple[str, ...]:
    counts = (step.walks, step.written, step.mirrored, step.missing, step.stale, step.come_back, step.different)
    return (f"{step.share_percent} %", *(f"{count:,}" for count in (*counts, step.lost_locations)))


def _row(each: Judgement, say: Language) -> VerdictRow:
    erratum = (say("erratum {erratum}", erratum=each.erratum),) if each.erratum else ()
    reason = say.told(each.told, each.reason)
    return verdict_row(each.verdict, say, subject=f"{each.id} ({each.claim})", reason=reason, examples=erratum)
