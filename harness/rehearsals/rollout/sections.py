"""What a week's page shows beside its judgements: its plan, the course, the figures. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.base.clock import Anchor, utc
from harness.base.ticks import NS
from harness.model.evidence import EventRow, told_of
from harness.model.message import Message, joined, message, raw_text
from harness.model.scenario import PopulationPlan, Scenario
from harness.model.section import Pairs, Row, Section, Table, table_of
from harness.model.stack import Fault
from harness.model.words import KIND, subject_of
from harness.rehearsals.rollout.observed import WeekDetails, observed
from harness.rehearsals.rollout.timeline import timeline
from harness.report.course import gathered, with_others
from harness.run.rehearsal import RunRecord

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
