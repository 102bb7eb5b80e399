"""What is under way, drawn below the lines of a terminal by rich: the phase, its bar and time to go, its table.

Whatever is drawn fits the terminal's width, a Japanese character taking two columns, so that all of it can be taken
away again: no stale line is left. Imported when there is something to draw, since rich takes 0.06 s to load.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any, TextIO

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from harness.base.phase import Phase, PhaseLanguage, PhaseLine, PhaseRow
from harness.base.shown import escaped, shown, with_codes
from harness.base.ticks import Ticks

_STYLES = {"good": "green", "bad": "bold red", "open": "yellow", "": ""}
_SMALLEST = ConsoleDimensions(80, 24)  # of a terminal that does not say how large it is


class Screen:
    """What ``under_way`` returns, until ``close``. What else is written on standard error goes above it."""

    def __init__(
        self, stream: TextIO, clock: Ticks, under_way: Callable[[], tuple[Phase | None, PhaseLanguage]]
    ) -> None:
        self._stream, self._clock, self._under_way = stream, clock, under_way
        self._console = _console(stream)
        utf8 = self._console.encoding.startswith("utf")
        self._spinner = Spinner("dots" if utf8 else "line", style="cyan")
        self._live = Live(
            console=self._console,
            get_renderable=self._drawn,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,  # --json goes there
        )
        self._live.start()
        sys.stderr = escaped(sys.stderr)  # rich takes codes in what is written there for its own; it puts back what was
        self._console.show_cursor()  # a command that is killed must not leave a terminal without one

    def above(self, head: str, text: str) -> None:
        """A line that stays, its further rows below ``text``."""
        self._fit()
        self._console.print(_hanging(head, text))

    def draw(self) -> None:
        """Draws what is under way as it is now."""
        self._fit()
        self._live.refresh()

    def close(self) -> None:
        """Takes away what was drawn."""
        self._live.stop()

    def _fit(self) -> None:
        self._console.size = _size(self._stream)

    def _drawn(self) -> RenderableType:
        phase, say = self._under_way()
        return "" if phase is None else Group(*self._rows(phase, self._clock.now_ns(), say))

    def _rows(self, phase: Phase, now_ns: int, say: PhaseLanguage) -> Iterable[RenderableType]:
        head = Table.grid(padding=(0, 1), expand=True)
        head.add_column(width=1)
        head.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        head.add_column(justify="right", no_wrap=True)
        head.add_row(self._spinner, _text(phase.text, "bold"), _text(phase.counted(now_ns, say)))
        yield head
        share, left = phase.share(now_ns), phase.left(now_ns, say)
        if share is not None:
            bar = Table.grid(padding=(0, 1), expand=True)
            bar.add_column(width=1)
            bar.add_column(ratio=1)
            bar.add_column(justify="right", no_wrap=True)
            bar.add_row("", ProgressBar(total=1.0, completed=share, complete_style="cyan"), _text(left))
            yield bar
        if phase.rows:
            yield _table(phase.rows)
        elif phase.note:
            yield _text(f"  {phase.note}", no_wrap=True, overflow="ellipsis")


def closing(stream: TextIO, lines: Iterable[PhaseLine]) -> None:
    """The lines of the end in their order, each lead in a column of its own."""
    console = _console(stream)
    for with_lead, group in groupby(lines, lambda line: bool(line.lead)):
        if with_lead:
            console.print(_columns(group))
            continue
        for line in group:
            style = f"{_STYLES[line.tone]} bold" if line.bold else _STYLES[line.tone]
            # A path, a command stay whole to be copied; of Japanese a row is filled, since no spaces part its words.
            long = line.tone and any(cell_len(word) > console.width for word in line.text.split())
            text = "\n".join(chop_cells(line.text, console.width)) if long else line.text
            console.print(_text(text, style), soft_wrap=not line.tone)


def _columns(lines: Iterable[PhaseLine]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=0)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row("", _text(line.lead.strip(), _STYLES[line.tone]), _text(line.text))
    return table


def _table(rows: Iterable[PhaseRow]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(width=0)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for row in rows:
        table.add_row("", _text(row.what), _text(row.value), _text(row.stands, _STYLES[row.tone]))
    return table


def _hanging(head: str, text: str) -> RenderableType:
    """``text`` behind ``head``, and what of it does not fit a row below its beginning."""
    if not head:
        return _text(text)
    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(_text(head, "dim"), _text(text))
    return grid


def _text(text: str, style: str = "", **how: Any) -> Text:
    """Text of whomever, without markup or codes."""
    return Text(shown(text), style, **how)


def _console(stream: TextIO) -> Console:
    console = Console(file=with_codes(stream), force_terminal=True, highlight=False, markup=False, emoji=False)
    console.size = _size(stream)
    return console


def _size(stream: TextIO) -> ConsoleDimensions:
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return _SMALLEST
    return ConsoleDimensions(columns, lines) if columns and lines else _SMALLEST
