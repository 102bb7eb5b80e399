"""What the page of experiments shows besides its judgements: their course, their figures, failovers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.judge.window import NS
from harness.model.message import Message, message
from harness.model.section import Band, Cell, Chart, Row, Section, Table, Timeline, table_of
from harness.rehearsal.rehearsal import Seen
from harness.rehearsals.chaos.failovers import failover_of
from harness.rehearsals.chaos.measures import Figures, figures
from harness.rehearsals.chaos.types import ChaosDetails, ChaosPlan, FailoverSeen, Made
from harness.report import course as charts
from harness.report.course import stretch
from harness.report.panels import chart_of, course_of
from harness.report.series import Axis, axis_of, measured_on


def sections(plan: ChaosPlan, seen: Seen[ChaosDetails]) -> Iterator[Section]:
    """In the order of the page; nothing where no experiment was made."""
    made = seen.details.made
    if made:
        yield _course(plan, seen)
        yield _experiments_table(plan, [(each, figures(seen.evidence.ledger, each)) for each in made])
    failovers = [*_failovers(plan, seen)]
    if failovers:
        yield _failovers_table(failovers)


def _course(plan: ChaosPlan, seen: Seen[ChaosDetails]) -> Timeline:
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


def _band(axis: Axis, start_ns: int, end_ns: int, label: Message, *, judged: bool = False) -> Band:
    start, end = ((at_ns - axis.origin_ns) / NS for at_ns in (start_ns, end_ns))
    return Band(start=start, end=end, label=label, judged=judged)


def named(plan: ChaosPlan, made: Made) -> Message:
    """An experiment by its number and title."""
    return message("{number}. {title}", number=str(made.number), title=_title(plan, made))


def _experiments_table(plan: ChaosPlan, rows: Sequence[tuple[Made, Figures]]) -> Table:
    return table_of(
        message("Experiments"),
        rows,
        (message("Experiment"), lambda of: named(plan, of[0])),
        (message("Failed"), lambda of: message("{failed} of {all}", failed=str(of[1].failed), all=str(of[1].calls))),
        (message("Outage"), lambda of: _seconds(of[1].outage_s)),
        (message("Steady again"), lambda of: _seconds(of[1].recovered_s)),
        (message("Chaos Toolkit says"), lambda of: of[0].status or "–"),
        row=lambda of: Row(cells=(), link=of[0].journal),
        numbers=(1, 2, 3),
    )


def _title(plan: ChaosPlan, made: Made) -> Message:
    return Message(text=plan.experiments[made.number - 1].experiment.title)


def _failovers(plan: ChaosPlan, seen: Seen[ChaosDetails]) -> Iterator[tuple[Made, FailoverSeen]]:
    evidence = seen.evidence
    for made in seen.details.made:
        failover = plan.experiments[made.number - 1].experiment.expects.failover
        if failover is not None:
            found = failover_of(made, failover, evidence, ())
            if found is not None:
                yield made, found


def _failovers_table(failovers: Sequence[tuple[Made, FailoverSeen]]) -> Table:
    stand_in = message(
        "A stand-in for Cloud SQL's regional disk replication: here PostgreSQL streams its WAL to a standby, a "
        "heartbeat of the rehearsal's own detects the loss, and the sidecars are pointed at the standby in place "
        "of an address that moves. Detection and promotion take other times at Cloud SQL."
    )
    return table_of(
        message("Failover of the database"),
        failovers,
        (message("Experiment"), lambda of: str(of[0].number)),
        (message("Commit"), lambda of: message("synchronous") if of[1].synchronous else message("asynchronous")),
        (message("Detected after"), lambda of: _seconds(of[1].detect_s)),
        (message("Promoted in"), lambda of: f"{of[1].promote_s:.2f} s"),
        (message("Pods switched in"), lambda of: f"{of[1].lead_s:.2f} s"),
        (message("Writes failed for"), lambda of: _seconds(of[1].outage_s)),
        numbers=(2, 3, 4, 5),
        note=(stand_in,),
    )


def _seconds(value: float | None) -> Cell:
    return "–" if value is None else f"{value:.1f} s"
