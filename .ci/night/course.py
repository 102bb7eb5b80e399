"""How the nights go: of each row its outcomes, since when it fails and by which commit, and what is unsteady. Pure.

A row that fails is *failing* from the first night of its present failures on. What failed for a night or two and
passed again is *unsteady*, and stays so until fourteen nights have gone without. Failures of three nights and more that
came to an end are *mended*: something broke, and somebody mended it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from night.record import EXPERIMENT, REHEARSAL, Entry, Key, Reason, Record

WINDOW = 14
LASTING = 3  # failures one after the other that are a regression, whatever was before


class Outcome(StrEnum):
    """What a row came to in a night. A night before its first one is ``UNKNOWN``, which is no gap."""

    PASSED = "passed"
    FAILED = "failed"
    UNSTEADY = "unsteady"
    NOT_RUN = "not_run"
    UNKNOWN = "unknown"


class State(StrEnum):
    """How a row stands after the newest night, the worst first."""

    FAILING = "failing"
    UNSTEADY = "unsteady"
    MENDED = "mended"
    STEADY = "steady"
    UNSEEN = "unseen"  # it never ran


@dataclass(frozen=True)
class Column:
    """A night, or a day that had none."""

    date: str
    record: Record | None = None


@dataclass(frozen=True)
class Trend:
    """A figure over the nights, ``None`` where it was not measured; ``limit`` is the newest one."""

    name: str
    unit: str
    limit: float | None
    seen: tuple[float | None, ...]


@dataclass(frozen=True)
class Row:
    """A row over all nights: ``outcomes`` has one for each column.

    ``since`` is the first bad night of what fails now, or the first of an unsteady one; ``good`` the last night before
    it that passed, ``bad`` the newest that failed, ``ended`` the first that passed after that one. ``failed`` of
    ``ran`` nights of the window failed.
    """

    key: Key
    environment: str
    what: str
    state: State
    outcomes: tuple[Outcome, ...]
    trends: tuple[Trend, ...]
    since: Column | None = None
    good: Column | None = None
    bad: Column | None = None
    ended: Column | None = None
    failed: int = 0
    ran: int = 0
    reason: Reason | None = None
    replay: str = ""

    @property
    def same_commit(self) -> bool:
        """Whether it passed and failed at one commit, so that the program alone is not what changed."""
        one, other = (each.record.commit if each and each.record else "" for each in (self.good, self.since))
        return bool(one) and one == other


class Streak(NamedTuple):
    """Failures one after the other, by the places of their columns."""

    places: tuple[int, ...]

    @property
    def nights(self) -> int:
        """How many nights failed; those without a run between them count as nothing."""
        return len(self.places)


def columns(records: Sequence[Record]) -> list[Column]:
    """The nights, and between them the days that had none."""
    found = list[Column]()
    for record in records:
        if found:
            before, here = date.fromisoformat(found[-1].date), date.fromisoformat(record.date)
            found += [Column(str(before + timedelta(days=day))) for day in range(1, (here - before).days)]
        found.append(Column(record.date, record))
    return found


def rows(nights: Sequence[Column]) -> tuple[list[Row], list[str]]:
    """Every row of the nights that are kept, the worst first; and the steps that no job has any more, by name."""
    tables = [{row.key: row for row in each.record.rows} if each.record else {} for each in nights]
    newest = next((table for table in reversed(tables) if table), {})
    found, gone = list[Row](), list[str]()
    for key in dict.fromkeys(key for table in tables for key in table):
        if key.kind == REHEARSAL and ": " not in key.name and key not in newest:
            gone.append(key.name)
        else:
            found.append(_row(key, nights, [table.get(key) for table in tables]))
    return sorted(found, key=lambda row: ([*State].index(row.state), row.since.date if row.since else "")), gone


def _row(key: Key, nights: Sequence[Column], entries: Sequence[Entry | None]) -> Row:
    seen, window = [*_seen(entries)], len(nights) - WINDOW
    closed = [*_streaks(seen)]
    open_ = closed.pop() if seen and not seen[-1][1] else None
    short = [each for each in closed if each.nights < LASTING]
    state = _state(closed, open_, window) if seen else State.UNSEEN
    unsteady = {place for each in short for place in each.places}
    since = open_.places[0] if open_ else None
    if state is State.UNSTEADY:
        since = _first(short, window)
        unsteady |= {*(open_.places if open_ else ())}
    bad = max((place for place, good in seen if not good), default=None)
    inside = {place: good for place, good in reversed(seen) if place >= window}  # of a mixed night the failure
    passed = [place for place, good in seen if good]
    worst, last = entries[bad] if bad is not None else None, next(each for each in reversed(entries) if each)
    return Row(
        key, last.environment, last.what, state, tuple(_outcomes(entries, unsteady)), tuple(_trends(entries)),
        since=_at(nights, since),
        good=_at(nights, max((place for place in passed if since is not None and place < since), default=None)),
        bad=_at(nights, bad),
        ended=_at(nights, min((place for place in passed if bad is not None and place > bad), default=None)),
        failed=sum(not good for good in inside.values()), ran=len(inside),
        reason=worst.reason if worst else None, replay=worst.replay if worst else "",
    )  # fmt: skip


def _at(nights: Sequence[Column], place: int | None) -> Column | None:
    return None if place is None else nights[place]


def _state(closed: Sequence[Streak], open_: Streak | None, window: int) -> State:
    """``closed`` are the failures that a good night ended, ``open_`` those of now."""
    recent = [each for each in closed if each.places[-1] >= window]
    now_and_then = any(each.nights < LASTING for each in recent)
    if open_ and (not now_and_then or open_.nights >= LASTING):
        return State.FAILING
    if now_and_then:
        return State.UNSTEADY
    return State.MENDED if recent else State.STEADY


def _first(short: Sequence[Streak], window: int) -> int:
    """The first of the failures that make it unsteady: further back, too, until fourteen nights had none."""
    since = window + WINDOW
    for each in reversed(short):
        if each.places[-1] < since - WINDOW:
            break
        since = each.places[0]
    return since


def _mixed(entry: Entry) -> bool:
    """Whether an experiment both failed and passed in one night. A rehearsal's shards are different schedules."""
    return entry.kind == EXPERIMENT and bool(entry.failed and entry.passed)


