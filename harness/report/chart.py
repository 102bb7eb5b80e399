"""Charts and timelines as drawings: places on the page, paths and words; ``templates/chart.html.j2`` makes SVG of them.

Places are per cent of the plot, from the left and from the top, so that words never stretch with the page. Paths lie
in a box of 1000 by 100 that does stretch. Series differ by dash as well as by colour. Pure.

Lying bars as a drawing: where each piece begins and how wide it is, in per cent of the axis. Pure.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.base.units import Unit
from harness.model.section import Axis, Band, Bar, Bars, Chart, Limit, Point, Series, Style, Timeline
from harness.report.language import Language, columns, cut

# Scales of charts: from values to a share of an axis, and the ticks with their labels. Pure.

WIDTH = 1000.0
_NEAR_ONE = 0.5
HEIGHT = 100.0


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis; ``at`` in per cent from its low end."""

    at: float
    label: str
    minor: bool = False  # left out where the page is narrow


@dataclass(frozen=True)
class AxisScale:
    """A scale from ``low`` to ``high``, which differ; ``label`` says a value of it."""

    low: float
    high: float
    ticks: tuple[Tick, ...]
    label: Callable[[float], str]
    log: bool = False

    def share(self, value: float) -> float:
        """Where ``value`` lies: 0 at ``low``, 1 at ``high``."""
        if self.log:
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def amount(value: float, unit: Unit) -> str:
    """A tick's label; the axis says the unit of plain numbers."""
    if unit is Unit.RATIO:
        return f"{value * 100:,.6g} %"
    if unit is Unit.MILLISECONDS:
        return f"{value:,.6g} ms" if value < 1000 else f"{value / 1000:,.6g} s"
    return f"{value:,.6g} s" if unit is Unit.SECONDS else f"{value:,.6g}"


def _step_of(low: float, high: float, most: int, *, whole: bool) -> float:
    """A round distance of ticks: at most ``most`` of them between ``low`` and ``high``."""
    wanted = max((high - low) / most, 1e-9)
    power = math.floor(math.log10(wanted))
    found = next(
        factor * 10.0**exponent
        for exponent in (power, power + 1)
        for factor in (1, 2, 5)
        if factor * 10.0**exponent >= wanted * (1 - 1e-9)
    )
    return max(found, 1.0) if whole else found


def _ticks(values: Sequence[float], scale_low: float, scale_high: float, unit: Unit) -> tuple[Tick, ...]:
    many = len(values) > 4
    return tuple(
        Tick(
            at=100 * (value - scale_low) / (scale_high - scale_low),
            label=amount(value, unit),
            minor=many and number % 2 == 1,
        )
        for number, value in enumerate(values)
    )


def linear(values: Sequence[float], axis: Axis) -> AxisScale:
    """From 0, or a round number below the least value, to a round number above the largest; of ratios that are all near
    1 from a round number below the least."""
    high = max([0.0, *values])
    least = min([0.0, *values])
    near = axis.unit is Unit.RATIO and min(values, default=0.0) >= _NEAR_ONE
    low = min(values) - (high - min(values)) / 2 if near else least
    if high == low:
        high = low + 1.0
    step = _step_of(low, high, 4, whole=axis.whole)
    first, last = math.floor(round(low / step, 9)), math.ceil(round(high / step, 9))
    low, high = first * step, max(last, first + 1) * step
    marks = [number * step for number in range(first, max(last, first + 1) + 1)]
    return AxisScale(low, high, _ticks(marks, low, high, axis.unit), lambda value: amount(value, axis.unit))


def span(values: Sequence[float], axis: Axis) -> AxisScale:
    """From the least value to the largest, with ticks at round ones."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    step = _step_of(low, high, 8, whole=axis.whole)
    marks = [number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return AxisScale(low, high, _ticks(marks, low, high, axis.unit), lambda value: amount(value, axis.unit))


def logarithmic(values: Sequence[float], unit: Unit, *, decades: bool) -> AxisScale:
    """A logarithmic scale of what is above 0: in whole ``decades``, or a fifth wider than the values on both sides."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = min(positive), max(positive)
    if decades:
        least = math.floor(math.log10(low) + 1e-9)
        most = max(least + 1, math.ceil(math.log10(high) - 1e-9))
        low, high = 10.0**least, 10.0**most
    else:
        low, high = low / 1.2, high * 1.2
    wide = high / low > 1000
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [f * 10.0**power for power in powers for f in ((1,) if wide else (1, 2, 5))]
    ticks = tuple(
        Tick(
            at=100 * math.log(mark / low) / math.log(high / low),
            label=amount(mark, unit),
            minor=not float(math.log10(mark)).is_integer(),
        )
        for mark in marks
        if low * (1 - 1e-9) <= mark <= high * (1 + 1e-9)
    )
    return AxisScale(low, high, ticks, lambda value: amount(value, unit), log=True)


