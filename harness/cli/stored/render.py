"""A stored run's pages written anew, in a language of choice, from ``result.json`` alone."""

from __future__ import annotations

from pathlib import Path

from harness.cli.stored.folder import locate, read_result
from harness.report.language import Language
from harness.report.published import RESULT_JSON
from harness.report.write_all import write_pages
from scenarios import claims


def render(text: str, reports: Path, say: Language) -> list[Path]:
    """Writes ``report.html`` and ``summary.md`` of the run that ``text`` names, and of the runs of a sequence.

    Raises ``BadInput`` when there is no such run, ``EvidenceNotWritten`` when the folder refuses.
    """
    return _render(locate(text, reports), say)


def _render(folder: Path, say: Language) -> list[Path]:
    result = read_result(folder)
    children = [folder / child.folder for child in result.children if child.folder]
    children = [child for child in children if not child.is_symlink()]  # a page stays in its run
    written = [path for child in children if (child / RESULT_JSON).is_file() for path in _render(child, say)]
    return [*written, *write_pages(folder, result, claims.REGISTER, say)]
