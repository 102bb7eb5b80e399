"""How the nights go, in about ten lines of Markdown: what a reader of the issue sees first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from night.course import Column, Outcome, Row, State
from night.gather import typed, untrusted
from night.record import EXPERIMENT, Record, english

_MOST = {State.FAILING: 4, State.UNSTEADY: 2}
_NAMES = 8
_DIGITS = 12
_ROOM = 160  # characters of a reason


def text(rows: Sequence[Row], newest: Record) -> str:
    """The lines: the night, what fails since when, what is unsteady, what was not run, and where all of it is."""
    counts = {state: sum(row.state is state for row in rows) for state in State}
    of = [f"commit {commit(newest.commit)}"] if newest.commit else []
    of += [f"seed {newest.seed}"] if newest.seed is not None else []
    lines = [
        f"**{newest.verdict}** on {', '.join([newest.date, *of])}: of {len(rows)} rehearsals and experiments "
        f"{counts[State.FAILING]} fail, {counts[State.UNSTEADY]} are unsteady, {len([*_not_run(rows)])} were not run."
    ]
    for state, most in _MOST.items():
        found = [row for row in rows if row.state is state]
        lines += [f"- {_line(row)}" for row in found[:most]]
        lines += [f"- and {len(found) - most} more {state}"] if len(found) > most else []
    if names := [*_not_run(rows)]:
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        lines.append(f"- not run: {', '.join(map(untrusted, names[:_NAMES]))}{more}")
    page = "`nights.html`: the last 14 nights of each, trends, and what replays it"
    lines.append(f"- {page}; in the artifact `nights` of {newest.run_url}" if newest.run_url else f"- {page}")
    return "\n".join(lines) + "\n"


def _not_run(rows: Sequence[Row]) -> Iterator[str]:
    """What was planned for the newest night; which experiments are drawn is chance."""
    for row in rows:
        if row.outcomes[-1] is Outcome.NOT_RUN and row.key.kind != EXPERIMENT:
            yield row.key.name


def _line(row: Row) -> str:
    name, since = f"**{untrusted(row.key.name)}** ({untrusted(row.environment)})", _night(row.since)
    if row.state is State.UNSTEADY:
        said = f"{name} is unsteady since {since}: {row.failed} of its last {row.ran} nights failed"
    else:
        before = f"last good {_night(row.good)}" if row.good else "no good night is kept"
        said = f"{name} fails since {since}, the first bad one; {before}"
        said += " (the same commit)" if row.same_commit else ""
    reason = english(row.reason)
    said += f". {untrusted(reason[:_ROOM])}{'…' if len(reason) > _ROOM else ''}" if reason else ""
    return f"{said}. Replay: {typed(row.replay)}" if row.replay else said


def _night(column: Column | None) -> str:
    if column is None or column.record is None:
        return "–"
    return f"{column.date} (commit {commit(column.record.commit)})"


def commit(digits: str) -> str:
    """A commit as people write it."""
    return typed(digits[:_DIGITS]) if digits else "unknown"
