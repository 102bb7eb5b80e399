"""What a week's page shows beside its judgements: its plan, the switch back, the course, the figures. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from harness.base.clock import Anchor, utc
from harness.base.units import Unit
from harness.judge.ledger import Ledger
from harness.judge.summary import WindowSummary, summarise
from harness.judge.switch_over import SwitchOver
from harness.judge.window import Window, of_step
from harness.model.evidence import EventRow, Side, told_of
from harness.model.message import Message, joined, message, quantity, verbatim
from harness.model.scenario import LoadStep, PopulationPlan, Scenario
from harness.model.section import Cell, Lines, Pairs, Row, Section, Table, table_of
from harness.model.stack import Fault
from harness.model.words import KIND, subject_of
from harness.rehearsal.rehearsal import Seen
from harness.rehearsals.rollout.details import WeekDetails
from harness.rehearsals.rollout.judge import switched_of
from harness.rehearsals.rollout.observed import observed
from harness.rehearsals.rollout.timeline import timeline
from harness.report.course import SIDE, gathered, with_others
from harness.report.series import NS

MOST_EVENTS = 300
MOST_LATE = 20
NONE = "–"


def week_sections(plan: Scenario, seen: Seen[WeekDetails]) -> Iterator[Section]:
    """In the order of the page."""
    week, evidence = observed(seen.evidence.events), seen.evidence
    yield from _facts(plan, seen.details)
    back = switched_of(plan, evidence.rows, week)
    if back is not None:
        yield Lines(title=message("Switch to Firestore after the roll back"), lines=tuple(_switch_lines(back)))
    course = timeline(plan, evidence, week)
    if course is not None:
        yield course
    if week.planned is not None:
        yield window_table([summarise(evidence.ledger, week.window, side) for side in Side])
        if plan.population.steps:
            yield steps_table(plan, evidence.ledger, week.window)
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


def _switch_lines(switch: SwitchOver) -> Iterator[Message]:
    counts = {"switched": str(switch.switched), "clients": str(switch.clients), "limit": f"{switch.limit_s:g}"}
    if switch.last_s is None:
        yield message(
            "{switched} of {clients} clients made their first request on Firestore (limit {limit} s).", **counts
        )
    else:
        yield message(
            "{switched} of {clients} clients made their first request on Firestore, the last of them {last} s after "
            "the flag was published off (limit {limit} s).",
            last=f"{switch.last_s:.1f}",
            **counts,
        )
    named, more = ", ".join(switch.late_users[:MOST_LATE]), len(switch.late_users) - MOST_LATE
    if more > 0:
        yield message("Late: {users} and {more} more", users=named, more=str(more))
    elif named:
        yield message("Late: {users}", users=named)


def window_table(windows: Sequence[WindowSummary]) -> Table:
    """The figures of the window, a figure a row and a side a column."""
    rows: list[tuple[Cell, Callable[[WindowSummary], Cell]]] = [
        (message("requests"), lambda w: f"{w.requests:,}"),
        (message("requests/s"), lambda w: f"{w.requests_per_s:.2f}"),
        (message("latency p50"), lambda w: amount(w.latency_p50_ms, Unit.MILLISECONDS)),
        (message("latency p95"), lambda w: amount(w.latency_p95_ms, Unit.MILLISECONDS)),
        (message("latency p99"), lambda w: amount(w.latency_p99_ms, Unit.MILLISECONDS)),
        (message("error ratio"), lambda w: amount(w.error_ratio, Unit.RATIO)),
        ("4xx", lambda w: amount(w.ratio_4xx, Unit.RATIO)),
        ("5xx", lambda w: amount(w.ratio_5xx, Unit.RATIO)),
        (message("bad seconds"), lambda w: NONE if w.bad_seconds is None else f"{w.bad_seconds:,}"),
        (message("replicas"), _replicas),
        (message("CPU of the pods, mean"), _cores),
        (message("memory of the pods, most"), _mib),
        (message("generator lag p99"), lambda w: amount(w.generator_lag_p99_ms, Unit.MILLISECONDS)),
    ]
    return Table(
        title=message("The window"),
        heads=(message("latency from the due time"), *(SIDE[each.side] for each in windows)),
        rows=tuple(Row(cells=(label, *(cell(each) for each in windows))) for label, cell in rows),
        numbers=tuple(range(1, len(windows) + 1)),
    )


def steps_table(plan: Scenario, ledger: Ledger, window: Window) -> Table:
    """The figures of the requests to the API, a step of the load a row, as far as ``window`` reached."""
    return Table(
        title=message("The steps of the load"),
        heads=(
            message("from"),
            message("to"),
            message("a request of each user every"),
            message("offered to the API"),
            message("requests"),
            message("error ratio"),
            message("latency p95"),
            message("generator lag p99"),
        ),
        rows=tuple(Row(cells=_step_cells(plan, each, ledger, window)) for each in plan.population.stretches),
        numbers=tuple(range(8)),
    )


def _step_cells(scenario: Scenario, step: LoadStep, ledger: Ledger, window: Window) -> tuple[Cell, ...]:
    end_s = min(scenario.population.stretch(step.at_s)[1], scenario.window_s)
    offered = f"{scenario.population.flag_on / step.pace_s:.2f}/s"
    plan = (f"{step.at_s:g} s", f"{end_s:g} s", f"{step.pace_s:g} s", offered)
    part = of_step(window, scenario.population, step.at_s)
    if part.start_ns >= part.end_ns:
        return (*plan, message("not reached"), NONE, NONE, NONE)
    seen = summarise(ledger, part, Side.API)
    return (
        *plan,
        f"{seen.requests:,}",
        amount(seen.error_ratio, Unit.RATIO),
        amount(seen.latency_p95_ms, Unit.MILLISECONDS),
        amount(seen.generator_lag_p99_ms, Unit.MILLISECONDS),
    )


def amount(value: float | None, unit: Unit) -> Cell:
    """A value with its unit, or a dash."""
    return NONE if value is None else quantity(value, unit)


def _replicas(window: WindowSummary) -> Cell:
    if window.replicas_min is None or window.replicas_max is None:
        return NONE
    if window.replicas_min == window.replicas_max:
        return str(window.replicas_min)
    return message("{least} to {most}", least=str(window.replicas_min), most=str(window.replicas_max))


def _cores(window: WindowSummary) -> Cell:
    return NONE if window.cpu_cores_mean is None else message("{cores} cores", cores=f"{window.cpu_cores_mean:.2f}")


def _mib(window: WindowSummary) -> Cell:
    return NONE if window.memory_bytes_max is None else f"{window.memory_bytes_max / 1024 / 1024:,.0f} MiB"


def _events(events: Iterable[EventRow], anchor: Anchor) -> Table:
    ordered = sorted(events, key=lambda row: row.at_ns)
    rows = gathered(ordered)
    more = len(rows) - MOST_EVENTS
    sql = verbatim("SELECT utc, kind, subject, message FROM events ORDER BY at_ns, seq;")

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