#: Distances between the labels of a time axis, in seconds.
_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 604_800)


def over_time(low: float, high: float) -> AxisScale:
    """Seconds from ``low`` to ``high``, with about eight labels; every second one may be left out."""
    high = max(high, low + 1.0)
    step = next((step for step in _STEPS_S if (high - low) / step <= 9), _STEPS_S[-1])
    first = math.ceil(low / step)
    ticks = tuple(
        Tick(at=100 * (at - low) / (high - low), label=clock(at), minor=number % 2 == 1)
        for number, at in enumerate(range(first * step, math.floor(high) + 1, step))
    )
    return AxisScale(low, high, ticks, clock)


def clock(seconds: float) -> str:
    """A time as ``2:05``, ``1:02:05`` or ``3 d 04:00``; ``-0:20`` before the start."""
    if seconds < 0:
        return f"-{clock(-seconds)}"
    whole = int(seconds)
    if whole >= 86_400:
        return f"{whole // 86_400} d {whole % 86_400 // 3600:02d}:{whole % 3600 // 60:02d}"
    if whole >= 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"


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
class BarRows:
    """The drawing. ``names`` are those of the pieces, in the order of their patterns."""

    title: str
    label: str
    names: tuple[str, ...]
    ticks: tuple[Tick, ...]
    bars: tuple[Lying, ...]
    text: str


