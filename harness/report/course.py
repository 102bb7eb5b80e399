"""The course of a run: its phases, the moments worth a mark on the time axis, and the list of its events."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from harness.evidence.read import connect
from harness.model.message import Told, marked
from harness.model.run import Run
from harness.report import words
from harness.report.language import Language
from harness.report.queries import window_of
from harness.report.scale import clock
from harness.report.series import NS, Axis

#: Kinds of events that get a mark, in the words of the legend.
MARKED = {
    "fault": marked("fault"),
    "flag": marked("flag"),
    "decision": marked("decision"),
    "measurement_error": marked("measurement error"),
    "autoscaler": marked("autoscaler"),
    "node": marked("node"),
}
KIND = MARKED | {
    "autoscaler": marked("autoscaler"),
    "check": marked("check"),
    "component": marked("component"),
    "deployment": marked("deployment"),
    "eviction": marked("eviction"),
    "failover": marked("failover"),
    "kubernetes": marked("Kubernetes"),
    "log": marked("log"),
    "phase": marked("phase"),
    "pod": marked("pod"),
    "storage": marked("storage"),
}
MOST_MARKS = 30
MOST_EVENTS = 300
#: Marks nearer than this (in per cent of the axis) are set below each other; that is one mark on a phone.
_NEAR = 5.0
_ROWS = 4


class _Data(msgspec.Struct):
    told: Told = ()


@dataclass(frozen=True)
class Event:
    """An event as the list shows it."""

    at_ns: int
    time: str
    utc: str
    kind: str
    word: str
    subject: str
    message: str


@dataclass(frozen=True)
class Mark:
    """A numbered moment; ``at`` in per cent from the left, ``row`` where it stands below its neighbours."""

    number: int
    at: float
    row: int
    word: str
    event: Event


@dataclass(frozen=True)
class Phase:
    """A stretch of the run, in per cent of the axis."""

    start: float
    width: float
    label: str
    time: str
    judged: bool = False


@dataclass(frozen=True)
class Course:
    """Everything, and how much of it there was beyond what is listed."""

    phases: tuple[Phase, ...] = ()
    marks: tuple[Mark, ...] = ()
    events: tuple[Event, ...] = ()
    events_in_all: int = 0
    marks_in_all: int = 0


def load_course(evidence: Path, run: Run, axis: Axis, say: Language) -> Course:
    """The course of ``run``. Raises ``BadInput`` when the evidence cannot be read."""
    with connect(evidence) as connection:
        listed = [_named(event, say) for event in _events(connection, axis, say, "1", MOST_EVENTS)]
        moments = _events(connection, axis, say, f"kind IN ({', '.join(repr(kind) for kind in MARKED)})", MOST_MARKS)
        phases = _events(connection, axis, say, "kind = 'phase'", MOST_MARKS)
        [(total, in_all)] = connection.execute(
            f"SELECT COUNT(*), SUM(kind IN ({', '.join(repr(kind) for kind in MARKED)})) FROM events"  # noqa: S608 - our own words
        )
    return Course(_phases(run, axis, phases, say), _marks(axis, moments, say), tuple(listed), total, in_all or 0)


def percent(axis: Axis, at_ns: int) -> float:
    """Where ``at_ns`` lies on the axis, in per cent from the left, held within it."""
    return min(100.0, max(0.0, 100 * (at_ns - axis.start_ns) / (axis.end_ns - axis.start_ns)))


def _events(connection: sqlite3.Connection, axis: Axis, say: Language, where: str, most: int) -> list[Event]:
    rows = connection.execute(
        f"SELECT at_ns, utc, kind, subject, message, data FROM events WHERE {where} ORDER BY at_ns, seq LIMIT ?",  # noqa: S608 - our own words
        (most,),
    )
    return [
        Event(at_ns, _time(axis, at_ns), utc, kind, say(KIND.get(kind, kind)), subject, told_of(data, text, say))
        for at_ns, utc, kind, subject, text, data in rows
    ]


def _named(event: Event, say: Language) -> Event:
    """The event as the table of all shows it: a phase by its word."""
    return replace(event, subject=words.phase_word(event.subject, say)) if event.kind == "phase" else event


def told_of(data: str, english: str, say: Language) -> str:
    """What an event said. The titles of plans and experiments stand in the catalogue as they are."""
    return say.told(_told(data), say(english))


def _told(data: str) -> Told:
    """The messages that an event's data keeps; none where it keeps none that can be said."""
    try:
        return msgspec.json.decode(data, type=_Data).told
    except msgspec.DecodeError:
        return ()


def _time(axis: Axis, at_ns: int) -> str:
    seconds = (at_ns - axis.start_ns) / NS
    return clock(seconds) if seconds >= 0 else f"-{clock(-seconds)}"


def _marks(axis: Axis, events: list[Event], say: Language) -> tuple[Mark, ...]:
    marks: list[Mark] = []
    free = [-_NEAR] * _ROWS  # the last place taken in each row
    for number, event in enumerate(events, 1):
        at = percent(axis, event.at_ns)
        row = next((row for row in range(_ROWS) if at - free[row] >= _NEAR), _ROWS - 1)
        free[row] = at
        marks.append(Mark(number, at, row, say(MARKED[event.kind]), event))
    return tuple(marks)


def _phases(run: Run, axis: Axis, events: list[Event], say: Language) -> tuple[Phase, ...]:
    """Each phase lasts until the next; the window ends when it was judged, and what follows is named for itself."""
    starts = [(event.at_ns, event.subject) for event in events]
    window = window_of(run)
    if window is not None:
        starts.append((window.end_ns, "after the window"))
    starts.sort()
    ends = [at_ns for at_ns, _ in starts[1:]] + ([axis.end_ns] if starts else [])
    phases = []
    for (start_ns, label), end_ns in zip(starts, ends, strict=True):
        start, end = percent(axis, start_ns), percent(axis, end_ns)
        if end - start > 0.5:
            word = words.phase_word(label, say)
            time = say("{begin} to {end}", begin=_time(axis, start_ns), end=_time(axis, end_ns))
            phases.append(Phase(start, end - start, word, time, judged=label == "window"))
    return tuple(phases)
