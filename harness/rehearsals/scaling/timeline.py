"""The moments that the page lists: the parts, the autoscaler's status and decisions, nodes, endpoints, faults, logs."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from harness.clock import NS
from harness.model.evidence import EventRow
from harness.model.message import Told
from harness.rehearsals.scaling.types import Moment

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
_KINDS = ("phase", "fault", "autoscaler", "node", "log")


def timeline(rows: Iterable[EventRow], origin_ns: int) -> tuple[Moment, ...]:
    """In seconds from ``origin_ns``, the first of each repetition; at most ``MOST``."""
    found: list[Moment] = []
    told: dict[str, str] = {}
    for row in rows:
        if _listed(row) and told.get(row.subject) != row.message:
            told[row.subject] = row.message
            found.append(
                Moment(
                    at_s=round((row.at_ns - origin_ns) / NS, 1),
                    kind=row.kind,
                    subject=row.subject,
                    message=row.message,
                    told=msgspec.convert(row.data.get("told", ()), Told),
                )
            )
    return tuple(found[:MOST])


def _listed(row: EventRow) -> bool:
    if row.kind == "kubernetes":
        return row.data.get("reason") in _REASONS
    about = row.kind == "component" and (row.subject == "service" or row.subject.startswith(("hpa/", "node/")))
    return about or row.kind in _KINDS
