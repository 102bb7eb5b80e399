"""Pods over time as a picture: one line a run, a dot for each decision of the autoscaler."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from harness.rehearsals.scaling.types import PartResult, Size

WIDTH, HEIGHT = 1000.0, 260.0
_STEPS_S = (5, 10, 30, 60, 120, 300, 600)
_MOST_TICKS = 14
_Place = Callable[[float], float]


class Dot(msgspec.Struct, frozen=True, kw_only=True):
    """A decision: place in the box, and what it says when pointed at."""

    x: float
    y: float
    title: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoints of one run as a path of the box."""

    name: str
    path: str
    dots: tuple[Dot, ...]
    end_y: float


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Ticks are (place, label); ``load`` is where the load begins and ends, ``None`` without one."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    load: tuple[float, float] | None
    width: float = WIDTH
    height: float = HEIGHT


def chart(named: Sequence[tuple[str, PartResult]]) -> Chart | None:
    """The same part of each run; ``None`` where nobody saw endpoints."""
    named = [(name, part) for name, part in named if part.course.endpoints]
    if not named:
        return None
    sizes = [each for _, part in named for each in (*part.course.endpoints, *part.course.decisions)]
    first_s, last_s = min(each.at_s for each in sizes), max(each.at_s for each in sizes)
    last_s = max(last_s, first_s + 1.0, *(part.load_s for _, part in named))
    most = max(each.pods for each in sizes)

    def x(at_s: float) -> float:
        return WIDTH * (at_s - first_s) / (last_s - first_s)

    def y(pods: float) -> float:
        return HEIGHT * (1 - pods / (most + 0.5))

    def line(name: str, part: PartResult) -> Line:
        dots = tuple(
            Dot(x=x(each.at_s), y=y(each.pods), title=f"{each.at_s:.0f} s: {each.pods}; {each.why}")
            for each in part.course.decisions
        )
        ends = y(part.course.endpoints[-1].pods)
        return Line(name=name, path=_steps(part.course.endpoints, x, y), dots=dots, end_y=ends)

    load_s = max(part.load_s for _, part in named)
    return Chart(
        title=named[0][1].title,
        lines=tuple(line(*each) for each in named),
        x_ticks=tuple((x(each), f"{each:g} s") for each in _ticks(first_s, last_s)),
        y_ticks=tuple((y(pods), str(pods)) for pods in range(0, most + 1, 1 if most < 12 else 2)),
        load=(x(0.0), x(load_s)) if load_s else None,
    )


def _steps(sizes: Sequence[Size], x: _Place, y: _Place) -> str:
    """A line that stays where it is until the next size."""
    words = [f"M{x(sizes[0].at_s):.1f} {y(sizes[0].pods):.1f}"]
    words += [f"H{x(each.at_s):.1f} V{y(each.pods):.1f}" for each in sizes[1:]]
    return " ".join([*words, f"H{WIDTH:.1f}"])


def _ticks(first_s: float, last_s: float) -> list[float]:
    step_s = next((each for each in _STEPS_S if (last_s - first_s) / each <= _MOST_TICKS), _STEPS_S[-1])
    begin = -int(-first_s // step_s) * step_s
    return [float(at_s) for at_s in range(begin, int(last_s) + 1, step_s) if at_s >= first_s]
