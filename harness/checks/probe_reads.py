"""Do probes' answers show what canaries put? A canary's PUTs are alike, so ``updated_at`` tells them apart. Pure.

Nothing is assumed of ``updated_at`` but that each PUT is answered with its own: a GET that shows that of a PUT which a
later one had replaced before the GET was sent shows an old walk. Neither clock nor order of the times counts. A GET
that shows what no PUT was answered with cannot be told old from new, nor can one of a PUT that was answered with the
time of the PUT before it: such a GET is judged on all else, and has nothing to show.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import accumulate

import msgspec

from harness.checks.reads import Flaw, Reads, WrongRead
from harness.model.evidence import ProbeRow
from harness.model.shown import ShownWalk, parse

_NOT_FOUND = 404


def judge_probes(probes: Iterable[ProbeRow], contents: Mapping[str, str], found: Reads) -> None:
    """Adds to ``found``. ``contents`` by canary: the fingerprint of what it puts, which has no location."""
    by_user: defaultdict[str, dict[int, ProbeRow]] = defaultdict(dict)
    numbers = set()
    for probe in probes:
        by_user[probe.user].setdefault(probe.probe_id, probe)
        numbers.add(probe.probe_id)
    found.missing += max(numbers, default=-1) + 1 - len(numbers)
    for user, own in by_user.items():
        if user in contents:
            _Canary(list(own.values()), contents[user]).judge(found)


class _Canary:
    def __init__(self, probes: list[ProbeRow], content: str) -> None:
        self._probes = sorted(probes, key=lambda probe: probe.sent_ns)
        self._content = content
        #: PUTs that may have taken effect, and whose ``updated_at`` nobody was told.
        self._unanswered = sum(each.method == "PUT" and not each.good for each in probes)
        puts = sorted((each for each in probes if each.method == "PUT" and each.good), key=lambda put: put.done_ns)
        self._done_ns = [put.done_ns for put in puts]
        #: Of all PUTs that were acknowledged by then, when the last was sent.
        self._sent_ns = list(accumulate((put.sent_ns for put in puts), max))
        #: What each of them was answered with, and when the last PUT that was answered with it ended.
        self._versions = [walk.version if walk is not None else "" for walk in map(_walk, puts)]
        self._ended_ns = {
            version: done_ns for version, done_ns in zip(self._versions, self._done_ns, strict=True) if version
        }

    def judge(self, found: Reads) -> None:
        undated: Counter[str] = Counter()
        for probe in self._probes:
            acknowledged = bisect_right(self._done_ns, probe.sent_ns)
            absent = probe.method == "GET" and probe.status == _NOT_FOUND
            if not probe.good and not absent:
                continue
            walk = _walk(probe)
            if walk is None and not absent:
                found.unread += 1
                continue
            found.probes += 1
            flaw = self._flaw(probe, walk, acknowledged)
            if probe.method == "GET" and acknowledged:
                if flaw is None and walk is not None and walk.version not in self._ended_ns:
                    undated[walk.version] += 1
                    found.alike += 1
                elif flaw is not None or self._moved(acknowledged):
                    found.bound += 1
                    found.dated += 1
                else:
                    found.alike += 1
            if flaw is not None:
                read = f"probe {probe.probe_id} ({probe.method} of {probe.user})"
                found.wrong.append(WrongRead(read=read, walk_id=walk.id if walk is not None else "", flaw=flaw))
        if len(undated) > self._unanswered:
            found.undated += undated.total()

    def _moved(self, acknowledged: int) -> bool:
        """Whether the last PUT of so many was answered with another time than the one before: none was before one."""
        return acknowledged < 2 or self._versions[acknowledged - 1] != self._versions[acknowledged - 2]

    def _flaw(self, probe: ProbeRow, walk: ShownWalk | None, acknowledged: int) -> Flaw | None:
        if walk is None:
            return Flaw.MISSING if acknowledged else None
        if walk.content != self._content:
            return Flaw.STRANGE
        if walk.locations:
            return Flaw.LOCATIONS
        ended_ns = self._ended_ns.get(walk.version)
        if probe.method == "GET" and acknowledged and ended_ns is not None:
            return Flaw.OLD if self._sent_ns[acknowledged - 1] >= ended_ns else None
        return None


def _walk(probe: ProbeRow) -> ShownWalk | None:
    shown = parse(probe.shown)
    if shown is None or not shown.walks:
        return None
    return msgspec.structs.replace(shown.walks[0], version=_instant(shown.walks[0].version))


def _instant(version: str) -> str:
    """An ``updated_at`` as one text for each instant, to the microsecond: targets write one in several ways."""
    try:
        return datetime.fromisoformat(version).astimezone(UTC).isoformat()
    except ValueError:
        return version
