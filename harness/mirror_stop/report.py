"""``mirror_stop.json`` and ``report.html``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness.mirror_stop.result import Judgement, MirrorStopResult, Step
from harness.report.files import write_atomically
from harness.report.frame import by_status, head
from harness.report.html import REPORT_HTML
from harness.report.language import ENGLISH, Language
from harness.report.page import files, known_errata
from harness.report.templates import page
from harness.report.verdict_rows import VerdictRow, counted, verdict_row
from scenarios.claims import REGISTER

MIRROR_STOP_JSON = "mirror_stop.json"


def write_report(folder: Path, result: MirrorStopResult, say: Language = ENGLISH) -> None:
    """Writes both; ``say`` is the page's language. Raises ``EvidenceNotWritten``."""
    write_atomically(folder / MIRROR_STOP_JSON, msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    write_atomically(folder / REPORT_HTML, html(folder, result, say).encode())


def html(folder: Path, result: MirrorStopResult, say: Language = ENGLISH) -> str:
    """The page: self-contained, without script; its links lead into ``folder``."""
    reason = counted([each.verdict for each in result.judgements], say) or say("nothing was judged")
    context: dict[str, Any] = {
        "report": result,
        "head": head(
            result,
            say,
            title=say("The stepwise stop of the mirror, and what a roll back then loses"),
            ending=by_status(result.exit_status, say, reason),
            bundled=True,
            broke=result.errors,
            leaks=result.leaks,
        ),
        "judgements": [_row(each, say) for each in result.judgements],
        "heads": heads(say),
        "steps": [_cells(step) for step in result.steps],
        "errata": known_errata([each.erratum for each in result.judgements if each.erratum], REGISTER, say),
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
