"""What the disaster on the stack showed. Pure."""

from __future__ import annotations

import msgspec

from harness.recovery.restore import Restored
from harness.recovery.result import CaseResult, Check, Loss
from harness.recovery.traffic import Seen


class OnStack(msgspec.Struct, frozen=True, kw_only=True):
    """What the stack showed. ``written_*``: while the procedure as written was watched, in seconds, and at its end.

    ``*_sessions`` are the pods' connections to the new instance. ``verify_s`` is no part of the RTO, ``register_s`` of
    its switch.
    """

    case: CaseResult
    restored_archiving: str  # the new instance's archive_mode: whether anything backs it up
    written_s: float
    written_done: bool
    written_told: str
    written_sessions: int
    written_seen: Seen
    corrected_sessions: int
    verify_s: float
    register_s: float
    restart_s: float
    restart_seen: Seen
    before: Seen
    after: Seen


def changed_nothing(seen: OnStack) -> bool:
    """Whether the procedure as written led nobody to the new instance; the sessions after the correction show that
    they would have been seen.
    """
    without = not seen.written_done and not seen.written_seen.good and not seen.written_sessions
    return without and seen.corrected_sessions > 0


def case_of(  # noqa: PLR0917 - the parts of an RTO, in their order
    restored: Restored, lost: Loss, checks: list[Check], detect_s: float, switch_s: float, ready_s: float
) -> CaseResult:
    """The stack's disaster as a case among the others."""
    return CaseResult(
        id="stack_lost_data_folder",
        title="under load: the server dies and its data folder is lost",
        with_stack=True,
        point=str(restored.point),
        loss=lost,
        rto_s={
            "detect": detect_s,
            "restore": restored.restore_s,
            "replay": restored.replay_s,
            "switch": switch_s,
            "ready": ready_s,
        },
        checks=tuple(checks),
    )
