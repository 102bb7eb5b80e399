"""The API server's time stamps on the run's one clock."""

from __future__ import annotations

from datetime import datetime

from harness.base.clock import NS, Anchor


def monotonic_ns(anchor: Anchor, stamp: str) -> int:
    """An RFC 3339 time stamp of the cluster, whose clock is this machine's."""
    return anchor.monotonic_ns + int(datetime.fromisoformat(stamp).timestamp() * NS) - anchor.unix_ns
