"""Text on its way out, which may be a target's: what a terminal or a reader would obey is shown instead.

Standard library only: the command line has it around each command, and the night's jobs around theirs.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

#: C0 but for a line's end and a tab, DEL, C1, and the characters that change the direction of text.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

#: What a job of GitHub obeys in its output: "::" at a line's start, and "##[" anywhere. We say neither ourselves.
_COMMAND = re.compile(r"(?m)(?<![^\s]):(?=:)|#(?=#\[)")


def shown(text: str) -> str:
    """Return ``text`` with each character that would be obeyed as ``\\x1b`` or ``\\u202e``, which JSON reads as well.

    JSON holds no C0 as it is, so its text stays JSON of the same content. In a job of GitHub, commands are shown, too.
    """
    text = _OBEYED.sub(_told, text)
    return _COMMAND.sub(_told, text) if "GITHUB_ACTIONS" in os.environ else text


def _told(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x20 else f"\\u{number:04x}"


class _Escaping:
    """A text stream that writes ``shown`` text to the one below, and is that one in all else."""

    def __init__(self, below: TextIO) -> None:
        self.below = below

    def write(self, text: str) -> int:
        """Write ``text``; return its length."""
        self.below.write(shown(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write each of ``lines``."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.below, name)


def escaped(stream: TextIO) -> TextIO:
    """Return a stream that writes to ``stream`` what is ``shown``."""
    return stream if isinstance(stream, _Escaping) else cast(TextIO, _Escaping(stream))


def with_codes(stream: TextIO) -> TextIO:
    """Return the stream below an ``escaped`` one, for our own colours and what is drawn; any other as it is."""
    return stream.below if isinstance(stream, _Escaping) else stream


@contextlib.contextmanager
def escaping() -> Iterator[None]:
    """Have standard output and error ``escaped`` meanwhile."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(escaped, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