def draw_bars(bars: Bars, say: Language) -> BarRows:
    """On an axis from 0 to the longest of them, whose length still has room beside it."""
    longest = max((sum(each.pieces) for each in bars.bars), default=0.0) or 1.0
    return BarRows(
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


#: Marks nearer than this (in per cent of the axis) are set below each other; that is one mark on a phone.
_NEAR = 5.0
_ROWS = 4
_TONES = 6
#: How many columns of letters (a Japanese one takes two) a per cent of the axis has room for, on a wide page and on a
#: phone; a word of fewer than three letters says nothing.
_WIDE, _SLIM, _LEAST = 1.2, 0.36, 3
_CSS = re.compile("[^a-z0-9_-]")


@dataclass(frozen=True)
class Shape:
    """A line or an area as a path; ``css`` are classes of the style sheet."""

    css: str
    path: str
    filled: bool = False


@dataclass(frozen=True)
class Dot:
    """A point with a circle, and what it says when pointed at."""

    x: float
    y: float
    css: str
    hollow: bool
    note: str


@dataclass(frozen=True)
class ChartStretch:
    """A stretch of the x axis; ``time`` says from when to when. ``word`` is as much of the label as has room on a wide
    page, ``slim``: on a phone as well."""

    start: float
    width: float
    label: str
    judged: bool
    time: str
    word: str
    slim: bool


@dataclass(frozen=True)
class Panel:
    """The drawing of ``chart`` on its scales; ``tones`` are the classes of its series."""

    chart: Chart
    x: AxisScale
    y: AxisScale
    tones: tuple[str, ...]
    shapes: tuple[Shape, ...]
    dots: tuple[Dot, ...]
    bands: tuple[ChartStretch, ...]

    def from_top(self, value: float) -> float:
        """Where ``value`` lies."""
        return 100 - percent(self.y, value)

    def is_below(self, limit: Limit) -> bool:
        """Whether the limit's word stands below its line, so that near limits do not cover each other's."""
        return limit.at < max(each.at for each in self.chart.limits)


@dataclass(frozen=True)
class ChartMoment:
    """A numbered moment; ``row`` is where its number stands below its neighbours'."""

    number: int
    at: float
    row: int
    css: str
    word: str
    time: str
    subject: str
    said: str


@dataclass(frozen=True)
class CourseChart:
    """A timeline: the strip of phases and moments, and the panels on the same axis. ``more`` moments are not shown."""

    ticks: tuple[Tick, ...]
    phases: tuple[ChartStretch, ...]
    moments: tuple[ChartMoment, ...]
    more: int
    panels: tuple[Panel, ...]
    note: str


def draw_chart(chart: Chart, say: Language) -> Panel:
    """A chart that stands alone: its x axis spans what it shows."""
    across = [point.x for series in chart.series for point in series.points]
    across += [at for band in chart.bands for at in (band.start, band.end)]
    return _panel(chart, _scale(chart.x, across, tight=True), _vertical([chart]), say)


def draw_timeline(timeline: Timeline, say: Language) -> CourseChart:
    """A timeline. Its charts share the x axis; those with the same logarithmic y axis share that one too, so that
    they compare at a glance."""
    x = over_time(timeline.begin, max(timeline.seconds, timeline.begin + 1.0))
    panels = tuple(_panel(chart, x, _vertical(_alike(chart, timeline.charts)), say) for chart in timeline.charts)
    moments = tuple(_moments(timeline, x, say))
    return CourseChart(
        ticks=x.ticks,
        phases=tuple(stretch for each in timeline.phases if (stretch := _stretch(each, x, say)).width > 0.5),
        moments=moments,
        more=max(0, timeline.marks_in_all - len(moments)),
        panels=panels,
        note=say.told(timeline.note, ""),
    )


def _alike(chart: Chart, charts: Sequence[Chart]) -> list[Chart]:
    """Those that ``chart`` shares its y axis with: itself alone, unless the axis is logarithmic."""
    return [each for each in charts if each.y == chart.y] if chart.y.logarithmic else [chart]


def _panel(chart: Chart, x: AxisScale, y: AxisScale, say: Language) -> Panel:
    tones = tuple(_tone(series, number) for number, series in enumerate(chart.series))
    return Panel(
        chart=chart,
        x=x,
        y=y,
        tones=tones,
        shapes=tuple(_shapes(chart.series, tones, x, y)),
        dots=tuple(_dots(chart.series, tones, x, y, say)),
        bands=tuple(_stretch(band, x, say) for band in chart.bands),
    )


def _tone(series: Series, number: int) -> str:
    return _CSS.sub("", series.tone) or f"tone{number % _TONES}"


def percent(scale: AxisScale, value: float) -> float:
    """Where ``value`` lies on its axis, in per cent from its low end, held within it."""
    return 100 * min(1.0, max(0.0, scale.share(value)))


def _stretch(band: Band, x: AxisScale, say: Language) -> ChartStretch:
    start, label = percent(x, band.start), say.message(band.label)
    width = max(0.0, percent(x, band.end) - start)
    return ChartStretch(
        start=start,
        width=width,
        label=label,
        judged=band.judged,
        time=say("{begin} to {end}", begin=x.label(band.start), end=x.label(band.end)),
        word=shortened(label, int(width * _WIDE)),
        slim=columns(label) <= int(width * _SLIM),
    )


def shortened(label: str, room: int) -> str:
    """``label``, or as much of it as takes ``room`` columns with a sign that it goes on; "" where that says nothing."""
    fits = cut(label, room)
    return fits if fits == label or columns(fits) > _LEAST else ""


def _moments(timeline: Timeline, x: AxisScale, say: Language) -> Iterable[ChartMoment]:
    free = [-_NEAR] * _ROWS  # the last place taken in each row
    for number, mark in enumerate(timeline.marks, 1):
        at = percent(x, mark.at)
        row = next((row for row in range(_ROWS) if at - free[row] >= _NEAR), _ROWS - 1)
        free[row] = at
        yield ChartMoment(
            number=number,
            at=at,
            row=row,
            css=_CSS.sub("", mark.kind),
            word=say.message(mark.word),
            time=clock(mark.at),
            subject=say.shown(mark.subject),
            said=say.told(mark.said, ""),
        )


# -- scales --------------------------------------------------------------------------------------------------------


def _scale(axis: Axis, values: Sequence[float], *, tight: bool) -> AxisScale:
    """The scale of ``axis`` that holds ``values``; ``tight``: it begins and ends with them."""
    if axis.logarithmic:
        return logarithmic(values, axis.unit, decades=not tight)
    if tight and axis.unit is Unit.SECONDS:
        return over_time(min(values, default=0.0), max(values, default=1.0))
    return span(values, axis) if tight else linear(values, axis)


def _vertical(charts: Iterable[Chart]) -> AxisScale:
    """One y scale that holds all of ``charts``, their stacks and limits."""
    charts = list(charts)
    values: list[float] = []
    for chart in charts:
        values += [limit.at for limit in chart.limits]
        values += [y for each in _lines(chart.series) for point in each.points if (y := _height(point)) is not None]
        values += [top for _, _, tops in _stacked(chart.series) for top in tops]
    return _scale(charts[0].y, values, tight=False)


def _height(point: Point) -> float | None:
    """Its value; ``None`` where nothing can be drawn."""
    return point.y if point.y is not None and math.isfinite(point.y) else None


def _lines(series: Iterable[Series]) -> list[Series]:
    return [each for each in series if each.style is not Style.AREA]


# -- paths ---------------------------------------------------------------------------------------------------------


def _shapes(series: Sequence[Series], tones: Sequence[str], x: AxisScale, y: AxisScale) -> Iterable[Shape]:
    areas = _stacked(series)
    for tone, each in zip(tones, series, strict=True):
        if each.style is Style.AREA:
            yield Shape(tone, _area(*next(areas), x, y), filled=True)
        elif each.style is Style.STEPS:
            yield Shape(tone, _steps(each.points, x, y))
        elif each.style is Style.LINE:
            yield Shape(tone, _line(each.points, x, y))


def _dots(series: Sequence[Series], tones: Sequence[str], x: AxisScale, y: AxisScale, say: Language) -> Iterable[Dot]:
    for tone, each in zip(tones, series, strict=True):
        for point in each.points:
            marked = each.style is Style.DOTS or point.note or point.hollow
            height = _height(point)
            if height is not None and marked:
                yield Dot(
                    x=percent(x, point.x),
                    y=100 - percent(y, height),
                    css=tone,
                    hollow=point.hollow,
                    note=say.join([say.message(each.name), *([say.shown(point.note)] if point.note else [])]),
                )


def _fmt(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")


def _x(scale: AxisScale, value: float) -> str:
    return _fmt(percent(scale, value) * WIDTH / 100)


def _y(scale: AxisScale, value: float) -> str:
    return _fmt((100 - percent(scale, value)) * HEIGHT / 100)


def _steps(points: Sequence[Point], x: AxisScale, y: AxisScale) -> str:
    """A line that is level until the next point; equal neighbours are drawn as one."""
    parts: list[str] = []
    level: str | None = None
    for number, point in enumerate(points):
        height = _height(point)
        shown = None if height is None else _y(y, height)
        last = number + 1 == len(points)
        if shown is None:
            parts += [f"H{_x(x, point.x)}"] if level is not None else []
        elif level is None:
            parts.append(f"M{_x(x, point.x)} {shown}")
        elif shown != level:
            parts.append(f"H{_x(x, point.x)}V{shown}")
        elif last:
            parts.append(f"H{_x(x, point.x)}")
        level = shown
    return "".join(parts)


def _line(points: Sequence[Point], x: AxisScale, y: AxisScale) -> str:
    parts: list[str] = []
    joined = False
    for point in points:
        height = _height(point)
        if height is None:
            joined = False
            continue
        parts.append(f"{'L' if joined else 'M'}{_x(x, point.x)} {_y(y, height)}")
        joined = True
    return "".join(parts)


def _stacked(series: Sequence[Series]) -> Iterator[tuple[list[float], list[float], list[float]]]:
    """Of each area the edges of all areas of the chart, and from where to where it reaches from each edge on."""
    areas = [each for each in series if each.style is Style.AREA]
    edges = sorted({point.x for each in areas for point in each.points})
    low = [0.0] * len(edges)
    for each in areas:
        high = [bottom + _level(each.points, edge) for bottom, edge in zip(low, edges, strict=True)]
        yield edges, low, high
        low = high


def _level(points: Sequence[Point], at: float) -> float:
    """The level of steps at ``at``; 0 before the first, in a gap, and from the last point on."""
    number = bisect_right(points, at, key=lambda point: point.x) - 1
    if number < 0 or number + 1 >= len(points):
        return 0.0
    return _height(points[number]) or 0.0


def _area(edges: Sequence[float], low: Sequence[float], high: Sequence[float], x: AxisScale, y: AxisScale) -> str:
    """Equal neighbours are drawn as one."""
    stretches = zip(edges, edges[1:], low, high, strict=False)
    path = ""
    for (bottom, top), alike in groupby(stretches, key=lambda each: each[2:]):
        first, *others = alike
        end = others[-1][1] if others else first[1]
        if top > bottom:
            path += f"M{_x(x, first[0])} {_y(y, bottom)}V{_y(y, top)}H{_x(x, end)}V{_y(y, bottom)}Z"
    return path
