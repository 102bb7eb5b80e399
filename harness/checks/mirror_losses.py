"""Mirror writes that an outage of Firestore lost: each has to be in a pod's log, and is counted. Pure.

Source: データ同期戦略, list 1, item 3: "Firestore書き込み失敗はログ記録のみ（非クリティカル）".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.checks.dual_write import Finding
from harness.checks.reconciled import FIRESTORE, Outage, near
from harness.model.message import Told, message
from harness.model.verdict import Verdict

_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: What a line has to speak of: ours says "Mirror write failed", another's names the store.
_MIRROR = (b"mirror", b"firestore")
#: Cloud Logging's severities from which a line tells of a failure.
_FAILURES = frozenset({"ERROR", "CRITICAL", "ALERT", "EMERGENCY"})


class _Line(msgspec.Struct):
    severity: str = ""


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """The failures in the pods' logs that name a walk: how many lines, and which walks, in lower case."""

    failures: int
    walks: frozenset[str]


class Losses(msgspec.Struct, frozen=True, kw_only=True):
    """``lost`` walks have no or an old document by an outage of Firestore; ``unlogged`` of them are in no pod's log."""

    lost: tuple[str, ...]
    unlogged: tuple[str, ...]
    failures: int


def logged(lines: Iterable[bytes]) -> Logged:
    """The structured lines of a severity of ``_FAILURES`` that speak of the mirror and hold a walk's id, wherever the
    target puts it. A photo's lost removal names its walk too, and is none.
    """
    failures, walks = 0, set[str]()
    for line in lines:
        named = {found.decode().lower() for found in _UUID.findall(line)}
        if named and any(word in line.lower() for word in _MIRROR) and _fails(line):
            failures += 1
            walks |= named
    return Logged(failures=failures, walks=frozenset(walks))


def by_firestore(
    explained: Iterable[tuple[Finding, str]], written_ns: Mapping[str, int], outages: Sequence[Outage]
) -> tuple[str, ...]:
    """Of the differences that an outage explains, the walks that nothing but Firestore's can have lost.

    A killed pod logs nothing: where one may have taken its queue along, no line is asked for.
    """
    lost = set()
    for finding, _ in explained:
        at_ns = written_ns[finding.walk_id]
        if all(FIRESTORE in each.what for each in outages if near(each, at_ns)):
            lost.add(finding.walk_id.lower())
    return tuple(sorted(lost))


def losses(lost: Sequence[str], told: Logged) -> Losses:
    """``lost`` as ``by_firestore`` gives them."""
    unlogged = tuple(walk for walk in lost if walk not in told.walks)
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


def _fails(line: bytes) -> bool:
    try:
        return msgspec.json.decode(line, type=_Line).severity.upper() in _FAILURES
    except msgspec.DecodeError:
        return False  # the target's own output, not a record of the log
