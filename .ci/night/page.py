"""``nights.html`` and ``nights.ja.html``: all nights on one self-contained page, without a script.

It is drawn by the harness' own templates, so this module alone needs the locked packages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.base.units import Unit
from harness.model.message import Message, raw_text
from harness.report.html import page
from harness.report.language import LANGUAGES, Language, language, write_atomically
from night import course
from night.course import WINDOW, Column, Outcome, Row, State, Trend
from night.record import EXPERIMENT, REHEARSAL, Record, english

_FILES = {code: "nights.html" if code == "en" else f"nights.{code}.html" for code in LANGUAGES}
_DIGITS = 12  # of a commit
_WIDTH, _HEIGHT = 300.0, 60.0  # of a trend's drawing
_VERDICTS = {"green": Outcome.PASSED, "red": Outcome.FAILED}


def write(records: Sequence[Record], folder: Path) -> list[Path]:
    """Writes both pages into ``folder``. Raises ``EvidenceNotWritten``."""
    folder.mkdir(parents=True, exist_ok=True)
    return [write_atomically(folder / name, render(records, language(code)).encode()) for code, name in _FILES.items()]


def render(records: Sequence[Record], say: Language) -> str:
    """The page of the nights, of which there is one at least, oldest first."""
    nights = course.columns(records)
    rows, gone = course.rows(nights)
    shown = nights[-WINDOW:]
    by_name = sorted(rows, key=lambda row: (row.key.name, row.environment))
    numbers = {row.key: number for number, row in enumerate(by_name)}
    context = {
        "nights": shown, "count": len(records), "newest": records[-1], "rows": by_name, "gone": gone,
        "files": {code: name for code, name in _FILES.items() if code != say.code},
        "verdicts": [_VERDICTS.get(each.record.verdict if each.record else "", Outcome.NOT_RUN) for each in shown],
        "standing": [(state, [row for row in rows if row.state is state]) for state in [*State][:3]],
        "not_run": [row for row in by_name if row.outcomes[-1] is Outcome.NOT_RUN and row.key.kind == REHEARSAL],
        "kinds": [(kind, [row for row in by_name if row.key.kind == kind]) for kind in (REHEARSAL, EXPERIMENT)],
        "number": lambda row: numbers[row.key],
        "reason": lambda row: _reason(row, say),
        "trends": lambda row: [_drawn(each, row, say) for each in row.trends],
        "commit": _commit,
        "link": lambda column: _link(column.record),
    }  # fmt: skip
    return page("nights.html.j2", say, context)


def _reason(row: Row, say: Language) -> str:
    """Why it failed last, in the page's language where the run told it as a message."""
    try:
        told = msgspec.convert(row.reason, Message)
    except (msgspec.ValidationError, ValueError):
        told = raw_text(english(row.reason))
    return " ".join(say.message(told).split())


def _commit(column: Column | None) -> str:
    return (column.record.commit[:_DIGITS] if column and column.record else "") or "–"


def _link(record: Record | None) -> str:
    """Where the night's run is told of; "" for what is no page."""
    return record.run_url if record and record.run_url.startswith(("https://", "http://")) else ""


def _drawn(trend: Trend, row: Row, say: Language) -> dict[str, Any]:
    """A trend as the page draws it: its words, and the paths of its line, its limit and its bad nights."""
    points = [(place, seen) for place, seen in enumerate(trend.seen) if seen is not None]
    values, unit = [seen for _, seen in points], Unit(trend.unit) if trend.unit in [*Unit] else Unit.NONE
    ends = [*values, *([] if trend.limit is None else [trend.limit])]
    least, most = min(ends), max(ends)

    def at(place: int, seen: float) -> str:
        x = _WIDTH * place / max(1, len(trend.seen) - 1)
        y = _HEIGHT / 2 if most == least else _HEIGHT - 2 - (_HEIGHT - 4) * (seen - least) / (most - least)
        return f"{x:.1f} {y:.1f}"

    bad = (Outcome.FAILED, Outcome.UNSTEADY)
    return {
        "name": trend.name,
        "last": say.amount(values[-1], unit),
        "least": say.amount(min(values), unit),
        "most": say.amount(max(values), unit),
        "count": len(values),
        "limit": "" if trend.limit is None else say.amount(trend.limit, unit),
        "level": "" if trend.limit is None else f"M0 {at(0, trend.limit).partition(' ')[2]}H{_WIDTH:.0f}",
        "line": "".join(_line([(place, at(place, seen)) for place, seen in points])),
        "dots": "".join(f"M{at(place, seen)}h0" for place, seen in points if row.outcomes[place] in bad),
    }  # fmt: skip


def _line(points: Sequence[tuple[int, str]]) -> Iterator[str]:
    """A path that a night without the figure breaks; a figure that stands alone is a short dash."""
    places = {place for place, _ in points}
    for place, at in points:
        if place - 1 in places:
            yield f"L{at}"
        else:
            yield f"M{at}" if place + 1 in places else f"M{at}h3"
