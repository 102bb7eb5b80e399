"""What the harness says to a load process on its standard input: ``go <origin_monotonic_ns>``. Its end means: finish
what is under way and end. So a killed harness leaves no load behind.
"""

from __future__ import annotations

from harness.base.errors import MeasurementFailed

#: How long an admitted process waits for ``go``.
GO_LIMIT_S = 600.0


def not_told() -> MeasurementFailed:
    """Nothing came in ``GO_LIMIT_S``."""
    return MeasurementFailed(f"signed in, but not told to go within {GO_LIMIT_S:g} s", where="standard input")


def origin_of(line: bytes) -> int:
    """What the schedule's offsets count from (monotonic ns). Raises ``MeasurementFailed`` for what is no command."""
    words = line.split()
    if len(words) == 2 and words[0] == b"go" and words[1].isdigit():
        return int(words[1])
    raise MeasurementFailed(f"not a command: {line[:80]!r}", where="standard input", remedy="go <monotonic ns>")
