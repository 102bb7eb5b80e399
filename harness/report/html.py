"""``report.html``: one self-contained file that opens offline, on a phone and in print. No script, no outside address.

It draws the ``outline``. What the evidence says stays as it was written.

The page templates: Jinja2 with whatever comes from evidence escaped, and ``say`` for every word of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.model.claim import Claim
from harness.model.result import Result
from harness.model.section import Bars, Chart, Picture, Section, Timeline
from harness.model.stack import EnvironmentKind
from harness.report import outline
from harness.report.brief import briefly, following
from harness.report.chart import BarRows, CourseChart, Panel, draw_bars, draw_chart, draw_timeline
from harness.report.language import ENGLISH, REPORT_HTML, Language, write_atomically
from harness.report.markdown import bullets, code, head, plain, table
from harness.report.outline import OutlineBlock, OutlineRow, ending, listed

# ``summary.md``: a run for a CI job's page. How it ended first, then how to replay it, then its ``outline``.

SUMMARY_MD = "summary.md"
#: A CI's page is no place for thousands of rows; the report has them.
_MOST_ROWS = 100


def summary(result: Result, claims: Mapping[str, Claim], say: Language = ENGLISH) -> str:
    """The document."""
    return "\n\n".join(_parts(result, claims, say)) + "\n"


def _parts(result: Result, claims: Mapping[str, Claim], say: Language) -> Iterator[str]:
    end = ending(result, say)
    yield f"## {end.sign} {end.word}: {plain(say.message(result.title))}"
    yield plain(end.reason)
    yield from _block(briefly(result, say), say)
    when, command = following(result, say)
    yield from () if command == result.facts.replay else [plain(f"{when}:"), code(command)]
    yield code(result.facts.replay)
    yield bullets(f"{name}: {value}" for name, value in outline.facts(result, say))
    for chapter in outline.outline(result, claims, say):
        if chapter.brief:
            yield from [head(chapter.title)] if chapter.title else []
            for block in chapter.blocks:
                yield from _block(block, say)
    if result.exit_status is not None and not result.facts.leaks:  # a run that was killed has not looked
        yield say("Nothing of the run was left on the machine.")


def _block(block: OutlineBlock, say: Language) -> Iterator[str]:
    if block.title:
        yield head(block.title, 4)
    lead, shown = [block.lead] if block.lead else [], block.rows[:_MOST_ROWS]
    if shown and block.heads:
        numbers = {number + len(lead) for number in block.numbers}
        yield table([*lead, *map(plain, block.heads)], (_row(row, lead) for row in shown), numbers)
    elif shown:
        yield bullets(" ".join(filter(None, (row.sign, *row.cells))) for row in block.rows)
    if block.heads and len(block.rows) > len(shown):
        yield say("and {count} more rows in the report", count=len(block.rows) - len(shown))
    if block.folded:
        yield block.fold
    if block.note:
        yield plain(block.note)


def _row(row: OutlineRow, lead: list[str]) -> list[str]:
    first, *others = map(plain, row.cells)
    first = f"[{first}](./{quote(row.href)})" if row.href else first
    below = [first, *map(plain, filter(None, (row.small, *row.below, *row.notes)))]
    verdict = [f"{row.sign} **{plain(row.word)}**" if row.sign else ""] if lead else []
    return [*verdict, "<br>".join(below), *others]


def write_summary(folder: Path, result: Result, claims: Mapping[str, Claim], say: Language = ENGLISH) -> Path:
    """Writes ``summary.md`` into ``folder``. Raises ``EvidenceNotWritten``."""
    return write_atomically(folder / SUMMARY_MD, summary(result, claims, say).encode())


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
