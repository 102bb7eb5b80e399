"""What a schedule holds: every request and probe that is due in a stretch of a run, whatever came of it."""

from __future__ import annotations

import msgspec

from harness.model.evidence import Operation


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One planned call. ``id`` is that of its row: a request's operation id, ``probe_call`` of a probe's number.

    ``operation`` is what a request is to do; ``None`` where the schedule does not say it, and of a probe.
    """

    id: str
    user: str
    due_ns: int
    operation: Operation | None = None


class DueList(msgspec.Struct, frozen=True, kw_only=True):
    """The requests to the API and the probes, each in the order in which they are due."""

    requests: tuple[Due, ...]
    probes: tuple[Due, ...]


#: Where nobody knows what is due.
NOTHING_DUE = DueList(requests=(), probes=())


def probe_call(number: int) -> str:
    """The id of a probe among calls; no operation id looks like it."""
    return f"probe {number}"
