"""What the page of experiments shows besides its judgements: their course, their figures, failovers. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.base.ticks import NS
from harness.model.message import Message, message
from harness.model.section import Band, Chart, Pairs, Section, Timeline
from harness.rehearsals.chaos.types import ChaosDetails, ChaosPlan, MadeExperiment
from harness.report import course as charts
from harness.report.course import stretch
from harness.report.panels import chart_of, course_of
from harness.report.series import TimeAxis, axis_of, measured_on
from harness.run.rehearsal import RunRecord

_STAND_IN = message(
    "A stand-in for Cloud SQL's regional disk replication: here PostgreSQL streams its WAL to a standby, a heartbeat "
    "of the rehearsal's own detects the loss, and the sidecars are pointed at the standby in place of an address that "
    "moves. Detection and promotion take other times at Cloud SQL."
)


def sections(plan: ChaosPlan, seen: RunRecord[ChaosDetails]) -> Iterator[Section]:
    """In the order of the page; nothing where no experiment was made."""
    made = seen.details.made
    if made:
        yield _course(plan, seen)
    if any(plan.experiments[each.number - 1].experiment.expects.failover is not None for each in made):
        yield Pairs(pairs=((message("Failover of the database"), _STAND_IN),), differs=True)


def _course(plan: ChaosPlan, seen: RunRecord[ChaosDetails]) -> Timeline:
    """Pods, failures and probes over all experiments; shaded from a fault until it was undone."""
    made, evidence = seen.details.made, seen.evidence
    begin_ns, end_ns = min(each.begun_ns for each in made), max(each.end_ns for each in made)
    axis = axis_of(begin_ns, end_ns, begin_ns)
    measured = measured_on(axis, evidence)
    pods = chart_of("", message("Pods"), course_of(evidence.events, (begin_ns, begin_ns), begin_ns, end_ns))
    shown: list[Chart] = [] if pods is None else [pods]
    shown += [charts.errors(measured)] if measured.sides else []
    shown += charts.probes(measured)
    return stretch(
        message("Course of the experiments"),
        axis,
        shown,
        evidence.events,
        {"fault", "failover"},
        phases=tuple(_band(axis, each.begun_ns, each.end_ns, named(plan, each)) for each in made),
        shaded=tuple(
            _band(axis, each.start_ns, each.undone_ns or each.end_ns, message("fault"), judged=True) for each in made
        ),
        note=(message("Shaded: from the first fault of an experiment until it was undone."),),
    )


def _band(axis: TimeAxis, start_ns: int, end_ns: int, label: Message, *, judged: bool = False) -> Band:
    start, end = ((at_ns - axis.origin_ns) / NS for at_ns in (start_ns, end_ns))
    return Band(start=start, end=end, label=label, judged=judged)


def named(plan: ChaosPlan, made: MadeExperiment) -> Message:
    """An experiment by its number and title."""
    return message("{number}. {title}", number=str(made.number), title=_title(plan, made))


def _title(plan: ChaosPlan, made: MadeExperiment) -> Message:
    return Message(text=plan.experiments[made.number - 1].experiment.title)
