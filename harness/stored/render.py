"""A stored run's pages written anew, in a language of choice, from what it left: ``run.json`` and the evidence."""

from __future__ import annotations

from pathlib import Path

from harness.report.html import write_html
from harness.report.language import Language
from harness.report.published import ROLLOUT, ROLLOUT_JSON, RUN, RUN_JSON
from harness.report.rollout_pages import write_rollout_reports
from harness.report.summary import write_summary
from harness.stored.folder import locate
from scenarios import claims


def render(text: str, reports: Path, say: Language) -> list[Path]:
    """Writes ``report.html`` and ``summary.md`` of the run that ``text`` names; of a rollout, its weeks' too.

    Raises ``BadInput`` when there is no such run, ``EvidenceNotWritten`` when the folder refuses.
    """
    named = reports / text
    folder = named if (named / ROLLOUT_JSON).is_file() else Path(text)
    if not (folder / ROLLOUT_JSON).is_file():
        return _run(locate(text, reports), say)
    rollout = ROLLOUT.read(folder / ROLLOUT_JSON)
    weeks = [folder / week.folder for week in rollout.weeks if week.folder]
    written = [path for week in weeks if (week / RUN_JSON).is_file() for path in _run(week, say)]
    return [*written, *write_rollout_reports(folder, rollout, claims.REGISTER, say)]


def _run(folder: Path, say: Language) -> list[Path]:
    run = RUN.read(folder / RUN_JSON)
    return [write_summary(folder, run, say), write_html(folder, run, claims.REGISTER, say)]
