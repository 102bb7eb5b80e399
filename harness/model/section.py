"""What a report shows besides its judgements, as data: tables, lines, blocks of text, charts. Never HTML.

Whatever is said in our words is a ``Message``; a plain ``str`` is what the evidence says, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TypeAlias, TypeVar

import msgspec

from harness.base.units import Unit
from harness.model.judgement import Verdict
from harness.model.message import Message, Told

Cell: TypeAlias = str | Message


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row of a table. ``verdict`` gives it a sign and a colour, ``word`` stands in the place of the verdict's own
    word; ``lines`` are set below it; ``link`` is a file of the run's folder that its first cell leads to."""

    cells: tuple[Cell, ...]
    verdict: Verdict | None = None
    word: Message | None = None
    lines: tuple[Cell, ...] = ()
    link: str = ""


class Table(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="table"):
    """A table. ``numbers`` are the columns (from 0) that hold figures; ``note`` is said below it. ``part``: of which
    part of the plan; "" of the whole run. ``first``: it stands above what was judged. Every row has as many cells as
    there are ``heads``."""

    title: Message
    heads: tuple[Message, ...]
    rows: tuple[Row, ...]
    numbers: tuple[int, ...] = ()
    note: Told = ()
    part: str = ""
    first: bool = False

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a row of another width."""
        if any(len(row.cells) != len(self.heads) for row in self.rows):
            raise ValueError(f"{self.title}: a row is not as wide as the heads")


T = TypeVar("T")


def table_of(
    title: Message,
    rows: Iterable[T],
    *columns: tuple[Message, Callable[[T], Cell]],
    row: Callable[[T], Row] = lambda _: Row(cells=()),
    numbers: tuple[int, ...] = (),
    note: Told = (),
    part: str = "",
) -> Table:
    """A table with a row for each of ``rows``. A column is its head and what stands in it; ``row`` is whatever else a
    row has."""
    return Table(
        title=title,
        heads=tuple(head for head, _ in columns),
        rows=tuple(msgspec.structs.replace(row(each), cells=tuple(cell(each) for _, cell in columns)) for each in rows),
        numbers=numbers,
        note=note,
        part=part,
    )


class Lines(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="lines"):
    """A list."""

    title: Message
    lines: tuple[Cell, ...]
    part: str = ""


class Block(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Text as a program said it, such as a command with its output."""

    caption: Cell
    text: str = ""
    verdict: Verdict | None = None


class Blocks(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="blocks"):
    """Blocks of text."""

    title: Message
    blocks: tuple[Block, ...]
    part: str = ""


class Pairs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="pairs"):
    """Facts of the run that stand at the head of its page: a name and what it is. ``differs``: they stand with what
    differs from production instead."""

    pairs: tuple[tuple[Message, Cell], ...]
    differs: bool = False


class Style(StrEnum):
    """How a series is drawn. Steps are level from each point to the next: the last ends them."""

    LINE = "line"
    STEPS = "steps"
    AREA = "area"  # steps of the series' own amount, filled, on top of the areas before it in the chart
    DOTS = "dots"


class Point(msgspec.Struct, frozen=True, array_like=True):
    """A point; ``y`` ``None`` is a gap. ``note`` is said when it is pointed at; ``hollow``: beyond a limit."""

    x: float
    y: float | None
    note: Cell = ""
    hollow: bool = False


class Series(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One series of a chart. ``tone`` is a class of the style sheet for what has a colour of its own ("api", "bad")."""

    name: Message
    points: tuple[Point, ...]
    style: Style = Style.STEPS
    tone: str = ""


class Axis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An axis. ``label`` names it; ``whole``: only whole numbers are marked."""

    label: Message
    unit: Unit = Unit.NONE
    logarithmic: bool = False
    whole: bool = False


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A horizontal line at a promised value."""

    label: Cell
    at: float


class Band(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stretch of the x axis with a name, such as a phase; ``judged`` is shaded."""

    start: float
    end: float
    label: Message
    judged: bool = False


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A moment on the x axis: ``kind`` is the event's, ``word`` the kind in words."""

    at: float
    kind: str
    word: Message
    subject: Cell
    said: Told


class Chart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="chart"):
    """A picture. ``text`` says in words what it shows, for those who do not see it."""

    title: Message
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    text: Told
    limits: tuple[Limit, ...] = ()
    bands: tuple[Band, ...] = ()
    part: str = ""


class Timeline(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="timeline"):
    """The course of a run or of a part: charts over one axis from ``begin`` to ``seconds``, its phases and moments.

    ``marks_in_all`` counts the moments of the evidence, of which ``marks`` are shown. Judged phases are shaded in every
    chart; charts with the same logarithmic y axis share its scale, so that they compare at a glance.
    """

    title: Message
    seconds: float
    begin: float = 0.0
    phases: tuple[Band, ...] = ()
    marks: tuple[Mark, ...] = ()
    marks_in_all: int = 0
    charts: tuple[Chart, ...] = ()
    note: Told = ()
    part: str = ""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A bar of pieces, one behind the other: as many as its picture has ``names``."""

    label: Cell
    pieces: tuple[float, ...]


class Bars(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="bars"):
    """Lying bars on one axis, each of the same named pieces. ``text`` says in words what they show."""

    title: Message
    x: Axis
    names: tuple[Message, ...]
    bars: tuple[Bar, ...]
    text: Told
    part: str = ""


Picture: TypeAlias = Chart | Timeline | Bars
Section: TypeAlias = Table | Lines | Blocks | Pairs | Chart | Timeline | Bars