def _seen(entries: Sequence[Entry | None]) -> Iterator[tuple[int, bool]]:
    """Where it ran, and whether it was good; of a mixed night the failure first."""
    for place, entry in enumerate(entries):
        if entry and entry.failed:
            yield place, False
        if entry and (_mixed(entry) or (entry.passed and not entry.failed and not entry.missing)):
            yield place, True


def _streaks(seen: Sequence[tuple[int, bool]]) -> Iterator[Streak]:
    run = list[int]()
    for place, good in [*seen, (-1, True)]:
        if not good:
            run.append(place)
        elif run:
            yield Streak(tuple(run))
            run = []


def _outcomes(entries: Sequence[Entry | None], unsteady: set[int]) -> Iterator[Outcome]:
    began = False
    for place, entry in enumerate(entries):
        began = began or entry is not None
        if entry and entry.failed:
            yield Outcome.UNSTEADY if place in unsteady or _mixed(entry) else Outcome.FAILED
        elif entry and entry.passed and not entry.missing:
            yield Outcome.PASSED
        else:
            yield Outcome.NOT_RUN if began else Outcome.UNKNOWN


def _trends(entries: Sequence[Entry | None]) -> Iterator[Trend]:
    """Of the figures that the newest night with any has: what is measured no more has no trend."""
    newest = next((each.figures for each in reversed(entries) if each and each.figures), [])
    for name, _, limit, unit in newest:
        seen = [next((f[1] for f in each.figures if f[0] == name), None) if each else None for each in entries]
        if any(each is not None for each in seen):
            yield Trend(name, unit, limit, tuple(seen))
