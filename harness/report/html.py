"""``report.html``: one self-contained file that opens offline, on a phone and in print. No script, no outside address.

The template's strings go through gettext (Jinja2's i18n extension), and ``harness.report.words`` holds the rest, so
that Babel finds them all. Whatever comes from evidence is escaped by Jinja2.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.model.claim import Claim
from harness.model.errors import BadInput
from harness.model.run import Run
from harness.model.scenario import Scenario
from harness.report import page, words
from harness.report.course import Course, load_course, percent
from harness.report.files import write_atomically
from harness.report.panels import Panel, panels
from harness.report.queries import window_of
from harness.report.scale import Tick, time_ticks
from harness.report.series import load_timeline

REPORT_HTML = "report.html"
EVIDENCE = "evidence.sqlite"
SCENARIO = "scenario.json"

_DEFAULT_STRETCH_S = float(
    next(field.default for field in msgspec.structs.fields(Scenario) if field.name == "good_answer_every_s")
)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_null_translations()  # type: ignore[attr-defined]  # added by the extension
    return environment


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """The timeline: panels on one time axis, or in ``missing`` why there is none."""

    panels: tuple[Panel, ...] = ()
    course: Course = Course()
    ticks: tuple[Tick, ...] = ()
    window: tuple[float, float] | None = None  # start and width in per cent
    fine_s: int = 0
    missing: str = ""


def draw(folder: Path, run: Run) -> Drawing:
    """The timeline of the evidence in ``folder``; evidence that cannot be read is said, and is no error."""
    evidence = folder / EVIDENCE
    try:
        timeline = load_timeline(evidence)
        if timeline is None:
            return Drawing(missing=words.NO_ROWS)
        course = load_course(evidence, run, timeline.axis)
    except BadInput as error:
        return Drawing(missing=error.what)
    judged = window_of(run)
    window = None
    if judged is not None:
        start = percent(timeline.axis, judged.start_ns)
        window = (start, percent(timeline.axis, judged.end_ns) - start)
    return Drawing(
        panels=tuple(panels(run, timeline)),
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


def context(folder: Path, run: Run, claims: Mapping[str, Claim]) -> dict[str, Any]:
    """Everything the template names."""
    has, lacks = page.capabilities(run)
    return {
        "lang": "en",
        "run": run,
        "words": words,
        "first_line": words.first_line(run),
        "decision": words.DECISION[run.decision],
        "decision_class": str(run.decision or "none"),
        "decision_sign": words.DECISION_SIGN[run.decision],
        "reason": words.decision_reason(run),
        "target": words.target_words(run),
        "criteria": page.criteria(run, stretch_s=_stretch_s(folder)),
        "window_rows": page.window_rows(run.windows),
        "claims": page.claims_met(run, claims),
        "not_exercised": words.not_judged(run),
        "errata": page.errata(run, claims),
        "capabilities": has,
        "lacking": lacks,
        "files": page.files(folder),
        "drawing": draw(folder, run),
    }


def render(folder: Path, run: Run, claims: Mapping[str, Claim]) -> str:
    """The page of ``run``, whose evidence and logs lie in ``folder``."""
    return _environment().get_template("report.html.j2").render(context(folder, run, claims))


def write_html(folder: Path, run: Run, claims: Mapping[str, Claim]) -> Path:
    """Writes ``report.html`` into ``folder``. Raises ``EvidenceNotWritten``."""
    return write_atomically(folder / REPORT_HTML, render(folder, run, claims).encode())
