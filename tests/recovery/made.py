"""The bundled plan of a recovery, and what a good rehearsal of it saw, to be changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from harness.base import planfile
from harness.model.judgement import Judgement
from harness.model.message import Message, message, raw_text
from harness.rehearsals.dr_restore.facts import facts
from harness.rehearsals.dr_restore.on_stack import AsCorrected, ProcedureWatched, RecoveryDetails, Restart, StackShown
from harness.rehearsals.dr_restore.procedure import Calls, ProcedureWritten, Reached
from harness.rehearsals.dr_restore.rehearsal import REHEARSAL
from harness.rehearsals.dr_restore.restore import Sizes
from harness.rehearsals.dr_restore.types import (
    PARTS,
    CaseCheck,
    CaseResult,
    Disaster,
    Loss,
    Overhead,
    Prediction,
    RecoveryPlan,
    SizePoint,
    expected,
)
from harness.rules import engine
from tests.recovery.stalls import lost

#: With one of its disasters: the cases that are judged are few.
PLAN = msgspec.structs.replace(planfile.bundled("dr_restore", RecoveryPlan), disasters=(Disaster.LOST_DATA_FOLDER,))
GOOD = CaseCheck(name=message("content"), ok=True, told=raw_text("as it was"))
BAD = CaseCheck(name=message("content"), ok=False, told=raw_text("a row too few <b>"))
RTO = {"detect": 5.0, "restore": 1.0, "replay": 2.0, "switch": 15.0, "ready": 15.0}


def case(
    name: str = "lost_data_folder", *, rpo_s: float | None = 0.1, least_s: float | None = None, check: CaseCheck = GOOD
) -> CaseResult:
    least_s = rpo_s if least_s is None else least_s
    lost = Loss(rpo_s=rpo_s, rpo_least_s=least_s, acknowledged=100, recovered=99, lost=1)
    return CaseResult(
        id=name,
        title=raw_text(name),
        with_stack=False,
        point=message("the end"),
        loss=lost,
        rto_s=dict(RTO),
        checks=(check,),
    )


REFLECTED: Message = raw_text("ConfigMap/app-config db_host: localhost, as before")
SEEN = Calls(probes=320, good=320, bound=0.9907, requests=300, errors=0)
DARK = Calls(probes=250, good=0, bound=0.0, requests=250, errors=250)
WRITTEN = ProcedureWatched(
    steps=ProcedureWritten(reached=Reached.RESTART, told=(REFLECTED,)), watched_s=25, sessions=0, seen=DARK
)
WHY = "not ready after 120 s"
CORRECTED = AsCorrected(first_good_s=14.8, waited_s=30, ready_s=15, sessions=4, seen=SEEN)


def seen_by(**changes: Any) -> Calls:
    """A good window, changed."""
    return msgspec.structs.replace(SEEN, **changes)


def written(reached: Reached = Reached.RESTART, **changes: Any) -> StackShown:
    """The stack, with another outcome of the procedure as written."""
    steps = msgspec.structs.replace(WRITTEN.steps, reached=reached)
    return stack(written=msgspec.structs.replace(WRITTEN, steps=steps, **changes))


def corrected(**changes: Any) -> StackShown:
    return stack(corrected=msgspec.structs.replace(CORRECTED, **changes))


def never_answered(**changes: Any) -> StackShown:
    """The correction brought no good answer, so nothing followed it."""
    dark = AsCorrected(first_good_s=None, waited_s=150, ready_s=0, sessions=0, seen=DARK)
    return stack(corrected=dark, restart=None, after=None, **changes)


def stack(**changes: Any) -> StackShown:
    made = StackShown(
        case=case("stack_lost_data_folder"),
        lost_archiving="on",
        restored_archiving="off",
        written=WRITTEN,
        corrected=CORRECTED,
        verify_s=0.4,
        register_s=0.2,
        restart=Restart(took_s=21, seen=SEEN),
        before=SEEN,
        after=SEEN,
    )
    return msgspec.structs.replace(made, **changes)


def sizes(*, expected_s: float | None = 500, upper_s: float | None = 600, raw_s: float = 4) -> Sizes:
    point = SizePoint(size_bytes=2**24, wal_bytes=2**22, restore_s=1, replay_s=1)
    return Sizes(
        prediction=Prediction(
            name="a year",
            production_bytes=2**34,
            points=(point,) * 4,
            seconds_per_gib=20,
            fixed_s=1,
            expected_s=expected_s,
            upper_s=upper_s,
            machine="this one",
        ),
        overhead=Overhead(
            size_bytes=2**27, restore_s=3, replay_s=3, switch_s=1, raw_copy_s=raw_s / 2, raw_replay_s=raw_s / 2
        ),
    )


def with_stall(stall_s: float) -> RecoveryPlan:
    return msgspec.structs.replace(PLAN, stall=msgspec.structs.replace(PLAN.stall, stall_s=stall_s))


def observed(**changes: Any) -> RecoveryDetails:
    seen = RecoveryDetails(
        ended=[*PARTS],
        cases=[case()],
        schedule=[GOOD, GOOD],
        points=[GOOD],
        stalled=lost(PLAN.stall),
        sizes=sizes(),
        stack=stack(),
    )
    return msgspec.structs.replace(seen, **changes)


def judged(plan: RecoveryPlan, seen: RecoveryDetails) -> Sequence[Judgement]:
    """By the rules, on a day."""
    measured = facts(plan, seen, datetime(2026, 1, 5, tzinfo=UTC))
    return [*engine.judged(expected(plan), REHEARSAL.rules, measured, plan, ())]
