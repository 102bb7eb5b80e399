"""``report.html``: one self-contained file that opens offline, on a phone and in print. No script, no outside address.

Every word of ours goes through ``say`` (``harness.report.language``). What the evidence says stays as it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.model.claim import Claim
from harness.model.errors import BadInput
from harness.model.run import Run
from harness.model.scenario import Scenario
from harness.report import page, words
from harness.report.course import Course, load_course, percent
from harness.report.files import write_atomically
from harness.report.frame import Ending, head
from harness.report.language import ENGLISH, Language
from harness.report.panels import Panel, panels
from harness.report.queries import window_of
from harness.report.scale import Tick, time_ticks
from harness.report.series import load_timeline
from harness.report.templates import page as rendered

REPORT_HTML = "report.html"
EVIDENCE = "evidence.sqlite"
SCENARIO = "scenario.json"

_DEFAULT_STRETCH_S = float(
    next(field.default for field in msgspec.structs.fields(Scenario) if field.name == "good_answer_every_s")
)


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """The timeline: panels on one time axis, or in ``missing`` why there is none."""

    panels: tuple[Panel, ...] = ()
    course: Course = Course()
    ticks: tuple[Tick, ...] = ()
    window: tuple[float, float] | None = None  # start and width in per cent
    fine_s: int = 0
    missing: str = ""


def draw(folder: Path, run: Run, say: Language) -> Drawing:
    """The timeline of the evidence in ``folder``; evidence that cannot be read is said, and is no error."""
    evidence = folder / EVIDENCE
    try:
        timeline = load_timeline(evidence)
        if timeline is None:
            return Drawing(missing=say(words.NO_ROWS))
        course = load_course(evidence, run, timeline.axis, say)
    except BadInput as error:
        return Drawing(missing=error.what)
    judged = window_of(run)
    window = None
    if judged is not None:
        start = percent(timeline.axis, judged.start_ns)
        window = (start, percent(timeline.axis, judged.end_ns) - start)
    return Drawing(
        panels=tuple(panels(run, timeline, say)),
        course=course,
        ticks=time_ticks(timeline.axis),
        window=window,
        fine_s=timeline.axis.fine_s,
    )


def _stretch_s(folder: Path) -> float:
    """The scenario's stretch without a good answer, from the scenario as used; its default where that is missing."""
    try:
        return msgspec.json.decode((folder / SCENARIO).read_bytes(), type=Scenario).good_answer_every_s
    except (OSError, msgspec.DecodeError):
        return _DEFAULT_STRETCH_S


def _ending(run: Run, say: Language) -> Ending:
    return Ending(
        sign=words.DECISION_SIGN[run.decision],
        word=say(words.DECISION[run.decision]),
        css=str(run.decision or "none"),
        reason=words.decision_reason(run, say),
    )


def context(folder: Path, run: Run, claims: Mapping[str, Claim], say: Language) -> dict[str, Any]:
    """Everything the template names."""
    has, lacks = page.capabilities(run, say)
    return {
        "run": run,
        "head": head(
            run,
            say,
            title=say(run.title),
            ending=_ending(run, say),
            bundled=run.target_bundled,
            broke=run.errors,
            leaks=run.leaks,
        ),
        "timings": [(words.timing_words(name, say), seconds) for name, seconds in run.timings.items()],
        "switched": words.switch_words(run.switch_over, say) if run.switch_over else "",
        "late": words.late_words(run.switch_over, say) if run.switch_over else "",
        "criteria": page.criteria(run, say, stretch_s=_stretch_s(folder)),
        "checks": page.checks(run, say),
        "window_heads": page.window_heads(run.windows, say),
        "window_rows": page.window_rows(run.windows, say),
        "claims": page.claims_met(run, claims, say),
        "not_exercised": words.not_judged(run, say),
        "errata": page.errata([run], claims, say),
        "capabilities": has,
        "lacking": lacks,
        "rung_changes": [words.change_words(change, say) for change in run.rung_changes],
        "files": page.files(folder),
        "drawing": draw(folder, run, say),
    }


def render(folder: Path, run: Run, claims: Mapping[str, Claim], say: Language = ENGLISH) -> str:
    """The page of ``run``, whose evidence and logs lie in ``folder``."""
    return rendered("report.html.j2", say, context(folder, run, claims, say))


def write_html(folder: Path, run: Run, claims: Mapping[str, Claim], say: Language = ENGLISH) -> Path:
    """Writes ``report.html`` into ``folder``. Raises ``EvidenceNotWritten``."""
    return write_atomically(folder / REPORT_HTML, render(folder, run, claims, say).encode())
