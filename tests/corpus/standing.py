"""The numbers that stand on a page: its text without scripts and styles, and what of it people read as a number.

It knows no document of ours, so that pages of before and after a change are read alike. A number keeps the digits that
it is shown with (``99.50`` is not ``99.5``); thousands lose their comma. No numbers are: moments and dates, parts of
names and addresses, and sizes of files (KiB, B), which are another whenever a file beside the page is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import unescape
from typing import TypedDict

#: Elements that do not end a line of text.
_INLINE = frozenset({"a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "sub", "sup", "tspan"})
_CELLS = frozenset({"td", "th"})  # a row is one line
_UNSEEN = frozenset({"script", "style", "title", "head"})
#: What is no text though no tag: of a script, of a style.
_HELD = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
#: A tag with its attributes, a comment or a declaration.
_TAG = re.compile(r"""<(/?)([A-Za-z][^\s/>]*)[^>"']*(?:(?:"[^"]*"|'[^']*')[^>"']*)*>|<!--.*?-->|<![^>]*>""", re.DOTALL)
_SIZE = re.compile(r"\b[\d,]+\s(?:KiB|B)\b")
_APART = re.compile(r"[\s()\[\]{}|\"'`;=/…–→<>*]+")
_NUMBER = re.compile(r"[-−+≥≤~×±]*(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?:%|[A-Za-zµ]{1,5})?")
_SHOWN = 100  # characters of the line that a number stands in


class Standing(TypedDict):
    """A number of a page, how often it stands there, and the line where it stands first."""

    number: str
    times: int
    line: str


def texts(html: str) -> tuple[str, str]:
    """A page's text, and that of its charts, a line for each element that ends one. The page is well-formed: to look
    for its tags takes a third of the time that ``html.parser`` does.
    """
    page: list[str] = []
    charts: list[str] = []
    unseen = chart = at = 0
    html = _HELD.sub(r"<\1></\1>", html)
    for tag in _TAG.finditer(html):
        if not unseen:
            (charts if chart else page).append(unescape(html[at : tag.start()]))
        at, ends, name = tag.end(), tag[1] == "/", (tag[2] or "").lower()
        hides = name in _UNSEEN and not (name == "title" and chart)
        if name and not ends:
            chart += name == "svg"
            unseen += hides
            (charts if chart else page).append(" | " if name in _CELLS else "" if name in _INLINE else "\n")
        if ends or (name and html[at - 2] == "/"):
            unseen -= hides
            chart -= name == "svg"
            (charts if chart else page).append("" if name in _INLINE | _CELLS else "\n")
    return "".join(page), "".join(charts)


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
