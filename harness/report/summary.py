"""``summary.md``: a run for a CI job's page. How it ended first, then how to replay it, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.model.claim import Claim
from harness.model.result import Result
from harness.model.section import Blocks, Chart, Lines, Pairs, Section, Table, Timeline
from harness.model.section import Row as TableRow
from harness.report import judged, told, words
from harness.report.ending import ending
from harness.report.files import write_atomically
from harness.report.judged import Grid, Group, Row
from harness.report.language import ENGLISH, Language
from harness.report.markdown import bullets, code, head, plain, table

SUMMARY_MD = "summary.md"
#: A CI's page is no place for thousands of rows; the report has them.
_MOST_ROWS = 100


def summary(result: Result, claims: Mapping[str, Claim], say: Language = ENGLISH) -> str:
    """The document."""
    return "\n\n".join(_parts(result, claims, say)) + "\n"


def _parts(result: Result, claims: Mapping[str, Claim], say: Language) -> Iterator[str]:
    facts, end = result.facts, ending(result, say)
    yield f"## {end.sign} {end.word}: {plain(say.message(result.title))}"
    yield plain(end.reason)
    yield code(facts.replay)
    yield bullets(_facts(result, say))
    if facts.errors:
        yield head(say("What broke"))
        yield bullets(facts.errors)
    if facts.leaks:
        yield head(say("Left on the machine"))
        yield bullets(facts.leaks)
    if result.children:
        yield head(say("Runs"))
        yield _children(result, say)
    for group in judged.groups(result, say):
        yield from _group(group, say)
    yield head(say("Not exercised"))
    yield _not_exercised(result, say)
    yield from _errata(result, claims, say)
    for title, lines in told.about_manifests(facts, say):
        yield head(title)
        yield bullets(lines)
    if not facts.leaks:
        yield say("Nothing of the run was left on the machine.")


def _facts(result: Result, say: Language) -> Iterator[str]:
    facts = result.facts
    yield say("seed {seed}, started {started}", seed=str(facts.seed), started=say.moment(facts.started_utc))
    yield say("environment {rung}: {words}", rung=str(facts.rung), words=say(words.RUNG[facts.rung]))
    yield say("target: {target}", target=told.target(facts, say))
    for name, value in told.facts(result, say):
        yield f"{name}: {value}"


def _children(result: Result, say: Language) -> str:
    rows = [
        (f"{sign} **{word}**", plain(child.part), _link(child.run_id, child.folder), str(child.exit_status))
        for child, sign, word in told.children(result.children, say)
    ]
    return table((say("Decision"), say("Part"), say("Run"), say("Exit status")), rows)


def _link(text: str, folder: str) -> str:
    from urllib.parse import quote

    return f"[{plain(text)}](./{quote(folder)}/report.html)" if folder else plain(text)


def _group(group: Group, say: Language) -> Iterator[str]:
    yield head(f"{group.title} ({group.took})" if group.took else group.title)
    for grid in group.grids:
        if grid.title:
            yield head(grid.title, 4)
        if grid.rows:
            yield _grid(grid, say)
        if grid.folded:
            yield say("{count} passed", count=len(grid.folded))
    if not group.grids:
        yield say("Nothing was judged.")
    for section in group.sections:
        yield from _section(section, say)


def _grid(grid: Grid, say: Language) -> str:
    rows = [
        (
            f"{row.sign} **{row.word}**",
            f"{plain(row.what)}<br>{plain(row.small)}",
            *map(plain, row.figures),
            plain(_why(row)),
        )
        for row in grid.rows
    ]
    heads = (say("Verdict"), say("What"), *grid.heads, say("Why"))
    return table(heads, rows, range(2, 2 + len(grid.heads)))


def _why(row: Row) -> str:
    return " ".join(filter(None, (row.reason, row.notes, *row.judgement.examples)))


def _section(section: Section, say: Language) -> Iterator[str]:
    if isinstance(section, Pairs):
        return
    yield head(say.message(section.title), 4)
    if isinstance(section, Table):
        yield from _table(section, say)
    elif isinstance(section, Lines):
        yield bullets(say.shown(line) for line in section.lines)
    elif isinstance(section, Blocks):
        yield bullets(say.shown(block.caption) for block in section.blocks)
    elif isinstance(section, Chart):
        yield plain(say.told(section.text, ""))
    elif isinstance(section, Timeline):
        yield bullets(f"{say.message(chart.title)}: {say.told(chart.text, '')}" for chart in section.charts)


def _table(section: Table, say: Language) -> Iterator[str]:
    judged_rows = any(row.verdict is not None for row in section.rows)
    first = [say("Verdict")] if judged_rows else []
    heads = [*first, *(plain(say.message(each)) for each in section.heads)]
    rows = [_row(row, say, judged_rows) for row in section.rows[:_MOST_ROWS]]
    yield table(heads, rows, {number + len(first) for number in section.numbers})
    more = len(section.rows) - _MOST_ROWS
    if more > 0:
        yield say("and {count} more rows in the report", count=more)
    if section.note:
        yield plain(say.told(section.note, ""))


def _row(row: TableRow, say: Language, judged_rows: bool) -> list[str]:
    cells = [plain(say.shown(cell)) for cell in row.cells]
    cells[0] = "<br>".join([cells[0], *(plain(say.shown(line)) for line in row.lines)])
    if not judged_rows:
        return cells
    if row.verdict is None:
        return ["", *cells]
    word = say(words.VERDICT[row.verdict]) if row.word is None else say.message(row.word)
    return [f"{words.VERDICT_SIGN[row.verdict]} **{plain(word)}**", *cells]


def _not_exercised(result: Result, say: Language) -> str:
    lines = [f"{say.listed(names)}: {why}" for why, names in judged.not_exercised(result, say).items()]
    return bullets(lines) if lines else say("Whatever the run judges was exercised.")


def _errata(result: Result, claims: Mapping[str, Claim], say: Language) -> Iterator[str]:
    """What was seen of each; the page has what the register says of them."""
    lines = [f"{each.id}: {say.join(each.seen)}" for each in judged.errata(result, claims, say)]
    if lines:
        yield head(say("Errata seen"))
        yield bullets(lines)


def write_summary(folder: Path, result: Result, claims: Mapping[str, Claim], say: Language = ENGLISH) -> Path:
    """Writes ``summary.md`` into ``folder``. Raises ``EvidenceNotWritten``."""
    return write_atomically(folder / SUMMARY_MD, summary(result, claims, say).encode())
