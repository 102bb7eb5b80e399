"""Where the pods of the Service were: by node and by zone, from the cluster's own events. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.model.evidence import EventRow
from harness.rules.endpoints import endpoints_now


def zones(rows: Iterable[EventRow]) -> dict[str, str]:
    """Zone by node, as the cluster told."""
    return {row.data["node"]: row.data["zone"] for row in rows if row.data.get("zone")}


def placement(rows: Iterable[EventRow], at_ns: int) -> dict[str, str]:
    """Zone by pod, of the pods that were endpoints at the moment; "" where the node's zone is not known."""
    until = [row for row in rows if row.at_ns <= at_ns]
    by_node = zones(until)
    return {pod: by_node.get(node, "") for pod, node in nodes_of(until, endpoints_now(until)).items()}


def nodes(rows: Iterable[EventRow], at_ns: int) -> dict[str, str]:
    """Node by pod, of the pods that were endpoints at the moment; "" where the cluster did not tell."""
    until = [row for row in rows if row.at_ns <= at_ns]
    return nodes_of(until, endpoints_now(until))


def nodes_of(rows: Iterable[EventRow], pods: Iterable[str]) -> dict[str, str]:
    """Node by pod; "" where the cluster did not tell."""
    known = {row.subject: row.data["node"] for row in rows if row.kind == "pod" and row.data.get("node")}
    return {pod: known.get(pod, "") for pod in pods}


def fullest(placed: Mapping[str, str]) -> str:
    """The zone (or node) with the most pods, the first by name of equals; "" without any."""
    counts = {zone: list(placed.values()).count(zone) for zone in placed.values() if zone}
    return min(counts, key=lambda zone: (-counts[zone], zone), default="")
