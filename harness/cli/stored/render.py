"""A stored run's pages written anew, in a language of choice, from ``result.json``."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from harness.base.message import as_message, message
from harness.cli.stored.folder import locate, read_result
from harness.evidence.store import last_file, not_whole
from harness.report.language import Language
from harness.report.published import RESULT_JSON
from harness.report.write_all import write_pages
from harness.rules.register import bundled, read
from harness.run.registry import MODULES, rehearsal


def render(text: str, reports: Path, say: Language) -> list[Path]:
    """Writes ``report.html`` and ``summary.md`` of the run that ``text`` names, and of a sequence's runs, links aside.

    Raises ``BadInput`` when there is no such run, ``EvidenceNotWritten`` when the folder refuses.
    """
    return _render(locate(text, reports), say)


def _render(folder: Path, say: Language) -> list[Path]:
    result = read_result(folder)
    children = [at for at in (folder / each.folder for each in result.children if each.folder) if not at.is_symlink()]
    written = [path for child in children if (child / RESULT_JSON).is_file() for path in _render(child, say)]
    lies = bool(result.evidence_digest) and last_file(folder).is_file()
    if lies and (lost := not_whole(folder, result.run_id, result.evidence_digest)) is not None:
        told = message("it cannot be judged again: {why}", why=lost)
        broke = result.facts.errors_told or tuple(map(as_message, result.facts.errors))
        result = replace(result, facts=replace(result.facts, errors_told=(told, *broke)))
    register = read(rehearsal(result.rehearsal).document) if result.rehearsal in MODULES else bundled()
    return [*written, *write_pages(folder, result, register.claims, say)]
