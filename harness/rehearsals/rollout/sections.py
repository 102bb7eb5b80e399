"""What a week's page shows beside its judgements: its plan, the course, the figures. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.base.clock import Anchor, utc
from harness.base.message import as_message
from harness.base.ticks import NS
from harness.base.units import Unit
from harness.evidence.store import Gathered
from harness.model.evidence import EventRow, ProbeRow, Side, Window, told_of
from harness.model.judgement import KIND, Kind, subject_of
from harness.model.message import Message, joined, message, raw_text
from harness.model.scenario import Metric, PopulationPlan, Sample, Scenario
from harness.model.section import Band, Chart, Limit, Mark, Pairs, Row, Section, Table, Timeline, table_of
from harness.model.stack import Fault
from harness.rehearsals.rollout.observed import ObservedWindow, WeekDetails, observed
from harness.report import course as charts
from harness.report.course import gathered, with_others
from harness.report.series import MeasuredSeries, TimeAxis, series_of
from harness.rules.sentences import limit_quantity
from harness.run.rehearsal import RunRecord

# The timeline of a week as data: its phases and moments, and what the evidence measured over them. Pure.

MOST_MARKS = 30

#: Kinds of events that get a mark.
MARKED = frozenset({"fault", "flag", "decision", "measurement_error", "autoscaler", "node"})


def timeline(plan: Scenario, evidence: Gathered, week: ObservedWindow) -> Timeline | None:
    """The timeline; ``None`` where the evidence has no row."""
    measured = series_of(evidence)
    if measured is None:
        return None
    moments = gathered(row for row in _in_order(evidence.events) if row.kind in MARKED)
    note = message(
        "Time runs from the left in minutes and seconds; the judged window is shaded. Counts are per {seconds} s. "
        "Numbered lines are the moments listed under the first strip.",
        seconds=str(measured.axis.fine_s),
    )
    return Timeline(
        title=message("Timeline"),
        seconds=measured.axis.seconds,
        phases=tuple(_phases(measured.axis, evidence.events, week)),
        marks=tuple(_mark(measured.axis, row, others) for row, others in moments[:MOST_MARKS]),
        marks_in_all=len(moments),
        charts=tuple(_charts(plan, measured, evidence.probes, week.window)),
        note=(note,),
    )


def _in_order(events: Iterable[EventRow]) -> list[EventRow]:
    return sorted(events, key=lambda row: row.at_ns)


def _seconds(axis: TimeAxis, at_ns: int) -> float:
    return min(axis.seconds, max(0.0, (at_ns - axis.start_ns) / NS))


def _mark(axis: TimeAxis, row: EventRow, others: int) -> Mark:
    return Mark(
        at=_seconds(axis, row.at_ns),
        kind=row.kind,
        word=KIND[row.kind],
        subject=with_others(subject_of(row), others),
        said=told_of(row),
    )


def _phases(axis: TimeAxis, events: Iterable[EventRow], week: ObservedWindow) -> Iterator[Band]:
    """Each phase lasts until the next; the window begins with the first request, and what follows it is named so."""
    named = [row for row in events if row.kind == "phase" and row.subject != "window"]
    starts = [(row.at_ns, as_message(subject_of(row)), False) for row in named]
    if week.planned is not None:
        starts.append((week.planned.start_ns, message("window"), True))
        starts.append((week.window.end_ns, message("after the window"), False))
    starts.sort(key=lambda each: each[0])
    ends = [start_ns for start_ns, _, _ in starts[1:]] + ([axis.end_ns] if starts else [])
    for (start_ns, label, judged), end_ns in zip(starts, ends, strict=True):
        start, end = _seconds(axis, start_ns), _seconds(axis, end_ns)
        if end > start:
            yield Band(start=start, end=end, label=label, judged=judged)


# -- the charts, in their order on the page --------------------------------------------------------------------------


def _charts(plan: Scenario, measured: MeasuredSeries, probes: Sequence[ProbeRow], window: Window) -> Iterator[Chart]:
    judged = [row for row in probes if window.start_ns <= row.due_ns < window.end_ns]
    yield from charts.availability(measured.axis, judged, _limits(plan))
    if measured.users:
        yield charts.users(measured)
    for side, series in measured.sides.items():
        yield charts.requests(measured.axis, side, series)
    limits = sorted({each.threshold for each in plan.criteria if each.unit is Unit.MILLISECONDS})
    for side, series in measured.sides.items():
        yield charts.latency(measured.axis, side, series, limits if side is Side.API else [])
    if measured.sides:
        yield charts.errors(measured)
    yield from charts.probes(measured)
    yield from charts.replicas(measured)
    yield from charts.cpu(measured)
    yield from charts.memory(measured)


def _limits(plan: Scenario) -> Iterator[Limit]:
    """Where the probes' availability advances a week, and where it rolls one back."""
    for each in plan.criteria:
        if (each.metric, each.asks, each.step_s) == (Metric.AVAILABILITY, Sample.PROBES, None):
            limit = limit_quantity(each)
            rolls_back = each.kind is Kind.ROLLBACK_LIMIT
            label = (
                message("rollback limit {limit}", limit=limit)
                if rolls_back
                else message("criterion {limit}", limit=limit)
            )
            yield Limit(label=label, at=each.threshold)


