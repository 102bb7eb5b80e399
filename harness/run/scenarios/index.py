"""The index of the design document: the place and digest of every block, never its text.

``python -m harness.run.scenarios.index PATH`` writes ``scenarios/document_index.json``. The tests hold the register of
claims to it, so that no row, code block, list or checklist item is without a claim where the document is absent.

Places are ``heading/kind number``: ``段階的ロールアウト計画/table 1/row 3``, ``リストア手順...``. Numbers count from 1
below the nearest heading; a table's header is no row.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import msgspec

from harness.base.data import SCENARIOS

FILE = SCENARIOS / "document_index.json"

#: Kinds that every claim register must cover; headings and paragraphs ("text") only serve as places.
COVERED = ("row", "code", "item", "check")

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*$")
_CHECK = re.compile(r"^- \[[ x]\]\s")
_ITEM = re.compile(r"^\s*(?:[-*]|[0-9]+\.)\s")


class IndexEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One block: ``kind`` is heading, row, code, item, check or text."""

    place: str
    kind: str
    digest: str


class DocumentBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A block with its text from ``line`` on; a heading's text is its whole section, subsections included."""

    place: str
    kind: str
    text: str
    line: int = 0

    def entry(self) -> IndexEntry:
        """The block as the committed index knows it; a heading by its own words, not by what is below it."""
        text = self.text.splitlines()[0] if self.kind == "heading" else self.text
        return IndexEntry(
            place=self.place, kind=self.kind, digest=hashlib.sha256(text.strip().encode()).hexdigest()[:16]
        )


class _Counter:
    """Numbers the blocks below one heading."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def next(self, kind: str) -> int:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return self.counts[kind]


def blocks(text: str, *, unique: bool = True) -> list[DocumentBlock]:
    """Every block of the Markdown ``text`` in order. Raises ``ValueError`` for two of one place, if ``unique``."""
    lines = text.splitlines()
    found: list[DocumentBlock] = []
    heading, counter, at = "", _Counter(), 0
    while at < len(lines):
        line = lines[at]
        if match := _HEADING.match(line):
            heading, counter = match[2], _Counter()
            section = _section(lines, at, len(match[1]))
            found.append(DocumentBlock(place=heading, kind="heading", text=section, line=at + 1))
            at += 1
        elif line.startswith("```"):
            end = next((i for i in range(at + 1, len(lines)) if lines[i].startswith("```")), len(lines))
            body, place = "\n".join(lines[at + 1 : end]), f"{heading}/code {counter.next('code')}"
            found.append(DocumentBlock(place=place, kind="code", text=body, line=at + 2))
            at = end + 1
        elif not line.strip():
            at += 1
        else:
            end = _run(lines, at)
            found += _below(heading, counter, lines[at:end], at + 1)
            at = end
    places = [block.place for block in found]
    doubled = sorted({place for place in places if unique and places.count(place) > 1})
    if doubled:
        raise ValueError(f"places are not unique: {', '.join(doubled)}")
    return found


def _section(lines: list[str], start: int, level: int) -> str:
    fenced = False
    for end in range(start + 1, len(lines)):
        fenced ^= lines[end].startswith("```")
        match = None if fenced else _HEADING.match(lines[end])
        if match and len(match[1]) <= level:
            return "\n".join(lines[start:end])
    return "\n".join(lines[start:])


def _kind(line: str) -> str:
    if line.startswith("|"):
        return "table"
    if _CHECK.match(line):
        return "checklist"
    return "list" if _ITEM.match(line) else "text"


def _run(lines: list[str], start: int) -> int:
    """The end of the run of lines of one kind that begins at ``start``."""
    kind = _kind(lines[start])
    end = start + 1
    while end < len(lines) and lines[end].strip() and not lines[end].startswith(("```", "#")):
        if _kind(lines[end]) != kind:
            break
        end += 1
    return end


def _below(heading: str, counter: _Counter, lines: list[str], first: int) -> list[DocumentBlock]:
    kind = _kind(lines[0])
    place = f"{heading}/{kind} {counter.next(kind)}"
    if kind == "text":
        return [DocumentBlock(place=place, kind="text", text="\n".join(lines), line=first)]
    one, skipped = ("row", 2) if kind == "table" else ("item", 0)  # of a table its header and its rule
    block_kind = "check" if kind == "checklist" else one
    return [
        DocumentBlock(place=f"{place}/{one} {n}", kind=block_kind, text=line, line=first + skipped + n - 1)
        for n, line in enumerate(lines[skipped:], start=1)
    ]


def committed() -> tuple[IndexEntry, ...]:
    """The committed index."""
    return msgspec.json.decode(FILE.read_bytes(), type=tuple[IndexEntry, ...])


def main(arguments: list[str]) -> int:
    """Writes the index of the document at ``arguments[0]``."""
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        sys.stderr.write("usage: python -m harness.run.scenarios.index PATH-OF-THE-DESIGN-DOCUMENT\n")
        return 2
    entries = [block.entry() for block in blocks(Path(arguments[0]).read_text(encoding="utf-8"))]
    lines = ",\n".join(msgspec.json.encode(entry).decode() for entry in entries)
    FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    sys.stdout.write(f"{FILE.name}: {len(entries)} places\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
