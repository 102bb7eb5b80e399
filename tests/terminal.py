"""A terminal: what a command that believes to be on one writes, as it stands on the screen and above it.

As much of it as rich and the harness use: text that wraps (a wide character takes two columns), a cursor that goes up,
rows that are erased. What it does not know it refuses.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
import unicodedata
from collections.abc import Callable, Sequence

_CODE = re.compile(r"\x1b\[(?P<number>\??[0-9;]*)(?P<what>[A-Za-z])")
_PASSED_OVER = "mhl"  # colours; the cursor shown or hidden
WIDE = "WF"


class Terminal:
    """``rows`` by ``columns`` characters. ``lines`` are all that were ever scrolled out at the top, and the screen."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.columns, self.rows = columns, rows
        self._cells: list[list[str]] = [[]]  # a wide character's second cell is ""
        self._row = self._column = 0
        self._rest = ""

    @property
    def lines(self) -> list[str]:
        """As they stand, from the first that was written."""
        return ["".join(cells).rstrip() for cells in self._cells]

    def write(self, text: str) -> None:
        """Takes what was written, or a part of it."""
        text, self._rest = self._rest + text, ""
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self._character(text[at])
                at += 1
            elif code := _CODE.match(text, at):
                self._control(code["number"], code["what"])
                at = code.end()
            elif re.fullmatch(r"\x1b(\[[?0-9;]*)?", text[at:]):
                self._rest = text[at:]
                return
            else:
                raise AssertionError(f"a code that the terminal does not know: {text[at : at + 10]!r}")

    def _character(self, character: str) -> None:
        if character == "\n":
            self._row += 1
            self._cells += [[]] if self._row == len(self._cells) else []
        elif character == "\r":
            self._column = 0
        elif unicodedata.combining(character):
            self._cells[self._row][self._column - 1] += character
        else:
            width = 2 if unicodedata.east_asian_width(character) in WIDE else 1
            if self._column + width > self.columns:
                self._character("\r")
                self._character("\n")
            cells = self._cells[self._row]
            cells += [" "] * (self._column + width - len(cells))
            cells[self._column : self._column + width] = [character, ""][:width]
            self._column += width

    def _control(self, number: str, what: str) -> None:
        if what == "A":
            self._row = max(0, len(self._cells) - self.rows, self._row - int(number or 1))
        elif (number, what) == ("2", "K"):
            self._cells[self._row] = []
        elif what not in _PASSED_OVER:
            raise AssertionError(f"a code that the terminal does not know: {number}{what}")


def watched(
    command: Sequence[str], look: Callable[[Terminal], None], *, columns: int = 80, rows: int = 24, limit_s: float = 120
) -> tuple[int, Terminal]:
    """Runs ``command`` on a terminal; ``look`` sees each state that stood there. Its status, and the terminal."""
    terminal, decode = Terminal(columns, rows), codecs.getincrementaldecoder("utf-8")().decode
    child, ours = pty.fork()
    if child == 0:
        aside = {name: os.environ[name] for name in os.environ if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execvpe(command[0], list(command), {**aside, "TERM": "xterm-256color"})
    until = time.monotonic() + limit_s
    try:
        while select.select([ours], [], [], max(0, until - time.monotonic()))[0]:
            try:
                data = os.read(ours, 65536)
            except OSError:  # how Linux says that the last who had it is gone
                break
            for piece in re.split(r"(?=\r)", decode(data)):  # where what stands is about to be erased
                terminal.write(piece)
                look(terminal)
        else:
            raise AssertionError(f"no end within {limit_s:g} s:\n" + "\n".join(terminal.lines))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), terminal
    finally:
        os.close(ours)  # a command that is still there is hung up
