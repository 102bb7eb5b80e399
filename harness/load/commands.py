"""What the harness says to a load process on its standard input: ``go <origin_monotonic_ns>``, then ``stop``.

The end of the input means ``stop`` too, so that a killed harness leaves no load behind.
"""

from __future__ import annotations

import msgspec

from harness.base.errors import MeasurementFailed

#: How long an admitted process waits for ``go``.
GO_LIMIT_S = 600.0


class Go(msgspec.Struct, frozen=True):
    """Start the schedule; its offsets count from ``origin_ns``."""

    origin_ns: int


class Stop(msgspec.Struct, frozen=True):
    """Finish what is under way and end."""


def not_told() -> MeasurementFailed:
    """Nothing came in ``GO_LIMIT_S``."""
    return MeasurementFailed(f"signed in, but not told to go within {GO_LIMIT_S:g} s", where="standard input")


def parse(line: bytes) -> Go | Stop:
    """One line; an empty one is the end of the input. Raises ``MeasurementFailed``."""
    words = line.split()
    if not words or words == [b"stop"]:
        return Stop()
    if len(words) == 2 and words[0] == b"go" and words[1].isdigit():
        return Go(int(words[1]))
    raise MeasurementFailed(f"not a command: {line[:80]!r}", where="standard input", remedy="go <monotonic ns> | stop")
