"""The decisions of a HorizontalPodAutoscaler, as its events tell them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from harness.model.evidence import EventRow

_RESIZE = re.compile(r"New size: (\d+); reason: (.*?)(?: \(\d+ times\))?$")


class Resize(msgspec.Struct, frozen=True, kw_only=True):
    """A decision of the autoscaler, as its event tells it."""

    at_ns: int
    size: int
    reason: str


def resizes(rows: Iterable[EventRow], since_ns: int) -> list[Resize]:
    """The autoscaler's decisions since, in order."""
    found = []
    for row in rows:
        told = _RESIZE.search(row.message) if row.kind in {"autoscaler", "kubernetes"} else None
        if told is not None and row.at_ns >= since_ns:
            found.append(Resize(at_ns=row.at_ns, size=int(told[1]), reason=told[2]))
    return found
