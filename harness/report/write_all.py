"""Every file of a finished run's report. ``result.json`` comes first: the others can be made again from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.model.claim import Claim
from harness.model.result import Result
from harness.report.html import write_html, write_summary
from harness.report.junit import write_junit
from harness.report.language import ENGLISH, Language
from harness.report.published import RESULT


def publish(folder: Path, result: Result) -> Path:
    """Writes ``result.json`` alone into ``folder``. Raises ``EvidenceNotWritten``."""
    return RESULT.write(folder, result)


def write_reports(folder: Path, result: Result, claims: Mapping[str, Claim], say: Language = ENGLISH) -> list[Path]:
    """Writes ``result.json``, ``junit.xml``, ``summary.md`` and ``report.html`` into ``folder``, which exists.

    ``claims`` is the register by id; ``say`` the language of the last two. Raises ``EvidenceNotWritten``.
    """
    return [publish(folder, result), write_junit(folder, result), *write_pages(folder, result, claims, say)]


def write_pages(folder: Path, result: Result, claims: Mapping[str, Claim], say: Language = ENGLISH) -> list[Path]:
    """Writes what people read, ``summary.md`` and ``report.html``. Raises ``EvidenceNotWritten``."""
    return [write_summary(folder, result, claims, say), write_html(folder, result, claims, say)]
