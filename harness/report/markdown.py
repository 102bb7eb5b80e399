"""Markdown from text that can hold anything: escaped, fenced, in tables and lists. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from harness.base.shown import shown

#: What stands for a character that a reader takes for markup.
_PLAIN = str.maketrans({each: f"\\{each}" for each in "\\`*_[]|#~"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def plain(text: str) -> str:
    """``text`` as one line that no Markdown reader takes for markup: messages of the evidence can hold anything."""
    return shown(" ".join(text.split())).translate(_PLAIN)


def code(text: str) -> str:
    """``text`` as a block of code, fenced by more backticks than it holds."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}text\n{shown(' '.join(text.split()))}\n{fence}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[int] = ()) -> str:
    """A Markdown table of cells that are Markdown already; the columns ``right`` (from 0) are set right."""
    rule = ["---:" if number in right else "---" for number in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def bullets(lines: Iterable[str]) -> str:
    """A list of untrusted lines."""
    return "\n".join(f"- {plain(line)}" for line in lines)


def head(text: str, level: int = 3) -> str:
    """A heading of untrusted text."""
    return f"{'#' * level} {plain(text)}"
