"""Lying bars as a drawing: where each piece begins and how wide it is, in per cent of the axis. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.section import Bar, Bars
from harness.report.language import Language
from harness.report.scale import Tick, amount, span

#: So many sorts of pieces differ by their pattern as well as by their colour.
PATTERNS = 5


@dataclass(frozen=True)
class Piece:
    """A piece of a bar; ``pattern`` is the number of its filling, ``note`` what it says when pointed at."""

    start: float
    width: float
    pattern: int
    note: str


@dataclass(frozen=True)
class Lying:
    """A bar with what it says of itself: its name, and its whole length; ``words`` are all its pieces."""

    label: str
    length: str
    end: float
    pieces: tuple[Piece, ...]
    words: str


@dataclass(frozen=True)
class Rows:
    """The drawing. ``names`` are those of the pieces, in the order of their patterns."""

    title: str
    label: str
    names: tuple[str, ...]
    ticks: tuple[Tick, ...]
    bars: tuple[Lying, ...]
    text: str


def draw_bars(bars: Bars, say: Language) -> Rows:
    """On an axis from 0 to the longest of them, whose length still has room beside it."""
    longest = max((sum(each.pieces) for each in bars.bars), default=0.0) or 1.0
    return Rows(
        title=say.message(bars.title),
        label=say.message(bars.x.label),
        names=tuple(map(say.message, bars.names)),
        ticks=span([0.0, longest * 1.15], bars.x).ticks,
        bars=tuple(_lying(each, bars, longest * 1.15, say) for each in bars.bars),
        text=say.told(bars.text, ""),
    )


def _lying(bar: Bar, bars: Bars, whole: float, say: Language) -> Lying:
    pieces, at = [], 0.0
    for number, (name, length) in enumerate(zip(bars.names, bar.pieces, strict=True)):
        note = f"{say.message(name)} {amount(round(length, 2), bars.x.unit)}"
        pieces.append(Piece(start=100 * at / whole, width=100 * length / whole, pattern=number % PATTERNS, note=note))
        at += length
    return Lying(
        label=say.shown(bar.label),
        length=amount(round(at, 2), bars.x.unit),
        end=100 * at / whole,
        pieces=tuple(pieces),
        words=say.listed(each.note for each in pieces),
    )
