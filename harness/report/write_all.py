"""Every report of a finished run. ``run.json`` comes first: the others can be made again from it and the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.model.claim import Claim
from harness.model.run import Run
from harness.report.html import write_html
from harness.report.junit import write_junit
from harness.report.language import ENGLISH, Language
from harness.report.published import RUN
from harness.report.summary import write_summary


def write_reports(folder: Path, run: Run, claims: Mapping[str, Claim], say: Language = ENGLISH) -> list[Path]:
    """Writes ``run.json``, ``junit.xml``, ``summary.md`` and ``report.html`` into ``folder``, which exists.

    ``claims`` is the register by id; ``say`` the language of the last two. Close the evidence before: the report
    reads it. Raises ``EvidenceNotWritten``.
    """
    return [
        RUN.write(folder, run),
        write_junit(folder, run),
        write_summary(folder, run, say),
        write_html(folder, run, claims, say),
    ]
