"""What the page of a rotation shows besides its judgements: its phases, what was observed, the moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.model.evidence import EventRow
from harness.model.message import message
from harness.model.parts import ended, title_of
from harness.model.section import Pairs, Section
from harness.rehearsals.secret_rotation.types import (
    RotationDetails,
    RotationPlan,
)
from harness.report.panels import chart_of, course_of
from harness.run.moments import timeline


def sections(
    plan: RotationPlan, details: RotationDetails, events: Sequence[EventRow], start_ns: int
) -> Iterator[Section]:
    """All of the page; ``start_ns`` is the run's begin."""
    factor = message("CPU requests and limits were multiplied by")
    poll = message("The driver looks for new versions every")
    yield Pairs(pairs=((factor, f"{details.cpu_factor:.2f}"), (poll, f"{plan.poll_s:g} s")), differs=True)
    for part, part_ns, end_ns in ended(plan.parts, details.runs):
        chart = chart_of(part.name, title_of(part), course_of(events, (part_ns, part_ns), part_ns, end_ns))
        if chart is not None:
            yield chart
    yield timeline(events, start_ns)
