"""Did a new connection reach a pod that had left the endpoints? Pure.

Each probe makes a connection of its own, so the pod that answered it was chosen when it was sent. Users keep their
connections, as phones do, and those stay with a pod that left until one side ends them: they are not looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from harness.model.evidence import EventRow, ProbeRow
from harness.model.message import Told, message

NS = 1_000_000_000
#: So long after a pod left the endpoints it may still be given new connections (kube-proxy follows the EndpointSlice).
LIMIT_S = 2.0


class NewConnections(msgspec.Struct, frozen=True, kw_only=True):
    """``probes`` whose pod is known, ``left`` departures from the endpoints; probes that a departed pod answered."""

    probes: int
    left: int
    late: tuple[str, ...]

    @property
    def told(self) -> Told:
        """All counts, for people."""
        return (
            message(
                "{probes} new connections, pods left the endpoints {left} times: {late} went to one that had left "
                "{limit} s before (users' kept connections are exempt)",
                probes=str(self.probes),
                left=str(self.left),
                late=str(len(self.late)),
                limit=f"{LIMIT_S:g}",
            ),
        )


def new_connections(events: Iterable[EventRow], probes: Iterable[ProbeRow]) -> NewConnections:
    """``events`` of the service carry the names of all pods behind it."""
    joined: defaultdict[str, list[int]] = defaultdict(list)
    left: defaultdict[str, list[int]] = defaultdict(list)
    behind: set[str] = set()
    for event in sorted(events, key=lambda event: event.at_ns):
        if event.kind != "component" or event.subject != "service" or "pods" not in event.data:
            continue
        pods = set(event.data["pods"])
        for pod in pods - behind:
            joined[pod].append(event.at_ns)
        for pod in behind - pods:
            left[pod].append(event.at_ns)
        behind = pods
    known = [probe for probe in probes if probe.pod]
    late = [
        f"probe {probe.probe_id}: {probe.pod}, {(probe.sent_ns - left_ns) / NS:.1f} s after it left"
        for probe in known
        if (left_ns := _left(joined[probe.pod], left[probe.pod], probe.sent_ns)) is not None
        and probe.sent_ns - left_ns > round(LIMIT_S * NS)
    ]
    return NewConnections(probes=len(known), left=sum(map(len, left.values())), late=tuple(late))


def _left(joined: list[int], left: list[int], at_ns: int) -> int | None:
    """When the pod had left, if it was outside at ``at_ns``."""
    place = bisect_right(left, at_ns)
    if place == 0:
        return None
    left_ns = left[place - 1]
    return None if any(left_ns < again <= at_ns for again in joined) else left_ns
