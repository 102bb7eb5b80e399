"""Mirror writes that an outage of Firestore lost: each has to be in a pod's log, and is counted. Pure.

Source: データ同期戦略, list 1, item 3: "Firestore書き込み失敗はログ記録のみ（非クリティカル）".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from harness.base.clock import NS
from harness.base.theirs import read_json
from harness.checks.dual_write import DocumentFlaw, StoreDifference
from harness.checks.reconciled import FIRESTORE, Outage, near
from harness.model.judgement import Verdict
from harness.model.message import Told, message

_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: What a line has to speak of: ours says "Mirror write failed", another's names the store.
_MIRROR = (b"mirror", b"firestore")
#: Cloud Logging's severities from which a line tells of a failure.
_FAILURES = frozenset({"ERROR", "CRITICAL", "ALERT", "EMERGENCY"})
#: A line is of the last write when it is no more than this older: PostgreSQL's clock may be another than the pod's.
_EARLIER_NS = NS


class _Line(msgspec.Struct):
    severity: str = ""
    message: str = ""
    timestamp: str = ""
    time: str = ""  # the other name that Cloud Logging reads


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """The failures in the pods' logs that name a walk: how many lines, and of each walk, in lower case, when the last
    was written, in ns of UTC; ``None`` when a line does not say.
    """

    failures: int
    walks: Mapping[str, int | None]


class Losses(msgspec.Struct, frozen=True, kw_only=True):
    """``lost`` walks have no or an old document by an outage of Firestore; ``unlogged`` of them are in no pod's log."""

    lost: tuple[str, ...]
    unlogged: tuple[str, ...]
    failures: int


def logged(lines: Iterable[bytes]) -> Logged:
    """The structured lines of a severity of ``_FAILURES`` that speak of the mirror and hold a walk's id, wherever the
    target puts it. A photo's lost removal names its walk too, and is none.
    """
    failures, walks = 0, dict[str, int | None]()
    for line in lines:
        named = {found.decode().lower() for found in _UUID.findall(line)}
        if named and any(word in line.lower() for word in _MIRROR) and (read := _failure(line)) is not None:
            failures += 1
            at_ns = _utc_ns(read.timestamp or read.time)
            walks |= {walk: _later(walks.get(walk, 0), at_ns) for walk in named}
    return Logged(failures=failures, walks=walks)


def structured(lines: Iterable[bytes]) -> bool:
    """Whether one of the lines at least is a record of the log, with a severity and a message."""
    read = (read_json(line, _Line) for line in lines)
    return any(each is not None and each.severity and each.message for each in read)


def by_firestore(
    explained: Iterable[tuple[StoreDifference, str]], written_ns: Mapping[str, int], outages: Sequence[Outage]
) -> dict[str, int]:
    """Of the differences that an outage explains, the walks that nothing but Firestore's can have lost, and when each
    was written last, of ``written_ns``; 0 of a deleted one, of which only its phone knows, and as late as its answer.

    A killed pod logs nothing: where one may have taken its queue along, no line is asked for.
    """
    lost = {}
    for finding, _ in explained:
        at_ns = written_ns[finding.walk_id]
        if all(FIRESTORE in each.what for each in outages if near(each, at_ns)):
            lost[finding.walk_id.lower()] = 0 if finding.flaw is DocumentFlaw.EXTRA else at_ns
    return dict(sorted(lost.items()))


def losses(lost: Mapping[str, int], told: Logged) -> Losses:
    """``lost`` as ``by_firestore`` gives them, in UTC. An earlier failure of the same walk tells of another write."""
    unlogged = tuple(walk for walk, at_ns in lost.items() if not _names(told, walk, at_ns))
    return Losses(lost=tuple(lost), unlogged=unlogged, failures=told.failures)


def judged(found: Losses) -> tuple[Verdict, Told]:
    """The verdict of a run in which Firestore had an outage, with its reason."""
    told = message(
        "{failures} failed mirror writes are in the pods' logs; {lost} walks lack their last write by an outage of "
        "Firestore, {unlogged} of them named in no log",
        failures=str(found.failures),
        lost=str(len(found.lost)),
        unlogged=str(len(found.unlogged)),
    )
    if found.unlogged:
        return Verdict.FAIL, (told,)
    return (Verdict.PASS if found.failures else Verdict.NOT_EXERCISED), (told,)


def _names(told: Logged, walk: str, at_ns: int) -> bool:
    if walk not in told.walks:
        return False
    logged_ns = told.walks[walk]
    return logged_ns is None or logged_ns >= at_ns - _EARLIER_NS


def _later(one_ns: int | None, other_ns: int | None) -> int | None:
    return None if one_ns is None or other_ns is None else max(one_ns, other_ns)


def _failure(line: bytes) -> _Line | None:
    read = read_json(line, _Line)  # none of the target's own output that is no record of the log
    return read if read is not None and read.severity.upper() in _FAILURES else None


def _utc_ns(text: str) -> int | None:
    """To the microsecond."""
    try:
        return round(datetime.fromisoformat(text).timestamp() * 10**6) * 1000
    except ValueError:
        return None
