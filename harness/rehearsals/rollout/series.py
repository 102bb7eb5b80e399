"""The evidence as series over time: what the timeline draws. SQL reads, NumPy aggregates; no row is kept as a row.

All series of a run share one axis and two bucket widths: a fine one for counts, and a coarser one for percentiles, so
that each percentile rests on some samples. A bucket without data is NaN and drawn as a gap, never as zero latency.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.evidence.read import connect
from harness.model.evidence import Outcome, Side
from harness.model.message import marked

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]

NS = 1_000_000_000
CHUNK_ROWS = 100_000

#: Bucket widths in seconds that people can name.
WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400, 604_800)
FINE_BUCKETS = 120
COARSE_BUCKETS = 20

QUANTILES = (0.50, 0.95, 0.99)

#: How the error panel groups outcomes; the order is that of the stack, from below.
ERROR_GROUPS: tuple[tuple[str, tuple[Outcome, ...]], ...] = (
    ("5xx", (Outcome.SERVER_ERROR,)),
    ("4xx", (Outcome.UNEXPECTED_4XX, Outcome.RATE_LIMITED)),
    (marked("no answer"), (Outcome.TIMEOUT, Outcome.REFUSED, Outcome.BROKEN)),
    (marked("bad answer"), (Outcome.BAD_ANSWER, Outcome.FOREIGN_ANSWER)),
)
_GROUP_OF = {outcome: number for number, (_, outcomes) in enumerate(ERROR_GROUPS, 1) for outcome in outcomes}


@dataclass(frozen=True)
class Axis:
    """The shared time axis: from ``start_ns`` to ``end_ns``, in ``fine_s`` and ``coarse_s`` wide buckets."""

    start_ns: int
    end_ns: int
    fine_s: int
    coarse_s: int

    @property
    def seconds(self) -> float:
        """The axis' length."""
        return (self.end_ns - self.start_ns) / NS

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
class Timeline:
    """All series. Arrays are per bucket of ``axis.fine_s`` unless they are latencies."""

    axis: Axis
    sides: dict[Side, SideSeries] = field(default_factory=dict)
    probes: int = 0
    probes_good: Numbers | None = None
    probes_bad: Numbers | None = None
    users: dict[Side, Numbers] = field(default_factory=dict)
    gauges: dict[str, Numbers] = field(default_factory=dict)  # replicas, ready_replicas, cpu_cores, memory_bytes


def width_for(seconds: float, most: int) -> int:
    """The smallest of ``WIDTHS_S`` that needs at most ``most`` buckets (the widest where none does)."""
    return next((width for width in WIDTHS_S if seconds <= width * most), WIDTHS_S[-1])


def load_timeline(evidence: Path) -> Timeline | None:
    """The series of a run's evidence; ``None`` when it has no row at all. Raises ``BadInput``."""
    with connect(evidence) as connection:
        axis = _axis(connection)
        if axis is None:
            return None
        timeline = Timeline(axis=axis)
        _requests(connection, timeline)
        _probes(connection, timeline)
        _users(connection, timeline)
        _gauges(connection, timeline)
    return timeline


