"""What the page of a rotation shows besides its judgements: its phases, what was observed, the moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.judge.claimed import NEVER
from harness.judge.ledger import Ledger
from harness.model.evidence import EventRow
from harness.model.message import Message, message
from harness.model.parts import ended, title_of
from harness.model.section import Cell, Lines, Pairs, Section, table_of
from harness.rehearsal.moments import timeline
from harness.rehearsals.secret_rotation.facts_course import calls_of, rotation
from harness.rehearsals.secret_rotation.types import (
    AsWritten,
    Rotated,
    Rotation,
    RotationDetails,
    RotationPart,
    RotationPlan,
    Started,
)
from harness.report.panels import chart_of, course_of

#: What a phase begins with.
PHASE = {
    "before": message("before the first step"),
    "changed": message("the first step"),
    "published": message("the new version published"),
    "old password out": message("the old password out"),
    "synced": message("the Secret synced"),
    "restarted": message("the restart begun"),
    "settled": message("the restart complete"),
}


def sections(
    plan: RotationPlan, details: RotationDetails, ledger: Ledger, events: Sequence[EventRow], start_ns: int
) -> Iterator[Section]:
    """All of the page; ``start_ns`` is the run's begin."""
    factor = message("CPU requests and limits were multiplied by")
    poll = message("The driver looks for new versions every")
    yield Pairs(pairs=((factor, f"{details.cpu_factor:.2f}"), (poll, f"{plan.poll_s:g} s")), differs=True)
    for part, part_ns, end_ns in ended(plan.parts, details.runs):
        chart = chart_of(part.name, title_of(part), course_of(events, (part_ns, part_ns), part_ns, end_ns))
        if chart is not None:
            yield chart
        match details.did.get(part.name):
            case AsWritten(trials=trials):
                told = tuple(f"{each.name}: {event}" for each in trials for event in each.events)
                if told:
                    yield Lines(title=message("Observed"), lines=told, part=part.name)
            case Started(versions=versions, published=published):
                yield Lines(title=message("Observed"), lines=(_volumes(len(versions), published),), part=part.name)
            case Rotated() as did:
                yield from _rotated(part, rotation(did.course, calls_of(did, ledger)))
    yield timeline(events, start_ns)


def _volumes(pods: int, published: str) -> Message:
    version: str | Message = published or message("no version")
    return message("{count} pods have volumes of the driver, of {version}", count=str(pods), version=version)


def _rotated(part: RotationPart, found: Rotation) -> Iterator[Section]:
    yield table_of(
        message("Requests from step to step"),
        found.phases,
        (message("since"), lambda each: PHASE[each.name]),
        (message("seconds"), lambda each: f"{each.seconds:.1f}"),
        (message("requests"), lambda each: str(each.requests)),
        (message("failed"), lambda each: str(each.failed)),
        numbers=(1, 2, 3),
        part=part.name,
    )
    times = [
        (message("every pod's files of the new version"), found.files_after_s),
        (message("the Secret of the new version"), found.synced_after_s),
        (message("the old password out"), found.revoked_after_s),
        (message("the restart complete"), found.settled_after_s),
    ]
    if found.outage_s is not None:
        times.append((message("from the first failed request to the last"), found.outage_s))
    yield table_of(
        message("Times from the publishing"),
        times,
        (message("what"), lambda of: of[0]),
        (message("seconds"), lambda of: _seconds(of[1])),
        numbers=(1,),
        part=part.name,
    )


def _seconds(value: float | None) -> Cell:
    return NEVER[0] if value is None else f"{value:.1f}"
