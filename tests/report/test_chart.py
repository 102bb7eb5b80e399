"""Drawings: what a chart shows lies where its values are, whatever the axis."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.units import Unit
from harness.model.message import message
from harness.model.section import Axis, Bar, Bars, Chart, Limit, Point, Series, Style, Timeline
from harness.report.chart import (
    Panel,
    clock,
    draw_bars,
    draw_chart,
    draw_timeline,
    linear,
    logarithmic,
    over_time,
    shortened,
)
from harness.report.language import ENGLISH
from tests.report import results

X = Axis(label=message("x"))
Y = Axis(label=message("y"))


def chart(*series: Series, x: Axis = X, y: Axis = Y, limits: tuple[Limit, ...] = ()) -> Chart:
    return Chart(title=message("a chart"), x=x, y=y, series=series, text=(message("told"),), limits=limits)


def series(*points: tuple[float, float | None], style: Style = Style.STEPS) -> Series:
    return Series(name=message("s"), points=tuple(Point(*point) for point in points), style=style)


def path(style: Style, *points: tuple[float, float | None]) -> str:
    [shape] = draw_chart(chart(series(*points, style=style)), ENGLISH).shapes
    return shape.path


def test_steps_are_level_until_the_next_point_and_a_gap_is_a_gap() -> None:
    assert path(Style.STEPS, (0, 1), (5, 2), (10, 2)) == "M0 50H500V0H1000"
    assert path(Style.STEPS, (0, 1), (2, 1), (4, 1), (10, 2)) == "M0 50H1000V0"  # equal neighbours are one
    assert path(Style.STEPS, (0, 2), (2, None), (4, 2), (10, None)) == "M0 0H200M400 0H1000"
    assert path(Style.STEPS, (0, math.nan), (4, 2), (10, 2)) == "M400 0H1000"


def test_a_line_goes_from_point_to_point() -> None:
    assert path(Style.LINE, (0, 0), (5, 2), (6, None), (7, 1), (10, 2)) == "M0 100L500 0M700 50L1000 0"


def test_areas_lie_on_those_before_them() -> None:
    drawn = draw_chart(
        chart(series((0, 1), (5, 0), (10, 0), style=Style.AREA), series((0, 1), (10, 1), style=Style.AREA)), ENGLISH
    )
    low, high = drawn.shapes
    assert low.filled and high.filled
    assert low.path == "M0 100V50H500V100Z"
    assert high.path == "M0 50V0H500V50ZM500 100V50H1000V100Z"


def test_dots_say_what_they_are_and_lie_on_their_values() -> None:
    each = Series(
        name=message("decisions"),
        style=Style.DOTS,
        points=(Point(0, 0), Point(10, 4, note="cpu 90 %", hollow=True), Point(5, None)),
    )
    drawn = draw_chart(chart(each), ENGLISH)
    assert [(dot.x, dot.y, dot.hollow, dot.note) for dot in drawn.dots] == [
        (0, 100, False, "decisions"),
        (100, 0, True, "decisions; cpu 90 %"),
    ]
    assert drawn.shapes == ()


def test_series_have_tones_of_their_own_and_a_tone_is_no_way_out_of_the_page() -> None:
    named = msgspec.structs.replace(series((0, 1)), tone='api"><script>')
    drawn = draw_chart(chart(series((0, 1)), named, series((0, 1))), ENGLISH)
    assert drawn.tones == ("tone0", "apiscript", "tone2")


def test_a_limit_lies_inside_the_scale_though_nothing_comes_near_it() -> None:
    drawn = draw_chart(
        chart(series((0, 1), (1, 2)), limits=(Limit(label="a", at=100), Limit(label="b", at=50))), ENGLISH
    )
    assert [(drawn.from_top(each.at), drawn.is_below(each)) for each in drawn.chart.limits] == [(0, False), (50, True)]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([], ["0", "0.5", "1"]),
        ([0, 0], ["0", "0.5", "1"]),
        ([3], ["0", "1", "2", "3"]),
        ([7.2], ["0", "2", "4", "6", "8"]),
        ([1999], ["0", "500", "1,000", "1,500", "2,000"]),
        ([-3, 4], ["-4", "-2", "0", "2", "4"]),
    ],
)
def test_a_linear_scale_has_round_ticks_that_hold_every_value(values: list[float], labels: list[str]) -> None:
    scale = linear(values, Y)
    assert [tick.label for tick in scale.ticks] == labels
    assert all(0 <= scale.share(value) <= 1 for value in values)
    assert [tick.at for tick in scale.ticks][:: len(labels) - 1] == [0, 100]


@given(st.lists(st.floats(-1e9, 1e9), max_size=8), st.booleans())
def test_any_values_lie_within_their_linear_scale(values: list[float], whole: bool) -> None:
    scale = linear(values, msgspec.structs.replace(Y, whole=whole))
    assert scale.low <= 0 <= scale.high and scale.low < scale.high
    assert all(-1e-9 <= scale.share(value) <= 1 + 1e-9 for value in values)
    assert 2 <= len(scale.ticks) <= 7
    assert all(-1e-6 <= tick.at <= 100 + 1e-6 for tick in scale.ticks)


@given(st.lists(st.floats(1e-3, 1e9), max_size=8), st.booleans())
def test_any_values_lie_within_their_logarithmic_scale(values: list[float], decades: bool) -> None:
    scale = logarithmic(values, Unit.MILLISECONDS, decades=decades)
    assert all(-1e-9 <= scale.share(value) <= 1 + 1e-9 for value in values)
    assert all(-1e-6 <= tick.at <= 100 + 1e-6 for tick in scale.ticks)
    assert len(scale.ticks) >= 2 or not decades


@given(st.floats(1, 3e6), st.floats(-1000, 0))
def test_times_of_any_length_have_few_labels(high: float, low: float) -> None:
    ticks = over_time(low, high).ticks
    assert 1 <= len(ticks) <= 11
    assert all(-1e-6 <= tick.at <= 100 + 1e-6 for tick in ticks)


def test_whole_numbers_alone_are_marked_where_only_they_exist() -> None:
    assert [tick.label for tick in linear([1], msgspec.structs.replace(Y, whole=True)).ticks] == ["0", "1"]


def test_a_logarithmic_scale_is_in_decades_and_what_is_not_above_zero_lies_at_its_edge() -> None:
    scale = logarithmic([12, 480], Unit.MILLISECONDS, decades=True)
    assert (scale.low, scale.high) == (10, 1000)
    assert [tick.label for tick in scale.ticks if not tick.minor] == ["10 ms", "100 ms", "1 s"]
    assert scale.share(100) == pytest.approx(0.5)
    assert scale.share(0) == 0
    assert logarithmic([], Unit.NONE, decades=True).share(1) == 0


def test_times_have_round_labels() -> None:
    assert [tick.label for tick in over_time(-20, 520).ticks][:3] == ["0:00", "1:00", "2:00"]
    assert (clock(125), clock(3725), clock(3 * 86_400 + 4 * 3600), clock(-20)) == (
        "2:05",
        "1:02:05",
        "3 d 04:00",
        "-0:20",
    )


def test_latencies_of_a_timeline_share_their_scale_and_counts_do_not() -> None:
    ms = Axis(label=message("latency"), unit=Unit.MILLISECONDS, logarithmic=True)
    slow, fast = (chart(series((0, ms_), (10, ms_)), y=ms) for ms_ in (9000.0, 12.0))
    many, few = (chart(series((0, count), (10, count))) for count in (4000.0, 2.0))
    course = draw_timeline(Timeline(title=message("t"), seconds=10, charts=(slow, fast, many, few)), ENGLISH)
    tops: list[Panel] = list(course.panels)
    assert tops[0].y.ticks == tops[1].y.ticks
    assert tops[2].y.ticks != tops[3].y.ticks


def test_moments_that_are_near_stand_below_each_other_and_are_counted() -> None:
    course = draw_timeline(results.timeline(), ENGLISH)
    assert [(moment.number, moment.row) for moment in course.moments] == [(1, 0), (2, 1), (3, 0)]
    assert course.more == 4
    assert [(phase.label, phase.judged) for phase in course.phases][2] == ("window", True)
    assert course.phases[2].start == pytest.approx(25)


def test_a_chart_without_a_point_is_drawn_empty() -> None:
    drawn = draw_chart(chart(series()), ENGLISH)
    assert [shape.path for shape in drawn.shapes] == [""]


def test_bars_lie_one_behind_the_other_and_say_their_length() -> None:
    bars = Bars(
        title=message("{what}", what="Recovery"),
        x=Axis(label=message("seconds"), unit=Unit.SECONDS),
        names=(message("detect"), message("restore")),
        bars=(Bar(label="short", pieces=(1.0, 0.0)), Bar(label="long", pieces=(5.0, 5.0))),
        text=(message("In words: {what}.", what="Recovery"),),
    )
    drawn = draw_bars(bars, ENGLISH)
    short, long = drawn.bars
    assert [(round(each.start, 2), round(each.width, 2)) for each in long.pieces] == [(0.0, 43.48), (43.48, 43.48)]
    assert [(each.width > 0, each.note) for each in short.pieces] == [(True, "detect 1 s"), (False, "restore 0 s")]
    assert (long.length, round(long.end, 2), long.words) == ("10 s", 86.96, "detect 5 s, restore 5 s")
    assert drawn.ticks[0].label == "0 s"
    assert draw_bars(msgspec.structs.replace(bars, bars=()), ENGLISH).bars == ()


def test_a_word_is_shortened_to_its_room_and_left_out_where_nothing_of_it_would_be_read() -> None:
    assert shortened("window", 6) == "window"
    assert shortened("a pod is deleted", 8) == "a pod i…"
    assert shortened("測定期間の後", 9) == "測定期間…"
    assert shortened("window", 3) == ""
    assert shortened("window", 0) == ""
