"""The frame of a load process: reads its plan, opens its spool, hears the harness, tells how it ended.

On its standard input the harness says ``go <origin_monotonic_ns>``. The end of the input means: finish what is under
way and end. So a killed harness leaves no load behind.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from harness.base.errors import BadInput, EvidenceNotWritten, MeasurementFailed, RehearsalError
from harness.load import errors
from harness.load.plan import ProcessPlan, read
from harness.load.recorder import Recorder
from harness.load.rest import be_ahead

#: How long an admitted process waits for ``go``.
GO_LIMIT_S = 600.0

P = TypeVar("P", bound=ProcessPlan)


def run(name: str, arguments: list[str], kind: type[P], work: Callable[[P, Recorder], None]) -> int:
    """Does ``work`` with the plan, of ``kind``, that ``arguments`` name, and returns the exit status (``errors``).

    What went wrong goes to the standard error in words. Whatever ``work`` raises is an error of the measurement: a bug
    of ours is never a failure of the target.
    """
    if len(arguments) != 1:
        return _told(name, BadInput("give the plan's file"), errors.BAD_PLAN)
    try:
        plan = read(Path(arguments[0]), kind)
        be_ahead(plan.clock_ahead_ns)
        recorder = Recorder(Path(plan.spool))
    except BadInput as error:
        return _told(name, error, errors.BAD_PLAN)
    except EvidenceNotWritten as error:
        return _told(name, error, errors.EVIDENCE)
    try:
        work(plan, recorder)
        recorder.close()
    except EvidenceNotWritten as error:
        with contextlib.suppress(EvidenceNotWritten):
            recorder.close()  # once more: what the disk takes now is not lost
        return _told(name, error, errors.EVIDENCE)
    except Exception as error:
        if not isinstance(error, RehearsalError):
            traceback.print_exc()
        with contextlib.suppress(EvidenceNotWritten):
            recorder.event("measurement_error", name, str(error) or type(error).__name__)
            recorder.close()
        return _told(name, error, errors.MEASUREMENT)
    return errors.OK


def _told(name: str, error: Exception, status: int) -> int:
    with contextlib.suppress(OSError):  # the log is on the full disk
        sys.stderr.write(f"{name}: {error}\n")
        sys.stderr.flush()
    return status


def not_told() -> MeasurementFailed:
    """Nothing came in ``GO_LIMIT_S``."""
    return MeasurementFailed(f"signed in, but not told to go within {GO_LIMIT_S:g} s", where="standard input")


def origin_of(line: bytes) -> int:
    """What the schedule's offsets count from (monotonic ns). Raises ``MeasurementFailed`` for what is no command."""
    words = line.split()
    if len(words) == 2 and words[0] == b"go" and words[1].isdigit():
        return int(words[1])
    raise MeasurementFailed(f"not a command: {line[:80]!r}", where="standard input", remedy="go <monotonic ns>")
