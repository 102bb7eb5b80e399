"""The moments that the page lists: the parts, the autoscaler's status and decisions, nodes, endpoints, faults, logs."""

from __future__ import annotations

from collections.abc import Sequence

from harness.base.ticks import NS
from harness.model.evidence import EventRow, told_of
from harness.model.judgement import KIND, subject_of
from harness.model.message import message
from harness.model.section import Mark, Timeline

#: The moments that are listed.
MOST = 400
#: Of Kubernetes' own events, those that tell of sizes and nodes; each container that was pulled is in the evidence.
_REASONS = (
    "SuccessfulRescale",
    "ScalingReplicaSet",
    "FailedScheduling",
    "NodeNotReady",
    "NodeReady",
    "TaintManagerEviction",
    "Evicted",
    "FailedGetResourceMetric",
    "BackOff",
    "Killing",
)
_KINDS = frozenset({"phase", "fault", "autoscaler", "node", "log", "component", "kubernetes"})


def timeline(rows: Sequence[EventRow], origin_ns: int) -> Timeline:
    """In seconds from ``origin_ns``, the first of each repetition; at most ``MOST``."""
    found: list[Mark] = []
    told: dict[str, str] = {}
    for row in rows:
        if _listed(row) and told.get(row.subject) != row.message:
            told[row.subject] = row.message
            found.append(
                Mark(
                    at=round((row.at_ns - origin_ns) / NS, 1),
                    kind=row.kind,
                    word=KIND[row.kind],
                    subject=subject_of(row),
                    said=told_of(row),
                )
            )
    last_ns = max((row.at_ns for row in rows), default=origin_ns)
    return Timeline(
        title=message("Timeline"),
        seconds=max(0.0, (last_ns - origin_ns) / NS),
        marks=tuple(found[:MOST]),
        marks_in_all=len(found),
        note=(message("Everything else, including every sample of pods and nodes, is in the evidence"),),
    )


def _listed(row: EventRow) -> bool:
    if row.kind == "kubernetes":
        return row.data.get("reason") in _REASONS
    about = row.subject == "service" or row.subject.startswith(("hpa/", "node/"))
    return about if row.kind == "component" else row.kind in _KINDS
