"""What a terminal shows at the end of a command: recorded, replayed on a screen of its own, and drawn as SVG."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Sequence
from html import escape
from pathlib import Path

ROWS, COLUMNS = 40, 100
_STEP = re.compile(r"\x1b\[(?P<count>[0-9;?]*)(?P<what>[A-Za-z])|(?P<control>[\r\n\b])|(?P<text>[^\x1b\r\n\b]+)|\x1b.?")
_WIDTH_PX, _LINE_PX, _MARGIN_PX = 7.25, 17, 14
#: SVG draws spaces side by side as one; this one it keeps.
_SPACE = "\N{NO-BREAK SPACE}"
_TONES = (
    (re.compile(r"^\s*pass\b|decision: advance"), "#7ee787"),
    (re.compile(r"^\s*fail\b|decision: roll back"), "#ff7b72"),
    (re.compile(r"^\s*(inconclusive|not exercised)\b|decision: hold"), "#e3b341"),
    (re.compile(r"^\[ *[0-9.]+ s\]"), "#a5d6ff"),
)


def record(file: Path, command: Sequence[str]) -> int:
    """Runs ``command`` in a terminal of 100 columns, passes on what it writes and keeps it in ``file``; its status."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
        os.execvp(command[0], list(command))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with file.open("wb") as kept:
        while data := _read(terminal):
            kept.write(data)
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _read(terminal: int) -> bytes:
    """What it has to say, b"" once the command has ended: Linux tells that by an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def shown(recorded: str) -> str:
    """The lines that stand in the terminal at the end; what was written over is gone. Long lines are not wrapped."""
    lines, row, column = [""], 0, 0
    for step in _STEP.finditer(recorded):
        count = int(step["count"] or 1) if (step["count"] or "").isdigit() or not step["count"] else 1
        if text := step["text"]:
            lines[row] = lines[row].ljust(column)[:column] + text + lines[row][column + len(text) :]
            column += len(text)
        elif step["control"] == "\n":
            row, lines = row + 1, [*lines, *([""] if row + 1 == len(lines) else [])]
            column = 0
        elif step["control"] == "\r":
            column = 0
        elif step["control"] == "\b":
            column = max(0, column - 1)
        elif step["what"] == "K":
            lines[row] = "" if step["count"] == "2" else lines[row][:column]
        elif step["what"] == "A":
            row = max(0, row - count)
        elif step["what"] == "J":
            lines[row:] = [lines[row][:column]]
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"


def drawn(text: str, title: str, *, columns: int = 112) -> str:
    """The lines as an SVG of one file: no script, no font to fetch. A longer line ends in an ellipsis."""
    lines = [line if len(line) <= columns else f"{line[: columns - 1]}…" for line in text.rstrip("\n").split("\n")]
    width = round(columns * _WIDTH_PX + 2 * _MARGIN_PX)
    height = len(lines) * _LINE_PX + 2 * _MARGIN_PX
    rows = "\n".join(
        f'<text x="{_MARGIN_PX}" y="{_MARGIN_PX + _LINE_PX * number + 12}"{_tone(line)}>{escape(line).replace(" ", _SPACE)}</text>'
        for number, line in enumerate(lines)
        if line
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{escape(title)}">\n<title>{escape(title)}</title>\n'
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n'
        f'<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="12" fill="#e6edf3">\n{rows}\n</g>\n</svg>\n'
    )


def _tone(line: str) -> str:
    return next((f' fill="{colour}"' for pattern, colour in _TONES if pattern.search(line)), "")
