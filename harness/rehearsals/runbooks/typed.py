"""The commands of a page: what stands in its ``sh`` blocks, with the heading above each. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from string import Template

import msgspec

_FENCE = "```"
PROGRAM = "kubectl"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A line to type: the words behind ``kubectl``; or a block that a shell runs whole, as one word. ``chapter`` is the
    page's heading of level 2 above it, ``heading`` the nearest."""

    chapter: str
    heading: str
    words: tuple[str, ...]


def commands(page: str, values: Mapping[str, str] | None = None) -> Iterator[Command]:
    """In the page's order, each ``$NAME`` replaced by its value.

    Raises ``ValueError`` for a line that is no command of kubectl, or needs a shell, and ``KeyError`` for a name
    without a value.
    """
    for chapter, heading, lines in _blocks(page):
        for line in lines:
            if typed := shlex.split(line, comments=True):
                if typed[0] != PROGRAM or set(typed) & {"|", "&&", ";", ">", "<"}:
                    raise ValueError(f"{line!r} is no single command of {PROGRAM}")
                words = (Template(word).substitute(values or {}) for word in typed[1:])
                yield Command(chapter=chapter, heading=heading, words=tuple(words))


def scripts(page: str) -> Iterator[Command]:
    """The blocks of a page that a shell runs, in order; the shell knows the variables."""
    for chapter, heading, lines in _blocks(page):
        yield Command(chapter=chapter, heading=heading, words=("\n".join(lines),))


def _blocks(page: str) -> Iterator[tuple[str, str, list[str]]]:
    """What stands in each ``sh`` block, below which headings."""
    chapter = heading = ""
    inside: str | None = None
    lines: list[str] = []
    for line in page.splitlines():
        if line.startswith(_FENCE):
            if inside == "sh":
                yield chapter, heading, lines
            inside, lines = (line.removeprefix(_FENCE).strip() if inside is None else None), []
        elif inside is not None:
            lines.append(line)
        elif found := re.match(r"(##+) (.*)", line):
            heading = found[2]
            chapter = heading if found[1] == "##" else chapter