def _axis(connection: sqlite3.Connection) -> Axis | None:
    spans = {}
    for table, first, last in (
        ("requests", "due_ns", "done_ns"),
        ("probes", "due_ns", "done_ns"),
        ("sessions", "at_ns", "at_ns"),
        ("samples", "at_ns", "at_ns"),
        ("events", "at_ns", "at_ns"),
    ):
        [span] = connection.execute(f"SELECT MIN({first}), MAX({last}) FROM {table}")  # noqa: S608 - our own names
        if span[0] is not None:
            spans[table] = span
    if not spans:
        return None
    start = min(first for first, _ in spans.values())
    end = max(last for _, last in spans.values())
    load = [spans[table][0] for table in ("requests", "probes") if table in spans]
    if load:  # a slow start of the stack must not squeeze the part that is judged
        start = max(start, min(load) - (end - min(load)) // 4)
    end = max(end, start + NS)
    seconds = (end - start) / NS
    return Axis(start, end, width_for(seconds, FINE_BUCKETS), width_for(seconds, COARSE_BUCKETS))


def _chunks(cursor: sqlite3.Cursor) -> Iterator[Integers]:
    while rows := cursor.fetchmany(CHUNK_ROWS):
        yield np.array(rows, dtype=np.int64).T


def _requests(connection: sqlite3.Connection, timeline: Timeline) -> None:
    groups = " ".join(f"WHEN '{outcome}' THEN {number}" for outcome, number in _GROUP_OF.items())
    cursor = connection.execute(
        f"SELECT side = 'api', CASE outcome {groups} ELSE 0 END, due_ns, done_ns FROM requests"  # noqa: S608 - enums
    )
    chunks = list(_chunks(cursor))
    if not chunks:
        return
    is_api, group, due_ns, done_ns = np.concatenate(chunks, axis=1)
    for side in Side:
        chosen = is_api == (side is Side.API)
        if chosen.any():
            timeline.sides[side] = _side(timeline.axis, group[chosen], due_ns[chosen], done_ns[chosen])


def _side(axis: Axis, group: Integers, due_ns: Integers, done_ns: Integers) -> SideSeries:
    done = axis.index(done_ns, axis.fine_s)
    return SideSeries(
        requests=len(due_ns),
        offered=_per_second(axis, axis.index(due_ns, axis.fine_s)),
        completed=_per_second(axis, done),
        errors=tuple(_per_second(axis, done[group == number]) for number in range(1, len(ERROR_GROUPS) + 1)),
        latency_ms=_percentiles(axis, axis.index(due_ns, axis.coarse_s), (done_ns - due_ns) / 1e6),
    )


def _per_second(axis: Axis, index: Integers) -> Numbers:
    return np.bincount(index, minlength=axis.buckets(axis.fine_s)) / axis.fine_s


def _percentiles(axis: Axis, index: Integers, latency_ms: Numbers) -> tuple[Numbers, ...]:
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


def _probes(connection: sqlite3.Connection, timeline: Timeline) -> None:
    chunks = list(_chunks(connection.execute("SELECT due_ns, outcome = 'ok' FROM probes")))
    if not chunks:
        return
    due_ns, good = np.concatenate(chunks, axis=1)
    index = timeline.axis.index(due_ns, timeline.axis.fine_s)
    timeline.probes = len(due_ns)
    timeline.probes_good = _per_second(timeline.axis, index[good == 1])
    timeline.probes_bad = _per_second(timeline.axis, index[good == 0])


_CHANGES = """
SELECT at_ns, user, 'live', live FROM sessions
UNION ALL
SELECT at_ns, user, 'flag', value FROM (
  SELECT at_ns, user, value, LAG(value) OVER (PARTITION BY user ORDER BY at_ns, seq) AS before FROM flags
) WHERE before IS NULL OR before <> value
ORDER BY at_ns
"""


def _users(connection: sqlite3.Connection, timeline: Timeline) -> None:
    """Users with a live session per side, by the flag value each holds, at the end of each bucket."""
    axis = timeline.axis
    live: dict[str, bool] = {}
    flag: dict[str, bool] = {}
    counts = {Side.API: 0, Side.FIRESTORE: 0}
    series = {side: np.zeros(axis.buckets(axis.fine_s)) for side in Side}
    bucket = 0
    for at_ns, user, what, value in connection.execute(_CHANGES):
        reached = min(max(0, (at_ns - axis.start_ns) // (axis.fine_s * NS)), axis.buckets(axis.fine_s) - 1)
        for side in Side:
            series[side][bucket:reached] = counts[side]
        bucket = reached
        if live.get(user):
            counts[_side_of(flag, user)] -= 1
        (live if what == "live" else flag)[user] = bool(value)
        if live.get(user):
            counts[_side_of(flag, user)] += 1
    for side in Side:
        series[side][bucket:] = counts[side]
    if live:
        timeline.users = series


def _side_of(flag: dict[str, bool], user: str) -> Side:
    return Side.API if flag.get(user) else Side.FIRESTORE


#: How long a sample of a pod stands when the next is late; a pod that is gone leaves the sum after that.
HOLD_S = 15


def _gauges(connection: sqlite3.Connection, timeline: Timeline) -> None:
    for metric in ("replicas", "ready_replicas"):
        rows = connection.execute(
            "SELECT at_ns, value FROM samples WHERE metric = ? AND value IS NOT NULL ORDER BY at_ns", (metric,)
        ).fetchall()
        if rows:
            timeline.gauges[metric] = _held(timeline.axis, rows, hold_s=None)
    for metric in ("cpu_cores", "memory_bytes"):
        total = _sum_of_pods(connection, timeline.axis, metric)
        if total is not None:
            timeline.gauges[metric] = total


def _sum_of_pods(connection: sqlite3.Connection, axis: Axis, metric: str) -> Numbers | None:
    """The sum over all pods (``pod/...``, or named by a pod's event); over all subjects where there is no pod."""
    named = {subject for (subject,) in connection.execute("SELECT DISTINCT subject FROM events WHERE kind = 'pod'")}
    by_subject: dict[str, list[tuple[int, float]]] = {}
    for subject, at_ns, value in connection.execute(
        "SELECT subject, at_ns, value FROM samples WHERE metric = ? AND value IS NOT NULL ORDER BY at_ns", (metric,)
    ):
        by_subject.setdefault(subject, []).append((at_ns, value))
    if not by_subject:
        return None
    pods = [rows for subject, rows in by_subject.items() if subject.startswith("pod/") or subject in named]
    held = np.array([_held(axis, rows, hold_s=HOLD_S) for rows in pods or by_subject.values()])
    return np.where(np.isnan(held).all(axis=0), np.nan, np.nansum(held, axis=0))


def _held(axis: Axis, rows: list[tuple[int, float]], *, hold_s: float | None) -> Numbers:
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
