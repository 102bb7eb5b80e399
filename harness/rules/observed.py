"""A real week, judged by the criteria of its scenario from what telemetry says of its requests. Pure.

A log has a row for each request; a counter's growth between two samples is as many rows that ended at the later one.
How long each took lies between the edges of a histogram's bucket: a latency is judged twice, of the shortest and of the
longest that the buckets allow, and what the two do not agree on is inconclusive.

A counter that is smaller than before began again at 0. A series that comes to an instance which was sampled before
began at 0 too, and so did an instance that was not there while others were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.base.ticks import NS
from harness.base.units import Unit, show
from harness.model.evidence import Window
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import Message, message
from harness.model.scenario import MAX_S, QUANTILE, Criterion, Metric, Sample, Scenario
from harness.rules.criteria import judgement_on
from harness.rules.figures import figure
from harness.rules.finding import CriterionFinding, nothing
from harness.rules.ledger import CALL, NO_OPERATION, Calls, Ledger
from harness.rules.planned import PlannedSample
from harness.rules.rollback import rollback
from harness.rules.success import success
from harness.rules.view import WindowView

#: As long as an answer takes at most that is beyond the last edge of a histogram.
ENDLESS_NS = 3600 * NS


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch without a sample; ``reset``: whose counters began again at its end. ``lost``: nobody counted in it."""

    begin_ns: int
    end_ns: int
    reset: str = ""
    lost: bool = False


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What telemetry says of ``window``, in ns since 1970.

    ``requests`` are the rows that ratios are read on, ``fast`` and ``slow`` the same with the shortest and the longest
    latency that is possible, empty where it says none. ``probes`` is ``None`` where nothing tells a probe from a
    request, ``users`` where no user is named; else the names by number."""

    window: Window
    requests: Calls
    fast: Calls
    slow: Calls
    probes: Calls | None = None
    users: tuple[str, ...] | None = None
    gaps: tuple[Gap, ...] = ()


def rows_of(done_ns: NDArray[np.int64], took_ns: NDArray[np.int64] | int, ok: NDArray[np.bool_] | bool) -> Calls:
    """Requests to the API that ended then; of no user and no operation that is known."""
    rows = np.zeros(len(done_ns), dtype=CALL)
    rows["id"], rows["api"], rows["ok"], rows["operation"] = np.arange(len(rows)), True, ok, NO_OPERATION
    rows["done_ns"], rows["due_ns"], rows["sent_ns"] = done_ns, done_ns - took_ns, done_ns - took_ns
    return rows


class _Seen(Ledger):
    """The calls alone; every user is there all the time, for telemetry tells of no session."""

    def __init__(self, requests: Calls, probes: Calls, users: tuple[str, ...]) -> None:
        super().__init__()
        self._calls, self.users = (requests, probes), {name: number for number, name in enumerate(users)}

    requests = property(lambda self: self._calls[0])
    probes = property(lambda self: self._calls[1])

    def live_throughout(self, window: Window) -> NDArray[np.bool_]:
        _ = window
        return np.ones(len(self.users), dtype=bool)


class _View(WindowView):
    """A window of telemetry. No schedule says what was due: what was seen is all, but for the share that was lost."""

    lost = 0.0

    def planned(self, asks: Sample) -> PlannedSample:
        calls = self.probes if asks is Sample.PROBES else self.requests
        due = round(len(calls) / max(1 - self.lost, 1e-6))
        return PlannedSample(calls, None, count=due, start_ns=self.window.start_ns, numbers={}, users={})


def judge_observed(scenario: Scenario, seen: Observed) -> tuple[Judgement, ...]:
    """Every criterion of ``scenario``, in its order. What this kind of telemetry cannot carry is inconclusive and gates
    nothing; any other that is inconclusive holds."""
    scenario = msgspec.structs.replace(scenario, blackout_s=MAX_S)  # five seconds lie between two samples
    return tuple(_judged(criterion, scenario, seen) for criterion in scenario.criteria)


def _judged(criterion: Criterion, scenario: Scenario, seen: Observed) -> Judgement:
    if (why := _not_carried(criterion, seen)) is not None:
        return msgspec.structs.replace(judgement_on(criterion, nothing(why)), gates=False)
    lost = sum(each.end_ns - each.begin_ns for each in seen.gaps if each.lost) / NS / seen.window.seconds

    def of(rows: Calls, within: Window = seen.window, lost: float = lost) -> CriterionFinding:
        probes = rows[:0] if seen.probes is None else seen.probes
        window = Window(start_ns=int(rows["due_ns"].min(initial=within.start_ns)), end_ns=within.end_ns + 1)
        view = _View(scenario, _Seen(rows, probes, seen.users or ()), window, window.end_ns, None)
        view.lost = lost
        return rollback(criterion, view) if criterion.kind is Kind.ROLLBACK_LIMIT else success(criterion, view)

    if criterion.metric in (Metric.REQUEST_RATE, Metric.CONCURRENT_USERS):
        window, done = busiest(seen, scenario.window_s), seen.requests["done_ns"]
        rows = seen.requests[(done >= window.start_ns) & (done <= window.end_ns)]
        words = message("in the busiest {seconds} s", seconds=f"{window.seconds:g}")
        return judgement_on(criterion, of(rows, window, 0.0).adding(words))
    if criterion.metric not in QUANTILE:
        return judgement_on(criterion, of(seen.requests))
    fast, slow = of(seen.fast), of(seen.slow)
    return judgement_on(criterion, slow if seen.fast is seen.slow else _between(criterion, seen, fast, slow))


def _between(criterion: Criterion, seen: Observed, fast: CriterionFinding, slow: CriterionFinding) -> CriterionFinding:
    """What holds wherever in its bucket each latency lies: a fail of the shortest, a pass of the longest."""
    ends = [figure(criterion, rows) for rows in (seen.fast, seen.slow)]
    low, high = (ENDLESS_NS / 1e6 if each is None else each.value for each in ends)
    shown = {"metric": str(criterion.metric)[-3:], "low": show(low, Unit.MILLISECONDS)}
    words = message("{metric} lies above {low}, beyond the last edge", **shown)
    if high < ENDLESS_NS / 2e6:
        words = message("{metric} lies between {low} and {high}", **shown, high=show(high, Unit.MILLISECONDS))
    finding = fast if fast.verdict is Verdict.FAIL else slow
    if fast.verdict is not Verdict.FAIL and slow.verdict is Verdict.FAIL:
        finding = slow.void(message("the limit lies within what the buckets leave open"))
    return msgspec.structs.replace(finding, told=(words, *finding.told), shown=(words,))


def _not_carried(criterion: Criterion, seen: Observed) -> Message | None:
    """Why this kind of telemetry says nothing of the criterion; ``None`` where it does."""
    if criterion.asks is Sample.PROBES and seen.probes is None:
        return message("this telemetry does not tell a probe from a request of a user")
    if criterion.metric is Metric.CONCURRENT_USERS and seen.users is None:
        return message("this telemetry names no user")
    if criterion.operation is not None or criterion.step_s is not None:
        return message("of a real week all requests are judged, not those of one operation or step")
    if criterion.metric in QUANTILE and len(seen.requests) and not len(seen.slow):
        return message("this telemetry does not say how long an answer took")
    return None


def busiest(seen: Observed, length_s: float) -> Window:
    """The stretch of ``length_s`` in which most requests ended: the window itself where that is no longer."""
    whole, length_ns = seen.window, round(length_s * NS)
    if whole.end_ns - whole.start_ns <= length_ns or not len(seen.requests):
        return whole
    done = np.sort(seen.requests["done_ns"])
    starts = np.minimum(done, whole.end_ns - length_ns)
    most = int(np.argmax(np.searchsorted(done, starts + length_ns) - np.searchsorted(done, starts)))
    return Window(start_ns=int(starts[most]), end_ns=int(starts[most]) + length_ns)


# -- counters --------------------------------------------------------------------------------------------------------

#: Without a sample for longer than so many scrape intervals there is a gap.
GAP_INTERVALS = 2
_USUAL_NS = 15 * NS  # Prometheus' own interval
_Times = NDArray[np.int64]


class CounterSamples(msgspec.Struct, frozen=True, kw_only=True):
    """A counter of ``instance``: ``values`` at ``times_ns`` (since 1970), ascending. It counts probes, the answers
    up to an edge of a histogram of ``path`` (``upper_s``), or else requests, by ``status``; ``ok``: good ones."""

    instance: str
    times_ns: Sequence[int]
    values: Sequence[float]
    path: str = ""
    status: int = 0
    ok: bool = True
    probe: bool = False
    upper_s: float | None = None


class _Growth:
    """How counters grow, and when each instance was sampled."""

    def __init__(self, series: Sequence[CounterSamples]) -> None:
        known: defaultdict[str, set[int]] = defaultdict(set)
        for each in series:
            known[each.instance].update(each.times_ns)
        self.times: dict[str, _Times] = {name: np.array(sorted(times), dtype=np.int64) for name, times in known.items()}
        apart = [np.diff(times) for times in self.times.values() if len(times) > 1]
        self.interval_ns = int(np.median(np.concatenate(apart))) if apart else _USUAL_NS
        self._first_ns = min((int(times[0]) for times in self.times.values()), default=0)
        self.resets: set[tuple[int, int, str]] = set()

    def of(self, each: CounterSamples, window: Window) -> tuple[_Times, _Times]:
        """When it grew in ``window``, and by how much."""
        times, values = np.array(each.times_ns, dtype=np.int64), np.array(each.values, dtype=np.float64)
        before = self.times[each.instance][self.times[each.instance] < times[0]]
        if len(before) or times[0] - self._first_ns > GAP_INTERVALS * self.interval_ns:
            born = before[-1] if len(before) else times[0] - self.interval_ns
            times, values = np.concatenate([[born], times]), np.concatenate([[0.0], values])
        grown = np.diff(values)
        inside = (times[1:] > window.start_ns) & (times[1:] <= window.end_ns)
        for at in np.flatnonzero((grown < 0) & inside):
            self.resets.add((int(times[at]), int(times[at + 1]), each.instance))
        more: _Times = np.round(np.where(grown < 0, values[1:], grown)).astype(np.int64)
        return times[1:][inside], more[inside]


def counted(series: Sequence[CounterSamples], window: Window) -> Observed:
    """What counters say of ``window``. Samples of before it are what it begins with."""
    growth = _Growth(series)
    requests, probes = [rows_of(np.zeros(0, np.int64), 0, ok=True)], list[Calls]()
    histograms: defaultdict[tuple[str, str], list[CounterSamples]] = defaultdict(list)
    for each in series:
        if each.upper_s is not None:
            histograms[each.instance, each.path].append(each)
            continue
        rows = rows_of(np.repeat(*growth.of(each, window)), 0, ok=each.ok)
        rows["status"] = each.status
        (probes if each.probe else requests).append(rows)
    answers, edges = np.concatenate(requests), histograms.values()
    fast = np.concatenate([answers[:0], *(rows for each in edges for rows in _latencies(growth, each, window, 0))])
    slow = np.concatenate([answers[:0], *(rows for each in edges for rows in _latencies(growth, each, window, 1))])
    return Observed(
        window=window, requests=answers, fast=fast, slow=slow,
        probes=np.concatenate(probes) if probes else None, gaps=tuple(_gaps(growth, window)),
    )  # fmt: skip


def _latencies(growth: _Growth, edges: list[CounterSamples], window: Window, end: int) -> Iterator[Calls]:
    """A row for each answer in each bucket: by ``end`` with the least or the most that it may have taken. What took
    just as long as an edge counts below it, as the edge of the limit does in an alert."""
    edges = sorted(edges, key=lambda each: each.upper_s or 0.0)
    grown = [growth.of(each, window) for each in edges]
    times = np.unique(np.concatenate([at for at, _ in grown]))
    upto = np.zeros((len(edges), len(times)), dtype=np.int64)
    for number, (at, more) in enumerate(grown):
        upto[number, np.searchsorted(times, at)] = more
    uppers = [each.upper_s or 0.0 for each in edges]
    sides = [0, *(round(upper * NS) if np.isfinite(upper) else ENDLESS_NS for upper in uppers)]
    for number, within in enumerate(np.maximum(np.diff(upto, axis=0, prepend=0), 0)):
        took_ns = sides[number + 1] - 1 if end else sides[number] + (number > 0)
        yield rows_of(np.repeat(times, within), took_ns, ok=True)


def _gaps(growth: _Growth, window: Window) -> Iterator[Gap]:
    """When no instance was sampled, and the resets. Counters that went on behind a gap have counted what came in it."""
    times = np.unique(np.concatenate([np.zeros(0, np.int64), *growth.times.values()]))
    inner = times[(times > window.start_ns) & (times < window.end_ns)].tolist()
    again = {(name, end_ns) for _, end_ns, name in growth.resets}
    for begin_ns, end_ns in pairwise([window.start_ns, *inner, window.end_ns]):
        if end_ns - begin_ns > GAP_INTERVALS * growth.interval_ns:
            on = (
                end_ns in at and at[0] <= begin_ns and (name, end_ns) not in again for name, at in growth.times.items()
            )
            yield Gap(begin_ns=begin_ns, end_ns=end_ns, lost=not any(on))
    for begin_ns, end_ns, name in sorted(growth.resets):
        yield Gap(begin_ns=begin_ns, end_ns=end_ns, reset=name or "–")
