"""How a load process can fail, and the exit status it then ends in. Never a failure of the target."""

from __future__ import annotations

from harness.model.errors import Exit, RehearsalError

OK = 0
BAD_PLAN = 2
MEASUREMENT = 3
EVIDENCE = 4


class MeasurementFailed(RehearsalError):  # noqa: N818 - the exception tree reads as outcomes
    """The load cannot be made or measured: a part it needs, other than the target, does not answer.

    ``status`` is the HTTP status of that part, 0 when there was none.
    """

    exit = Exit.RUN_BROKEN

    def __init__(self, what: str, *, where: str = "", remedy: str = "", status: int = 0) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.status = status
