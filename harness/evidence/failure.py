"""The first failure of a run, and the lines of its logs around it, which become evidence."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from harness.base.clock import NS, Anchor, unix_ns
from harness.evidence.store import Gathered
from harness.model.evidence import EventRow, Outcome, ProbeRow, RequestRow, Side
from harness.model.message import Message, message

LOG_LINE = "log_line"
#: Lines so near to the first failure are taken: so many of a file, so many of all, of so many letters each.
NEAR_S = 10.0
MOST_OF_A_FILE, MOST_IN_ALL, LETTERS = 8, 40, 400
#: Of a longer log the end alone is read.
MOST_BYTES = 64 * 2**20
#: Of a log that is larger than the first, the second is kept: its end.
LOG_BYTES, KEPT_BYTES = 256 * 2**20, 16 * 2**20
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?\d*(?:Z|[+-]\d\d:\d\d)?")
_TROUBLE = re.compile(r"\b(?:WARN(?:ING)?|ERROR|CRITICAL|FATAL|PANIC|panic|Traceback|error|warning|critical)\b")


def bad_calls(evidence: Gathered) -> list[RequestRow | ProbeRow]:
    """The failed probes and requests to the API, by when they were due."""
    requests = (row for row in evidence.requests if row.side is Side.API and row.outcome is not Outcome.OK)
    probes = (row for row in evidence.probes if not row.good)
    return sorted([*requests, *probes], key=lambda row: row.due_ns)


def first_bad(evidence: Gathered) -> int | None:
    """When the first of them was due, in ns of the run's clock; ``None`` where none failed."""
    return next((row.due_ns for row in bad_calls(evidence)), None)


def log_lines(logs: Path, evidence: Gathered, anchor: Anchor) -> list[EventRow]:
    """The lines of the run's logs around its first failure, as events at the times that they say: those that speak of
    trouble before others, the nearest first. None where nothing failed or no line says a time."""
    at_ns = first_bad(evidence)
    if at_ns is None:
        return []
    near = [each for path in sorted(logs.glob("*.log")) for each in _nearest(path, unix_ns(anchor, at_ns))]
    chosen = sorted(near, key=_rank)[:MOST_IN_ALL]
    rows = [
        EventRow(at_ns=at_ns + offset_ns, kind=LOG_LINE, subject=name, message=line) for offset_ns, name, line in chosen
    ]
    return sorted(rows, key=lambda row: row.at_ns)


def cut(logs: Path) -> Iterator[Message]:
    """Cuts each log that is larger than ``LOG_BYTES``, and says so: what a target writes must not fill the disk.

    Whoever writes it goes on behind what was kept, for logs are opened to append.
    """
    for path in logs.glob("*.log"):
        if path.lstat().st_size > LOG_BYTES:
            with path.open("rb") as before, path.open("ab") as after:
                before.seek(-KEPT_BYTES, os.SEEK_END)
                end = before.read(KEPT_BYTES)
                after.truncate(0)
                after.write(end)
            mib = {"name": path.name, "mib": str(LOG_BYTES // 2**20), "kept": str(KEPT_BYTES // 2**20)}
            yield message("{name} was larger than {mib} MiB: all but its last {kept} MiB was removed", **mib)


_Near = tuple[int, str, str]


def _rank(each: _Near) -> tuple[bool, int]:
    return _TROUBLE.search(each[2]) is None, abs(each[0])


def _nearest(path: Path, at_unix_ns: int) -> list[_Near]:
    """The lines of one file: how long after the failure in ns, the file's name, the line."""
    near = ((unix - at_unix_ns, path.name, line) for unix, line in _timed(_tail(path)))
    return sorted((each for each in near if abs(each[0]) <= NEAR_S * NS), key=_rank)[:MOST_OF_A_FILE]


def _tail(path: Path) -> Iterable[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MOST_BYTES))
            return file.read().splitlines()
    except OSError:
        return ()


def _timed(lines: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """Each line that says a time, with that in ns since 1970; a time without a zone is UTC, as all parts log."""
    for raw in lines:
        line = raw.decode(errors="replace")
        if found := _TIME.search(line[:LETTERS]):
            try:
                at = datetime.fromisoformat(found[0])
            except ValueError:
                continue
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            yield int(at.timestamp() * NS), line[:LETTERS]
