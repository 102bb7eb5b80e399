"""``report.html``: one self-contained file that opens offline, on a phone and in print. No script, no outside address.

It draws the ``outline``. What the evidence says stays as it was written.

The page templates: Jinja2 with whatever comes from evidence escaped, and ``say`` for every word of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.model.claim import Claim
from harness.model.result import Result
from harness.model.section import Bars, Chart, Picture, Section, Timeline
from harness.model.stack import EnvironmentKind
from harness.report import outline
from harness.report.brief import briefly, following
from harness.report.chart import BarRows, CourseChart, Panel, draw_bars, draw_chart, draw_timeline
from harness.report.ending import ending
from harness.report.files import REPORT_HTML, write_atomically
from harness.report.language import ENGLISH, Language
from harness.report.outline import OutlineBlock, OutlineRow, listed

FOLDER = Path(__file__).with_name("templates")


@cache
def _environment(folder: Path) -> Environment:
    return Environment(
        loader=FileSystemLoader([folder, FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, say: Language, context: dict[str, Any], folder: Path = FOLDER) -> str:
    """The page that ``template`` makes of ``context``: a file of ``folder``, which may use those of ``templates``."""
    return _environment(folder).get_template(template).render(context, say=say)


def files(folder: Path) -> Iterator[OutlineRow]:
    """The run's own files and logs, by name: what the report stands on. Links are relative to the report."""
    found = {path for path in (*folder.glob("*"), *folder.glob("logs/**/*"), *folder.glob("*/*")) if _is_file(path)}
    shown = [path for path in found if not path.name.startswith(".") and path != folder / REPORT_HTML]
    for path in sorted(shown, key=lambda path: (len(path.parents), path.as_posix())):
        name = path.relative_to(folder).as_posix()
        yield OutlineRow(cells=(name,), href=name, small=_size(path.stat().st_size))


def _is_file(path: Path) -> bool:
    """Whether it is a file that can be looked at."""
    try:
        return path.is_file()
    except OSError:
        return False


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1024:,.0f} KiB" if size_bytes >= 1024 else f"{size_bytes} B"


def _charts(section: Section) -> tuple[Chart, ...]:
    if isinstance(section, Timeline):
        return section.charts
    return (section,) if isinstance(section, Chart) else ()


def render(folder: Path, result: Result, claims: Mapping[str, Claim], say: Language = ENGLISH) -> str:
    """The page of ``result``, whose files lie in ``folder``. Its first screen has the headline, the criteria and the
    first chart that has limits."""

    def draw(picture: Picture) -> Panel | CourseChart | BarRows:
        if isinstance(picture, Bars):
            return draw_bars(picture, say)
        return draw_chart(picture, say) if isinstance(picture, Chart) else draw_timeline(picture, say)

    first = next((chart for each in result.sections for chart in _charts(each) if chart.limits), None)
    below = msgspec.structs.replace(result, sections=tuple(each for each in result.sections if each is not first))
    context = {
        "result": result,
        "title": say.message(result.title),
        "ending": ending(result, say),
        "simulated": say("Simulated: no evidence for a sign-off.") if result.facts.rung is EnvironmentKind.SIM else "",
        "brief": briefly(result, say),
        "chart": None if first is None else OutlineBlock(picture=first),
        "next": following(result, say),
        "facts": list(outline.facts(result, say)),
        "chapters": outline.outline(below, claims, say),
        "files": listed(files(folder), say("None besides this report.")),
        "draw": draw,
    }
    return page("result.html.j2", say, context)


def write_html(folder: Path, result: Result, claims: Mapping[str, Claim], say: Language = ENGLISH) -> Path:
    """Writes ``report.html`` into ``folder``. Raises ``EvidenceNotWritten``."""
    return write_atomically(folder / REPORT_HTML, render(folder, result, claims, say).encode())
