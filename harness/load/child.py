"""The frame of a load process: reads its plan, opens its spool, tells how it ended."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from harness.base.errors import BadInput, EvidenceNotWritten, RehearsalError
from harness.load import errors
from harness.load.plan import ProcessPlan, read
from harness.load.recorder import Recorder

P = TypeVar("P")
L = TypeVar("L", bound=ProcessPlan)


def run(name: str, arguments: list[str], kind: type[L], work: Callable[[L, Recorder], None]) -> int:
    """``guarded`` with a plan of that kind."""

    def read_plan(path: Path) -> tuple[L, str]:
        plan = read(path, kind)
        return plan, plan.spool

    return guarded(name, arguments, read_plan, work)


def guarded(
    name: str, arguments: list[str], read_plan: Callable[[Path], tuple[P, str]], work: Callable[[P, Recorder], None]
) -> int:
    """Does ``work`` and returns the exit status (``errors``); what went wrong goes to the standard error in words.

    ``read_plan`` gives the plan and the spool's path. Whatever ``work`` raises is an error of the measurement: a bug of
    ours is never a failure of the target.
    """
    if len(arguments) != 1:
        return _told(name, BadInput("give the plan's file"), errors.BAD_PLAN)
    try:
        plan, spool = read_plan(Path(arguments[0]))
        recorder = Recorder(Path(spool))
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
