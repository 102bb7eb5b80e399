"""The numbers that stand on a page: its text without scripts and styles, and what of it people read as a number.

It knows no document of ours, so that pages of before and after a change are read alike. A number keeps the digits that
it is shown with (``99.50`` is not ``99.5``); thousands lose their comma. No numbers are: moments and dates, parts of
names and addresses, and sizes of files (KiB, B), which are another whenever a file beside the page is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import TypedDict

#: Elements that do not end a line of text.
_INLINE = frozenset({"a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "sub", "sup", "tspan"})
_CELLS = frozenset({"td", "th"})  # a row is one line
_UNSEEN = frozenset({"script", "style", "title", "head"})
_SIZE = re.compile(r"\b[\d,]+\s(?:KiB|B)\b")
_APART = re.compile(r"[\s()\[\]{}|\"'`;=/…–→<>*]+")
_NUMBER = re.compile(r"[-−+≥≤~×±]*(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?:%|[A-Za-zµ]{1,5})?")
_SHOWN = 100  # characters of the line that a number stands in


class Standing(TypedDict):
    """A number of a page, how often it stands there, and the line where it stands first."""

    number: str
    times: int
    line: str


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page: list[str] = []
        self.charts: list[str] = []
        self._unseen = self._chart = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._chart += tag == "svg"
        self._unseen += tag in _UNSEEN and not (tag == "title" and self._chart)
        if tag in _CELLS:
            self._say(" | ")
        elif tag not in _INLINE:
            self._say("\n")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN and not (tag == "title" and self._chart)
        self._chart -= tag == "svg"
        if tag not in _INLINE | _CELLS:
            self._say("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._say(data)

    def _say(self, text: str) -> None:
        (self.charts if self._chart else self.page).append(text)


def texts(html: str) -> tuple[str, str]:
    """A page's text, and that of its charts, a line for each element that ends one."""
    reader = _Text()
    reader.feed(html)
    return "".join(reader.page), "".join(reader.charts)


def numbers(text: str) -> list[Standing]:
    """The numbers of ``text``, each once, in the order of their first place."""
    found: dict[str, Standing] = {}
    for line in _SIZE.sub(" ", text.replace("\\", "")).splitlines():
        for number in _of_line(line):
            seen = found.setdefault(number, Standing(number=number, times=0, line=" ".join(line.split())[:_SHOWN]))
            seen["times"] += 1
    return list(found.values())


def _of_line(line: str) -> Iterable[str]:
    for word in _APART.split(line):
        match = _NUMBER.fullmatch(word.strip(".,:!?"))
        if match is not None:
            yield match[1].replace(",", "") + (match[2] or "")
