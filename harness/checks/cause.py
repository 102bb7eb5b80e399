"""Why a run was rolled back or held, as far as its evidence says: the third step of the document's roll back, 原因調査.

The first failure, what changed before it, the faults, what happened to pods, the log lines around it. Pure: the same of
a stored run. What was not seen is said to be so; that nothing was seen is no word that nothing was there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from harness.base.clock import Anchor, utc
from harness.base.ticks import NS
from harness.evidence.failure import LOG_LINE, bad_calls, first_bad
from harness.evidence.store import Gathered
from harness.model.evidence import EventRow, ProbeRow, RequestRow, Side, told_of
from harness.model.flag import FLAG
from harness.model.judgement import PHASES, Decision, Judgement, outcome_word, subject_of
from harness.model.message import Message, message, raw_text
from harness.model.section import Cell, Row, Table
from harness.rules.judged import combine
from harness.rules.resizes import resizes

#: So many of each sort are shown, and of log lines so many.
MOST, MOST_LINES = 8, 20
#: What happened to pods later than this after the first failure follows from it.
AFTER_S = 60.0
#: What a pod's event says when nothing is amiss.
_HEALTHY = ("created", "started", "readiness probe passes")
_STACKS = frozenset({"fault", "pod"})
_CHANGES = frozenset({"deployment", "eviction", "node", "failover", "phase"})


def cause(evidence: Gathered, judgements: Sequence[Judgement], anchor: Anchor, *, ended: bool) -> Iterator[Table]:
    """Where to look for the cause; nothing of a run that advances, that broke (not ``ended``), that keeps no rows by
    design, or that is held and had neither users nor pods."""
    decision = combine(judgements)
    held = decision is Decision.HOLD and ended and _acted(evidence)
    if evidence.rows and (decision is Decision.ROLL_BACK or held):
        yield _table(evidence, judgements, anchor)


def _acted(evidence: Gathered) -> bool:
    return bool(evidence.requests or evidence.probes or any(row.kind in _STACKS for row in evidence.events))


def _table(evidence: Gathered, judgements: Sequence[Judgement], anchor: Anchor) -> Table:
    rows = [*_decided(judgements, anchor)]
    events = sorted(evidence.events, key=lambda row: row.at_ns)
    bad = bad_calls(evidence)
    at_ns = first_bad(evidence)
    times = _times(anchor, at_ns)
    what = message("first failed request or probe")
    if at_ns is None:
        rows.append(Row(cells=(what, "–", message("none was seen: no request to the API and no probe failed"))))
    else:
        rows += [Row(cells=(what, times(each.due_ns), _call(each))) for each in bad[:1]]
        rows.append(Row(cells=(message("failed requests and probes"), "–", _counted(evidence, len(bad)))))
    rows += [*_events(message("changed before"), _changed(events, at_ns), times, last=True)]
    rows += [*_events(message("fault"), [each for each in events if each.kind == "fault"], times)]
    rows += [*_events(message("pod"), _pods(events, at_ns), times)]
    rows += [*_lines([each for each in events if each.kind == LOG_LINE], times)]
    return Table(
        title=message("Where to look for the cause"),
        heads=(message("What"), message("When"), message("What was seen")),
        rows=tuple(rows),
        note=(
            message("Times are UTC, with the seconds from the first failed request or probe."),
            message("All of it is read from the evidence; the cause is a person's to find."),
        ),
        numbers=(1,),
        first=True,
    )


def _decided(judgements: Sequence[Judgement], anchor: Anchor) -> Iterator[Row]:
    """What decided: the rollback limits that fired, the earliest first; of a run that is held, what holds it."""
    fired = sorted((each for each in judgements if each.fired), key=lambda each: each.fired_at_ns or 0)
    decided = fired or [each for each in judgements if each.holds]
    for each in decided[:MOST]:
        what = message("rollback limit that fired") if each.fired else message("what holds the run")
        at = "–" if each.fired_at_ns is None else utc(anchor, each.fired_at_ns)[11:19]
        named = message("{id}, part {part}", id=each.id, part=each.part) if each.part else raw_text(each.id)
        yield Row(cells=(what, at, named), lines=each.told)
    yield from _more(message("what holds the run"), len(decided) - MOST)
    if not decided:
        yield Row(cells=(message("what holds the run"), "–", message("nothing was exercised")))


def _times(anchor: Anchor, first_ns: int | None) -> Callable[[int], Cell]:
    def times(at_ns: int) -> Cell:
        at = utc(anchor, at_ns)[11:19]
        return (
            at if first_ns is None else message("{utc}, {seconds} s", utc=at, seconds=f"{(at_ns - first_ns) / NS:+.1f}")
        )

    return times


def _call(row: RequestRow | ProbeRow) -> Message:
    places: dict[str, str | Message] = {
        "outcome": outcome_word(row.outcome),
        "status": str(row.status),
        "pod": row.pod or "–",
    }
    if isinstance(row, ProbeRow):
        return message("probe {method}: {outcome}, status {status}, pod {pod}", method=row.method, **places)
    return message(
        "{operation} of {user}: {outcome}, status {status}, pod {pod}",
        operation=str(row.operation), user=row.user, **places,
    )  # fmt: skip


def _counted(evidence: Gathered, failed: int) -> Message:
    calls = len(evidence.probes) + sum(row.side is Side.API for row in evidence.requests)
    return message("{failed} of {all} to the API, over the whole run", failed=str(failed), all=str(calls))


def _changed(events: Sequence[EventRow], at_ns: int | None) -> list[EventRow]:
    """What was done to the system before the first failure, or ever: steps of the flag and of the load, deployments,
    scaling, evictions."""
    resized = {each.at_ns for each in resizes(events, 0)}
    return [
        row
        for row in events
        if (row.kind in _CHANGES or (row.kind == "flag" and row.subject == FLAG) or row.at_ns in resized)
        and (at_ns is None or row.at_ns <= at_ns)
    ]


def _pods(events: Sequence[EventRow], at_ns: int | None) -> list[EventRow]:
    """What happened to pods besides that they came up."""
    until_ns = None if at_ns is None else at_ns + AFTER_S * NS
    return [
        row
        for row in events
        if row.kind == "pod" and not row.message.endswith(_HEALTHY) and (until_ns is None or row.at_ns <= until_ns)
    ]


def _events(
    what: Message, rows: Sequence[EventRow], times: Callable[[int], Cell], *, last: bool = False
) -> Iterator[Row]:
    """The first of ``rows``, or the ``last`` of them."""
    shown = rows[-MOST:] if last else rows[:MOST]
    for row in shown:
        told = told_of(row)
        nameless = row.kind == "phase" and row.subject not in PHASES
        said = told[0] if nameless else message("{subject}: {said}", subject=subject_of(row), said=told[0])
        yield Row(cells=(what, times(row.at_ns), said), lines=told[1:])
    yield from _more(what, len(rows) - len(shown))
    if not rows:
        yield Row(cells=(what, "–", message("nothing was seen")))


def _lines(rows: Sequence[EventRow], times: Callable[[int], Cell]) -> Iterator[Row]:
    what = message("log line")
    for row in rows[:MOST_LINES]:
        yield Row(cells=(raw_text(row.subject), times(row.at_ns), row.message), link=f"logs/{row.subject}")
    yield from _more(what, len(rows) - MOST_LINES)
    if not rows:
        yield Row(
            cells=(what, "–", message("nothing was seen: the evidence has no line of a log around the first failure"))
        )


def _more(what: Message, count: int) -> Iterable[Row]:
    return [Row(cells=(what, "–", message("{count} more are in the evidence", count=str(count))))] if count > 0 else ()
