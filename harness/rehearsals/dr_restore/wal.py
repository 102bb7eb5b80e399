"""WAL seen from outside the server: segment names, gaps, and the commits that ``pg_waldump`` reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from harness.stack.site import Site

SEGMENT = re.compile(r"^[0-9A-F]{24}$")
_COMMIT = re.compile(
    r"tx:\s*(\d+), lsn: ([0-9A-F]+/[0-9A-F]+), .*desc: COMMIT (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC"
)
_BROKEN_AT = re.compile(r"(?:error in WAL record at|could not find a valid record after) ([0-9A-F]+/[0-9A-F]+)")


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction's commit record; ``at`` is PostgreSQL's own commit time, UTC to the microsecond."""

    xid: int
    lsn: str
    at: datetime


class Continuity(msgspec.Struct, frozen=True, kw_only=True):
    """The segments at hand from a backup's first on: the unbroken ones, those missing before the last, those behind."""

    unbroken: tuple[str, ...]
    missing: tuple[str, ...]
    beyond: tuple[str, ...]


def lsn_number(lsn: str) -> int:
    """``"1/A0"`` as a byte position."""
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def segment_of(lsn: str, timeline: int, segment_bytes: int) -> str:
    """The name of the segment that holds ``lsn`` (``XLogFileName``)."""
    return segment_name(lsn_number(lsn) // segment_bytes, timeline, segment_bytes)


def segment_name(number: int, timeline: int, segment_bytes: int) -> str:
    """The name of segment ``number``: timeline, then high and low part, eight hexadecimal digits each."""
    each = (1 << 32) // segment_bytes
    return f"{timeline:08X}{number // each:08X}{number % each:08X}"


def segment_number(name: str, segment_bytes: int) -> int:
    """The reverse of ``segment_name``, without the timeline."""
    return int(name[8:16], 16) * ((1 << 32) // segment_bytes) + int(name[16:24], 16)


def continuity(names: Iterable[str], first: str, segment_bytes: int) -> Continuity:
    """What of ``names`` can be replayed from segment ``first`` on: replay ends at the first gap."""
    timeline = int(first[:8], 16)
    start = segment_number(first, segment_bytes)
    known = {segment_number(n, segment_bytes) for n in names if SEGMENT.match(n) and n[:8] == first[:8]}
    last = max((n for n in known if n >= start), default=start - 1)
    end = start
    while end in known:
        end += 1

    def named(numbers: Iterable[int]) -> tuple[str, ...]:
        return tuple(segment_name(n, timeline, segment_bytes) for n in numbers)

    return Continuity(
        unbroken=named(range(start, end)),
        missing=named(n for n in range(end, last + 1) if n not in known),
        beyond=named(n for n in range(end, last + 1) if n in known),
    )


class WalRead(msgspec.Struct, frozen=True, kw_only=True):
    """What ``pg_waldump`` read: commits in WAL order, and where it could read no further (``""``: to the end)."""

    commits: tuple[Commit, ...]
    broken_at: str


async def read_commits(site: Site, folder: Path, first: str, last: str) -> WalRead:
    """Reads segments ``first``..``last`` of ``folder``. A tail that was never written ends it too, as in recovery."""
    done = await site.tool("pg_waldump", "-p", str(folder), "-r", "Transaction", first, last, check=False)
    commits = tuple(
        Commit(xid=int(xid), lsn=lsn, at=datetime.fromisoformat(at).replace(tzinfo=UTC))
        for xid, lsn, at in _COMMIT.findall(done.out)
    )
    return WalRead(commits=commits, broken_at=_first(_BROKEN_AT.findall(done.err)))


def damaged_segment(read: WalRead, unbroken: Sequence[str], segment_bytes: int) -> str:
    """The segment in which reading ended before the last of ``unbroken``; ``""`` when it reached that one.

    The last segment ends where the server was, so an end inside it is no damage.
    """
    if not read.broken_at or not unbroken:
        return ""
    name = segment_of(read.broken_at, int(unbroken[0][:8], 16), segment_bytes)
    return name if name < unbroken[-1] else ""


def _first(found: list[str]) -> str:
    return found[0] if found else ""
