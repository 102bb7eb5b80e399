"""Did a new connection reach a pod that had left the endpoints? Pure.

Each probe makes a connection of its own, so the pod that answered it was chosen when it was sent. Users keep their
connections, as phones do, and those stay with a pod that left until one side ends them: they are not looked at.

A probe that got no answer names no pod. It may have gone to one that had left only when little else can explain it:
a pod had left not long before, the service had another one all the time, the probes just before and just after it were
answered promptly, no fault was at work, and no other pod left just then, which may still be given connections. So what
breaks the service as a whole (a lock in the database, a crowded machine) does not count, nor do pods that are replaced
one after the other and end at once, and of many in a row that a departed pod swallowed none does: the check may miss
some, and it never knows.

Where a probe went was chosen between its sending and its answer: one that was answered by a pod which came back
meanwhile, or whose coming back was told moments after the answer, accuses nobody.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from harness.base.ticks import NS
from harness.checks.reconciled import INJECTED, UNDONE, Outage, ended_containers, near, stretches
from harness.model.evidence import EventRow, Outcome, ProbeRow
from harness.model.judgement import outcome_word
from harness.model.message import Message, Told, message
from harness.model.stack import FaultKind

#: So long after a pod left the endpoints it may still be given new connections (kube-proxy follows the EndpointSlice).
LIMIT_S = 2.0
#: kube-proxy may know of a pod's return, or of its end, before the watch that tells it does.
TOLD_LATE_S = 1.0
#: So long after a pod left, a probe without an answer is looked at.
LOOK_S = 30.0
#: A prompt answer, and how far apart neighbouring probes may be.
PROMPT_S, APART_S = 1.0, 2.0
_SILENT = frozenset({Outcome.TIMEOUT, Outcome.REFUSED, Outcome.BROKEN})
#: Over when they are injected: what is undone is nothing, and the pod that they took is one that left.
_AT_ONCE = frozenset({FaultKind.POD_KILL, FaultKind.POD_DELETE})


class NewConnections(msgspec.Struct, frozen=True, kw_only=True):
    """``probes`` whose pod is known, ``left`` departures from the endpoints; probes that a departed pod answered, and
    whether it ``could`` have answered any: one was sent while it was outside.

    ``silent`` probes got no answer; a departed pod may have kept those of ``perhaps``.
    """

    probes: int
    left: int
    could: bool
    late: Told
    silent: int
    perhaps: Told

    @property
    def told(self) -> Told:
        """All counts, for people."""
        counts = message(
            "{probes} new connections, pods left the endpoints {left} times: {late} went to one that had left "
            "{limit} s before (users' kept connections are exempt)",
            probes=f"{self.probes:,}",
            left=f"{self.left:,}",
            late=f"{len(self.late):,}",
            limit=f"{LIMIT_S:g}",
        )
        told = [counts]
        if self.left and self.probes and not self.could:
            told.append(message("none was made later than {limit} s after a pod had left", limit=f"{LIMIT_S:g}"))
        if not self.silent:
            return tuple(told)
        silent = message(
            "{silent} probes got no answer, which names no pod: {perhaps} of them may have gone to one that had left",
            silent=str(self.silent),
            perhaps=str(len(self.perhaps)),
        )
        return (*told, silent)


def new_connections(events: Sequence[EventRow], probes: Iterable[ProbeRow]) -> NewConnections:
    """``events`` of the service carry the names of all pods behind it."""
    behind = _Behind(events)
    sent = sorted(probes, key=lambda probe: probe.sent_ns)
    known = [probe for probe in sent if probe.pod]
    late = [
        message("probe {probe}: {pod}, {seconds} s after it left", pod=probe.pod, **_which(probe, left_ns))
        for probe in known
        if (left_ns := behind.left(probe.pod, probe.sent_ns)) is not None
        and probe.sent_ns - left_ns > round(LIMIT_S * NS)
        and not behind.joined(probe.pod, probe.sent_ns, probe.done_ns + round(TOLD_LATE_S * NS))
    ]
    could = any(
        probe.sent_ns - left_ns > round(LIMIT_S * NS) for probe in known for left_ns, _ in behind.outside(probe.sent_ns)
    )
    return NewConnections(
        probes=len(known),
        left=behind.departures,
        could=could,
        late=tuple(late),
        silent=sum(map(_silent, sent)),
        perhaps=tuple(_perhaps(sent, behind, _disturbed(events, sent))),
    )


class _Behind:
    """The pods behind the service in the course of a run."""

    def __init__(self, events: Iterable[EventRow]) -> None:
        self._joined: defaultdict[str, list[int]] = defaultdict(list)
        self._left: defaultdict[str, list[int]] = defaultdict(list)
        self._none: list[tuple[int, int | None]] = []  # stretches without any
        behind: set[str] = set()
        for event in sorted(events, key=lambda event: event.at_ns):
            if event.kind != "component" or event.subject != "service" or "pods" not in event.data:
                continue
            pods = set(event.data["pods"])
            for pod in pods - behind:
                self._joined[pod].append(event.at_ns)
            for pod in behind - pods:
                self._left[pod].append(event.at_ns)
            if pods and self._none and self._none[-1][1] is None:
                self._none[-1] = (self._none[-1][0], event.at_ns)
            elif behind and not pods:
                self._none.append((event.at_ns, None))
            behind = pods

    @property
    def departures(self) -> int:
        """How often a pod left."""
        return sum(map(len, self._left.values()))

    def left(self, pod: str, at_ns: int) -> int | None:
        """When the pod had left, if it was outside at ``at_ns``."""
        left = self._left[pod]
        place = bisect_right(left, at_ns)
        if place == 0:
            return None
        left_ns = left[place - 1]
        return None if any(left_ns < again <= at_ns for again in self._joined[pod]) else left_ns

    def joined(self, pod: str, from_ns: int, to_ns: int) -> bool:
        """Whether the pod joined in that time."""
        return any(from_ns < at_ns <= to_ns for at_ns in self._joined[pod])

    def leaving(self, at_ns: int) -> bool:
        """Whether a pod left so shortly before ``at_ns`` that it may get new connections, or is told so just after."""
        from_ns, to_ns = at_ns - round(LIMIT_S * NS), at_ns + round(TOLD_LATE_S * NS)
        return any(from_ns <= left_ns <= to_ns for left in self._left.values() for left_ns in left)

    def outside(self, at_ns: int) -> list[tuple[int, str]]:
        """Every pod that had left and was outside at ``at_ns``, with the time; the last to leave first."""
        found = [(left_ns, pod) for pod in list(self._left) if (left_ns := self.left(pod, at_ns)) is not None]
        return sorted(found, reverse=True)

    def always(self, from_ns: int, to_ns: int) -> bool:
        """Whether the service had a pod all that time."""
        return all(begun_ns > to_ns or (end_ns is not None and end_ns < from_ns) for begun_ns, end_ns in self._none)


def _perhaps(sent: Sequence[ProbeRow], behind: _Behind, disturbed: Sequence[Outage]) -> Iterable[Message]:
    """Probes without an answer that nothing explains but a pod that had left; ``sent`` in that order."""
    for (before, probe), (_, after) in pairwise(pairwise(sent)):
        if not _silent(probe) or not (_prompt(before, probe) and _prompt(after, probe)):
            continue
        if any(near(each, at_ns) for each in disturbed for at_ns in (probe.sent_ns, probe.done_ns)):
            continue
        if behind.leaving(probe.sent_ns):
            continue
        for left_ns, pod in behind.outside(probe.sent_ns):
            since_s = (probe.sent_ns - left_ns) / NS
            if LIMIT_S < since_s <= LOOK_S and behind.always(left_ns, probe.done_ns):
                how: dict[str, str | Message] = {"outcome": outcome_word(probe.outcome), "pod": pod}
                yield message("probe {probe}: {outcome}, {seconds} s after {pod} left", **how, **_which(probe, left_ns))
                break


def _which(probe: ProbeRow, left_ns: int) -> dict[str, str]:
    return {"probe": str(probe.probe_id), "seconds": f"{(probe.sent_ns - left_ns) / NS:.1f}"}


def _silent(probe: ProbeRow) -> bool:
    return probe.outcome in _SILENT


def _prompt(other: ProbeRow, probe: ProbeRow) -> bool:
    """Whether a pod answered the neighbour of ``probe`` as if nothing were wrong with the service."""
    took_ns, apart_ns = other.done_ns - other.sent_ns, abs(other.sent_ns - probe.sent_ns)
    return other.good and bool(other.pod) and took_ns <= round(PROMPT_S * NS) and apart_ns <= round(APART_S * NS)


def _disturbed(events: Sequence[EventRow], sent: Sequence[ProbeRow]) -> list[Outage]:
    """Every fault of whatever kind while it lasted, and containers that ended."""
    end_ns = max((probe.done_ns for probe in sent), default=0)
    moments = [
        Outage(from_ns=event.at_ns, to_ns=event.at_ns, what=event.message)
        for event in events
        if event.kind == "fault" and _is_moment(event)
    ]
    return [*stretches(events, end_ns, lambda event: not _is_moment(event)), *moments, *ended_containers(events)]


def _is_moment(event: EventRow) -> bool:
    """Of a fault: one that is over when it is injected, or a step of a disaster, which is told with no undoing."""
    if event.message.startswith(INJECTED):
        return event.subject in _AT_ONCE
    return not event.message.startswith(UNDONE)