MOST_EVENTS = 300
NONE = "–"


def week_sections(plan: Scenario, seen: RunRecord[WeekDetails]) -> Iterator[Section]:
    """In the order of the page."""
    week, evidence = observed(seen.evidence.events), seen.evidence
    yield from _facts(plan, seen.details)
    course = timeline(plan, evidence, week)
    if course is not None:
        yield course
    if evidence.events:
        yield _events(evidence.events, seen.facts.anchor)


def _fault(fault: Fault) -> Message:
    told = message("{fault}, {seconds} s into the window", fault=fault.told, seconds=f"{fault.after_s:g}")
    if not fault.for_s:
        return told
    return message("{fault}, for {seconds} s", fault=told, seconds=f"{fault.for_s:g}")


def _facts(plan: Scenario, details: WeekDetails) -> Iterator[Pairs]:
    faults = tuple(map(_fault, details.planted))
    yield Pairs(
        pairs=(
            (message("Faults injected"), joined(faults) if faults else message("none")),
            (message("Scenario"), plan.name),
        )
    )
    yield Pairs(
        pairs=(
            (message("Measuring window"), f"{plan.window_s:g} s"),
            (message("Simulated users"), _users(plan.population)),
            (message("Availability probes"), f"{plan.probes.rate_per_s:g}/s"),
        ),
        differs=True,
    )


def _users(plan: PopulationPlan) -> Message:
    values: dict[str, str] = {
        "users": str(plan.users),
        "on": str(plan.flag_on),
        "pace": f"{plan.pace_s:g}",
        "fetch": f"{plan.fetch_interval_s:g}",
    }
    if plan.steps:
        return message(
            "{users}, {on} of them on the API; each sends a request every {pace} s at first, then by the steps of the "
            "load, and fetches the flag every {fetch} s",
            **values,
        )
    return message(
        "{users}, {on} of them on the API; each sends a request every {pace} s and fetches the flag every {fetch} s",
        **values,
    )


def _events(events: Iterable[EventRow], anchor: Anchor) -> Table:
    ordered = sorted(events, key=lambda row: row.at_ns)
    rows = gathered(ordered)
    more = len(rows) - MOST_EVENTS
    sql = raw_text("SELECT utc, kind, subject, message FROM events ORDER BY at_ns, seq;")

    def time(row: EventRow) -> Message:
        seconds = (row.at_ns - ordered[0].at_ns) / NS
        return message("{utc}, {seconds} s", utc=utc(anchor, row.at_ns)[11:19], seconds=f"{seconds:.1f}")

    return table_of(
        message("Events"),
        rows[:MOST_EVENTS],
        (message("Time"), lambda of: time(of[0])),
        (message("Kind"), lambda of: KIND.get(of[0].kind, of[0].kind)),
        (message("Subject"), lambda of: with_others(subject_of(of[0]), of[1])),
        (message("What happened"), lambda of: told_of(of[0])[0]),
        row=lambda of: Row(cells=(), lines=tuple(told_of(of[0])[1:])),
        numbers=(0,),
        note=(message("{count} more are in the evidence", count=str(more)), sql) if more > 0 else (),
    )
