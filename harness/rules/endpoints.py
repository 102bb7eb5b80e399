"""The Service's endpoints over time, from the stack's own events. Pure; rows are in the order they were seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from harness.base.ticks import NS
from harness.model.evidence import EventRow


def endpoints_reached_s(rows: Iterable[EventRow], since_ns: int, wanted: Callable[[int], bool]) -> float | None:
    """Seconds from ``since_ns`` until the Service first had a wanted number of endpoints; ``None`` when never."""
    for at_ns, count in endpoints(rows):
        if at_ns >= since_ns and wanted(count):
            return (at_ns - since_ns) / NS
    return None


def endpoints_now(rows: Sequence[EventRow]) -> tuple[str, ...]:
    """The pods that the Service leads to, by the last row that tells."""
    for row in reversed(rows):
        if row.kind == "component" and row.subject == "service" and "pods" in row.data:
            return tuple(row.data["pods"])
    return ()


def most_endpoints(rows: Iterable[EventRow], since_ns: int, until_ns: int) -> int:
    """The most endpoints at once in the time."""
    counts = [count for at_ns, count in endpoints(rows) if since_ns <= at_ns < until_ns]
    return max(counts, default=0)


def endpoints(rows: Iterable[EventRow]) -> Iterator[tuple[int, int]]:
    """When the Service's endpoints changed, and how many there were then."""
    for row in rows:
        if row.kind == "component" and row.subject == "service" and "pods" in row.data:
            yield row.at_ns, len(row.data["pods"])
