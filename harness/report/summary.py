"""``summary.md``: a run for a CI job's page. How it ended first, then how to replay it, then its ``outline``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from harness.model.claim import Claim
from harness.model.result import Result
from harness.report import outline
from harness.report.brief import briefly, following
from harness.report.ending import ending
from harness.report.files import write_atomically
from harness.report.language import ENGLISH, Language
from harness.report.markdown import bullets, code, head, plain, table
from harness.report.outline import OutlineBlock, OutlineRow

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
