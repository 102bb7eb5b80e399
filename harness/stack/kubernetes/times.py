"""The API server's time stamps on the run's one clock, and its durations."""

from __future__ import annotations

import re
from datetime import datetime

from harness.base.clock import NS, Anchor


def monotonic_ns(anchor: Anchor, stamp: str) -> int:
    """An RFC 3339 time stamp of the cluster, whose clock is this machine's."""
    return anchor.monotonic_ns + int(datetime.fromisoformat(stamp).timestamp() * NS) - anchor.unix_ns


_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_TERM = re.compile(r"([0-9.]+)(h|ms|m|s|us|µs|ns)")


def duration_s(text: str) -> float:
    """A duration as Go writes it (``"1m30.5s"``, ``"98ms"``), in seconds. Raises ``ValueError``."""
    terms = _TERM.findall(text)
    if not terms or "".join(number + unit for number, unit in terms) != text:
        raise ValueError(f"{text!r} is not a duration, for example '1m30.5s'")
    return sum(float(number) * _UNITS_S[unit] for number, unit in terms)
