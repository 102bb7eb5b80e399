"""The page of a run that was made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.report.html import render
from harness.report.language import language
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.run.result import Page, build_result, judged, with_facts
from tests.register import REGISTER


def drawn(rehearsal: Rehearsal[Any, Any], plan: Any, left: RunRecord[Any], folder: Path, lang: str = "en") -> str:
    """The HTML of what the run ``left``."""
    left = with_facts(rehearsal, plan, left)
    judgements = judged(rehearsal, plan, left)
    sections = tuple(rehearsal.sections(plan, replace(left, judgements=judgements)))
    page = Page(rehearsal.title(plan), tuple(rehearsal.parts(plan, left)), sections)
    result = build_result(rehearsal, plan, left, judgements, page, run_id="r")
    return render(folder, result, REGISTER, language(lang))
