"""The evidence as series over time: what the timeline draws. Pure.

All series of a run share one axis and two bucket widths: a fine one for counts, and a coarser one for percentiles, so
that each percentile rests on some samples. A bucket without data is NaN and drawn as a gap, never as zero latency.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.base.ticks import NS
from harness.evidence.store import Gathered
from harness.model.evidence import EventRow, FlagRow, Outcome, ProbeRow, RequestRow, SampleRow, SessionRow, Side
from harness.model.message import gettext_noop

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]


#: Bucket widths in seconds that people can name.
WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400, 604_800)
FINE_BUCKETS = 120
COARSE_BUCKETS = 20

QUANTILES = (0.50, 0.95, 0.99)

#: How the error panel groups outcomes; the order is that of the stack, from below.
ERROR_GROUPS: tuple[tuple[str, tuple[Outcome, ...]], ...] = (
    ("5xx", (Outcome.SERVER_ERROR,)),
    ("4xx", (Outcome.UNEXPECTED_4XX, Outcome.RATE_LIMITED)),
    (gettext_noop("no answer"), (Outcome.TIMEOUT, Outcome.REFUSED, Outcome.BROKEN)),
    (gettext_noop("bad answer"), (Outcome.BAD_ANSWER, Outcome.FOREIGN_ANSWER)),
)
_GROUP_OF = {outcome: number for number, (_, outcomes) in enumerate(ERROR_GROUPS, 1) for outcome in outcomes}


@dataclass(frozen=True)
class TimeAxis:
    """The shared time axis: from ``start_ns`` to ``end_ns``, in ``fine_s`` and ``coarse_s`` wide buckets, drawn in
    seconds from ``origin_ns``."""

    start_ns: int
    end_ns: int
    fine_s: int
    coarse_s: int
    origin_ns: int

    @property
    def begin_s(self) -> float:
        """Where it begins, in seconds from the origin."""
        return (self.start_ns - self.origin_ns) / NS

    @property
    def seconds(self) -> float:
        """The axis' length."""
        return (self.end_ns - self.start_ns) / NS

    def holds(self, at_ns: int) -> bool:
        """Whether it is on the axis."""
        return self.start_ns <= at_ns < self.end_ns

    def buckets(self, width_s: int) -> int:
        """How many buckets of ``width_s`` cover the axis."""
        return max(1, -(-(self.end_ns - self.start_ns) // (width_s * NS)))

    def index(self, at_ns: Integers, width_s: int) -> Integers:
        """The bucket of each time; times off the axis fall into the first or last one."""
        number = (at_ns - self.start_ns) // (width_s * NS)
        return np.clip(number, 0, self.buckets(width_s) - 1).astype(np.int64)


@dataclass
class SideSeries:
    """One side's requests. Rates are per second; ``latency_ms[q]`` belongs to ``QUANTILES[q]``, by due time."""

    requests: int
    offered: Numbers
    completed: Numbers
    errors: tuple[Numbers, ...]  # by ERROR_GROUPS
    latency_ms: tuple[Numbers, ...]


@dataclass
class MeasuredSeries:
    """All series. Arrays are per bucket of ``axis.fine_s`` unless they are latencies."""

    axis: TimeAxis
    sides: dict[Side, SideSeries] = field(default_factory=dict)
    probes: int = 0
    probes_good: Numbers | None = None
    probes_bad: Numbers | None = None
    users: dict[Side, Numbers] = field(default_factory=dict)
    gauges: dict[str, Numbers] = field(default_factory=dict)  # replicas, ready_replicas, cpu_cores, memory_bytes


def width_for(seconds: float, most: int) -> int:
    """The smallest of ``WIDTHS_S`` that needs at most ``most`` buckets (the widest where none does)."""
    return next((width for width in WIDTHS_S if seconds <= width * most), WIDTHS_S[-1])


def series_of(evidence: Gathered) -> MeasuredSeries | None:
    """The series of a run's evidence; ``None`` when it has no row at all."""
    axis = _axis(evidence)
    if axis is None:
        return None
    measured = MeasuredSeries(axis=axis)
    _requests(evidence.requests, measured)
    _probes(evidence.probes, measured)
    _users(evidence, measured)
    _gauges(evidence, measured)
    return measured


def measured_on(axis: TimeAxis, evidence: Gathered) -> MeasuredSeries:
    """The series of what was due while ``axis`` lasts, and of what was read of pods; not of users."""
    measured = MeasuredSeries(axis=axis)
    _requests([row for row in evidence.requests if axis.holds(row.due_ns)], measured)
    _probes([row for row in evidence.probes if axis.holds(row.due_ns)], measured)
    _gauges(evidence, measured)
    return measured


def _axis(evidence: Gathered) -> TimeAxis | None:
    calls = [(row.due_ns, row.done_ns) for rows in (evidence.requests, evidence.probes) for row in rows]
    moments = [row.at_ns for row in evidence.rows if isinstance(row, SessionRow | SampleRow | EventRow)]
    if not calls and not moments:
        return None
    start = min([*moments, *(due_ns for due_ns, _ in calls)])
    end = max([*moments, *(done_ns for _, done_ns in calls)])
    if calls:  # a slow start of the stack must not squeeze the part that is judged
        first = min(due_ns for due_ns, _ in calls)
        start = max(start, first - (end - first) // 4)
    return axis_of(start, end, start)


def axis_of(start_ns: int, end_ns: int, origin_ns: int) -> TimeAxis:
    """The axis of a stretch, which is drawn a second long at least."""
    end_ns = max(end_ns, start_ns + NS)
    seconds = (end_ns - start_ns) / NS
    return TimeAxis(start_ns, end_ns, width_for(seconds, FINE_BUCKETS), width_for(seconds, COARSE_BUCKETS), origin_ns)


def _requests(rows: Sequence[RequestRow], measured: MeasuredSeries) -> None:
    group = np.array([_GROUP_OF.get(row.outcome, 0) for row in rows], dtype=np.int64)
    due_ns = np.array([row.due_ns for row in rows], dtype=np.int64)
    done_ns = np.array([row.done_ns for row in rows], dtype=np.int64)
    for side in Side:
        chosen = np.array([row.side is side for row in rows], dtype=bool)
        if chosen.any():
            measured.sides[side] = _side(measured.axis, group[chosen], due_ns[chosen], done_ns[chosen])


def _side(axis: TimeAxis, group: Integers, due_ns: Integers, done_ns: Integers) -> SideSeries:
    done = axis.index(done_ns, axis.fine_s)
    return SideSeries(
        requests=len(due_ns),
        offered=_per_second(axis, axis.index(due_ns, axis.fine_s)),
        completed=_per_second(axis, done),
        errors=tuple(_per_second(axis, done[group == number]) for number in range(1, len(ERROR_GROUPS) + 1)),
        latency_ms=_percentiles(axis, axis.index(due_ns, axis.coarse_s), (done_ns - due_ns) / 1e6),
    )


def _per_second(axis: TimeAxis, index: Integers) -> Numbers:
    return np.bincount(index, minlength=axis.buckets(axis.fine_s)) / axis.fine_s


def _percentiles(axis: TimeAxis, index: Integers, latency_ms: Numbers) -> tuple[Numbers, ...]:
    """Order statistics (no interpolation: each is a latency that was seen) of each coarse bucket."""
    order = np.lexsort((latency_ms, index))
    ordered = latency_ms[order]
    counts = np.bincount(index, minlength=axis.buckets(axis.coarse_s))
    first = np.concatenate(([0], np.cumsum(counts)[:-1]))
    series = []
    for quantile in QUANTILES:
        rank = np.maximum(np.ceil(quantile * counts).astype(np.int64) - 1, 0)
        values = np.full(len(counts), np.nan)
        values[counts > 0] = ordered[(first + rank)[counts > 0]]
        series.append(values)
    return tuple(series)


def _probes(rows: Sequence[ProbeRow], measured: MeasuredSeries) -> None:
    if not rows:
        return
    due_ns = np.array([row.due_ns for row in rows], dtype=np.int64)
    good = np.array([row.good for row in rows], dtype=bool)
    index = measured.axis.index(due_ns, measured.axis.fine_s)
    measured.probes = len(due_ns)
    measured.probes_good = _per_second(measured.axis, index[good])
    measured.probes_bad = _per_second(measured.axis, index[~good])


def _users(evidence: Gathered, measured: MeasuredSeries) -> None:
    """Users with a live session per side, by the flag value each holds, at the end of each bucket."""
    axis = measured.axis
    changes = [row for row in evidence.rows if isinstance(row, SessionRow | FlagRow)]
    changes.sort(key=lambda row: row.at_ns)
    live: dict[str, bool] = {}
    flag: dict[str, bool] = {}
    counts = {Side.API: 0, Side.FIRESTORE: 0}
    series = {side: np.zeros(axis.buckets(axis.fine_s)) for side in Side}
    bucket = 0
    for row in changes:
        reached = min(max(0, (row.at_ns - axis.start_ns) // (axis.fine_s * NS)), axis.buckets(axis.fine_s) - 1)
        for side in Side:
            series[side][bucket:reached] = counts[side]
        bucket = reached
        if live.get(row.user):
            counts[_side_of(flag, row.user)] -= 1
        if isinstance(row, SessionRow):
            live[row.user] = row.live
        else:
            flag[row.user] = row.value
        if live.get(row.user):
            counts[_side_of(flag, row.user)] += 1
    for side in Side:
        series[side][bucket:] = counts[side]
    if live:
        measured.users = series


def _side_of(flag: dict[str, bool], user: str) -> Side:
    return Side.API if flag.get(user) else Side.FIRESTORE


#: How long a sample of a pod stands when the next is late; a pod that is gone leaves the sum after that.
HOLD_S = 15


def _gauges(evidence: Gathered, measured: MeasuredSeries) -> None:
    for metric in ("replicas", "ready_replicas"):
        rows = _samples(evidence, metric)
        if rows:
            read = [(row.at_ns, row.value) for row in rows]
            measured.gauges[metric] = _held(measured.axis, read, hold_s=None)
    for metric in ("cpu_cores", "memory_bytes"):
        total = _sum_of_pods(evidence, measured.axis, metric)
        if total is not None:
            measured.gauges[metric] = total


def _samples(evidence: Gathered, metric: str) -> list[SampleRow]:
    found = [row for row in evidence.samples if row.metric == metric and not math.isnan(row.value)]
    return sorted(found, key=lambda row: row.at_ns)


def _sum_of_pods(evidence: Gathered, axis: TimeAxis, metric: str) -> Numbers | None:
    """The sum over all pods (``pod/...``, or named by a pod's event); over all subjects where there is no pod."""
    named = {row.subject for row in evidence.events if row.kind == "pod"}
    by_subject: dict[str, list[tuple[int, float]]] = {}
    for row in _samples(evidence, metric):
        by_subject.setdefault(row.subject, []).append((row.at_ns, row.value))
    if not by_subject:
        return None
    pods = [rows for subject, rows in by_subject.items() if subject.startswith("pod/") or subject in named]
    held = np.array([_held(axis, rows, hold_s=HOLD_S) for rows in pods or by_subject.values()])
    return np.where(np.isnan(held).all(axis=0), np.nan, np.nansum(held, axis=0))


def _held(axis: TimeAxis, rows: list[tuple[int, float]], *, hold_s: float | None) -> Numbers:
    """The newest value at the end of each bucket; NaN before the first and ``hold_s`` after the last."""
    at_ns = np.array([row[0] for row in rows], dtype=np.int64)
    values = np.array([row[1] for row in rows], dtype=np.float64)
    ends = axis.start_ns + (np.arange(axis.buckets(axis.fine_s), dtype=np.int64) + 1) * (axis.fine_s * NS)
    newest = np.searchsorted(at_ns, np.minimum(ends, axis.end_ns), side="right") - 1
    series = np.where(newest >= 0, values[np.maximum(newest, 0)], np.nan)
    if hold_s is not None:
        age_ns = ends - at_ns[np.maximum(newest, 0)]
        series[age_ns > (max(hold_s, 2 * axis.fine_s)) * NS] = np.nan
    return np.asarray(series, dtype=np.float64)
