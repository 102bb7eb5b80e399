"""The page of a run that was made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.rehearsal.conclude import Page, conclude, judged
from harness.rehearsal.rehearsal import Rehearsal, Seen
from harness.report.html import render
from harness.report.language import language
from scenarios.claims import REGISTER


def drawn(rehearsal: Rehearsal[Any, Any], plan: Any, left: Seen[Any], folder: Path, lang: str = "en") -> str:
    """The HTML of what the run ``left``."""
    judgements = judged(rehearsal, plan, left)
    sections = tuple(rehearsal.sections(plan, replace(left, judgements=judgements)))
    page = Page(rehearsal.title(plan), tuple(rehearsal.parts(plan, left)), sections)
    result = conclude(rehearsal, plan, left, judgements, page, run_id="r")
    return render(folder, result, REGISTER, language(lang))
