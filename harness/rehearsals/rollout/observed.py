"""When a week's window was, when it was judged, and what came of its roll back, from the rows alone. Pure.

What a week knows of itself beside its evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from harness.base.errors import BadInput
from harness.checks.as_printed import AppliedManifests
from harness.model.evidence import EventRow, ProbeRow, RequestRow, Row, Window
from harness.model.judgement import Decision
from harness.model.manifests import PatchNote
from harness.model.message import message
from harness.model.stack import Fault


class WeekDetails(msgspec.Struct, kw_only=True):
    """``patches`` are the manifests' patches that mend an erratum, ``applied`` what else is kept of the manifests
    (``None`` where none were applied), ``cpu_factor`` what the stack multiplied their CPU by, ``planted`` the faults
    that the stack let in, ``logged`` the pods whose log in the folder had records at the window's end (``None``: not
    looked for).

    ``judged_ns`` is when the judge was last asked (monotonic; ``None``: never), ``judged_rows`` how many rows of the
    evidence there were then: the same rows judged again as of the same moment give the same to the digit.
    """

    patches: tuple[PatchNote, ...] = ()
    applied: AppliedManifests | None = None
    cpu_factor: float = 1.0
    planted: tuple[Fault, ...] = ()
    logged: tuple[str, ...] | None = None
    judged_ns: int | None = None
    judged_rows: int = 0


#: Where no window ever began: nothing is due in it.
EMPTY = Window(start_ns=0, end_ns=0)


class _Window(msgspec.Struct):
    """What the window's event says of it."""

    start_ns: int
    end_ns: int
    seed: int
    bucket: str


@dataclass(frozen=True)
class JudgedMoment:
    """When the judge was asked, and how many rows of the evidence there were."""

    rows: int
    at_ns: int


@dataclass(frozen=True)
class ObservedWindow:
    """``planned`` is the window as the plan had it, ``window`` the stretch that was measured: ended by a roll back, and
    ``EMPTY`` when none began. ``decision`` is the event of what the run decided, ``off`` that of the flag put off.
    """

    planned: Window | None
    window: Window
    seed: int
    bucket: str
    decision: EventRow | None
    off: EventRow | None

    @property
    def rolled_back(self) -> bool:
        """Whether the run decided to roll back."""
        return self.decision is not None and self.decision.subject == Decision.ROLL_BACK


def observed(events: Sequence[EventRow]) -> ObservedWindow:
    """What the run's events say. Raises ``BadInput`` when they do not say when the window was."""
    began = next((row for row in events if (row.kind, row.subject) == ("phase", "window")), None)
    decision = next((row for row in events if row.kind == "decision"), None)
    if began is None:
        return ObservedWindow(planned=None, window=EMPTY, seed=0, bucket="", decision=decision, off=None)
    try:
        said = msgspec.convert(began.data, _Window)
    except msgspec.ValidationError as error:
        raise BadInput(
            message("the evidence does not say when the window was: {why}", why=str(error)),
            where='events, kind "phase", subject "window"',
            remedy="it was written by another harness; judge it with that one",
        ) from error
    planned = window = Window(start_ns=said.start_ns, end_ns=said.end_ns)
    off = None
    if decision is not None and decision.subject == Decision.ROLL_BACK:
        window = Window(start_ns=planned.start_ns, end_ns=min(planned.end_ns, decision.at_ns))
        offs = (row for row in events if row.kind == "flag" and row.data.get("on") == 0)
        off = next((row for row in offs if row.at_ns >= decision.at_ns), None)
    return ObservedWindow(
        planned=planned, window=window, seed=said.seed, bucket=said.bucket, decision=decision, off=off
    )


def moment(rows: Sequence[Row], details: WeekDetails, window: Window) -> JudgedMoment:
    """The moment at which the run judged: that of its decision; of a run that broke, its last look; of one that was
    killed, everything there is, as of the last answer.
    """
    last_ns = window.start_ns
    for number, row in enumerate(rows):
        if isinstance(row, RequestRow | ProbeRow):
            last_ns = max(last_ns, row.done_ns)
        elif isinstance(row, EventRow) and (row.kind == "decision" or (row.kind, row.subject) == ("phase", "judged")):
            judged_ns = row.data.get("judged_ns")
            return JudgedMoment(rows=number, at_ns=judged_ns if isinstance(judged_ns, int) else row.at_ns)
    if details.judged_ns is not None:
        return JudgedMoment(rows=details.judged_rows, at_ns=details.judged_ns)
    return JudgedMoment(rows=len(rows), at_ns=last_ns)
