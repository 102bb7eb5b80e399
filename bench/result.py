"""What a bench found: ratios first, then the figures they were made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """``value`` in ``unit``; ``limit`` is what it is held to (``at_least`` or at most), if anything.

    ``runs`` are the single measurements that ``value`` is the median of, in the order in which they were made.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False
    runs: tuple[float, ...] = ()
    note: str = ""

    @property
    def held(self) -> bool | None:
        """Whether the limit is kept; ``None`` without one."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One bench's figures, and how they were made."""

    name: str
    how: str
    figures: tuple[Figure, ...]


def of_runs(name: str, unit: str, runs: Sequence[float], note: str = "") -> Figure:
    """The median of ``runs``."""
    return Figure(name=name, value=median(runs), unit=unit, runs=tuple(runs), note=note)


def not_kept(results: Iterable[Result]) -> list[str]:
    """Each figure that is beyond its limit, with both."""
    return [
        f"{result.name}: {figure.name}: {figure.value:.4g}, {'at least' if figure.at_least else 'at most'} "
        f"{figure.limit:g} {figure.unit}".rstrip()
        for result in results
        for figure in result.figures
        if figure.held is False
    ]


def text(result: Result) -> str:
    """For people."""
    lines = [f"{result.name}: {result.how}"]
    for figure in result.figures:
        held = {True: "kept", False: "NOT KEPT", None: ""}[figure.held]
        limit = "" if figure.limit is None else f"  ({'>=' if figure.at_least else '<='} {figure.limit:g}: {held})"
        runs = f"  of {' '.join(f'{run:.4g}' for run in figure.runs)}" if len(figure.runs) > 1 else ""
        note = f"  {figure.note}" if figure.note else ""
        lines.append(f"  {figure.name:<44} {figure.value:>10.4g} {figure.unit}{limit}{runs}{note}")
    return "\n".join(lines) + "\n"
