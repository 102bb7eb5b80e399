"""Every error the harness raises for a person, and the exit status each ends in."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from enum import IntEnum

from harness.base.phase import Said

#: What decoding JSON that others wrote may raise: msgspec's own error is a ``ValueError``, and so is that of broken
#: UTF-8, which msgspec passes on as it is; nesting of some 100,000 levels exceeds the interpreter's depth.
NOT_JSON = (ValueError, RecursionError)


class Exit(IntEnum):
    """Exit statuses of ``python -m harness`` (docs/judging.md#exit-status)."""

    OK = 0
    USAGE = 2
    HOLD = 10
    ROLLED_BACK = 20
    STACK = 30
    RUN_BROKEN = 31
    LEAK = 40
    INTERNAL = 41
    INTERRUPTED = 130


#: The more severe first; of two outcomes the one further left wins.
SEVERITY = (
    Exit.INTERRUPTED,
    Exit.INTERNAL,
    Exit.LEAK,
    Exit.RUN_BROKEN,
    Exit.STACK,
    Exit.USAGE,
    Exit.ROLLED_BACK,
    Exit.HOLD,
    Exit.OK,
)


#: What each status says, for the closing line of a command and of its nox session; message ids of the reports.
MEANING = {
    Exit.OK: "passed",
    Exit.USAGE: "not begun: wrong usage or bad input",
    Exit.HOLD: "hold: something failed or had too few samples (see above)",
    Exit.ROLLED_BACK: "rolled back: a rollback limit fired (see above)",
    Exit.STACK: "no decision: the stack could not start",
    Exit.RUN_BROKEN: "no decision: a part died unplanned, or evidence could not be written",
    Exit.LEAK: "something was left on the machine",
    Exit.INTERNAL: "no decision: an internal error of the harness",
    Exit.INTERRUPTED: "no decision: interrupted",
}


def more_severe(*statuses: Exit) -> Exit:
    """The most severe of ``statuses``; ``Exit.OK`` when there is none."""
    return min(statuses, key=SEVERITY.index, default=Exit.OK)


def tool_status(found: Mapping[Exit, object]) -> Exit:
    """What a tool ends in, which judges no rehearsal: the most severe status whose finding is so; none is ``OK``."""
    return more_severe(*(status for status, is_so in found.items() if is_so))


class RehearsalError(Exception):
    """What happened, where, and what to do about it: every error a person reads has the three, in English. As they were
    given, each is a message, or plain words that are a message id themselves (``harness.cli.messages`` finds them), or
    somebody else's: ``told`` is what happened, ``given`` all three.
    """

    exit: Exit = Exit.INTERNAL

    def __init__(self, what: Said | str, *, where: Said | str = "", remedy: Said | str = "") -> None:
        self.told: Said | str = what
        self.what, self.where, self.remedy = str(what), str(where), str(remedy)
        super().__init__(self.what)
        self.given = what, where, remedy

    def met(self, where: str) -> RehearsalError:
        """The same; where it does not say where it happened, that it was ``where``."""
        if not self.where:
            (what, _, remedy), self.where = self.given, where
            self.given = what, where, remedy
        return self

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.remedy:
            lines.append(f"  to do: {self.remedy}")
        return "\n".join(lines)


class BadInput(RehearsalError):  # noqa: N818 - the exception tree reads as outcomes, not as "...Error"
    """Wrong usage, or a file that does not say what it must."""

    exit = Exit.USAGE


class NotCapable(RehearsalError):  # noqa: N818
    """The rung lacks the capability for what was asked; a criterion that needs it is ``not exercised``."""

    exit = Exit.USAGE


class StackNotStarted(RehearsalError):  # noqa: N818
    """A part of the stack could not be brought up."""

    exit = Exit.STACK


class PartDied(RehearsalError):  # noqa: N818
    """A part of the running stack, or the load generator, ended unplanned."""

    exit = Exit.RUN_BROKEN


class EvidenceNotWritten(RehearsalError):  # noqa: N818
    """The reports folder is full or read-only: evidence could not be written."""

    exit = Exit.RUN_BROKEN


#: What a disk says that takes no more, whoever writes what.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def of_full_disk(error: BaseException) -> EvidenceNotWritten | None:
    """An error of a disk that takes no more, met where nobody looked for it: no mistake of ours. ``None`` of another;
    ``shutil.Error`` has those of each file in words alone."""
    if not isinstance(error, OSError):
        return None
    words = next((os.strerror(each) for each in _FULL if error.errno == each or os.strerror(each) in str(error)), "")
    if not words:
        return None
    return EvidenceNotWritten(
        "a disk is full, or may not be written",
        where=": ".join(filter(None, (str(error.filename or ""), words))),
        remedy="make room there, or let it be written, and run again",
    )


class EvidenceNeverWritten(EvidenceNotWritten):
    """No disk takes these rows: they hold a value that the evidence file has no form for, and they are lost."""


class EvidenceNotRead(RehearsalError):  # noqa: N818
    """What a process of the run wrote as evidence cannot be read: rows are lost, and nobody knows which."""

    exit = Exit.RUN_BROKEN


class Interrupted(RehearsalError):  # noqa: N818
    """The person pressed Ctrl-C, or the run was asked to end."""

    exit = Exit.INTERRUPTED


class MeasurementFailed(RehearsalError):  # noqa: N818 - the exception tree reads as outcomes
    """The load cannot be made or measured: a part it needs, other than the target, does not answer.

    ``status`` is the HTTP status of that part, 0 when there was none.
    """

    exit = Exit.RUN_BROKEN

    def __init__(self, what: Said | str, *, where: Said | str = "", remedy: Said | str = "", status: int = 0) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.status = status
