"""What the disaster on the stack showed, and what the parts of a rehearsal gave. Pure."""

from __future__ import annotations

import msgspec

from harness.model.message import message
from harness.rehearsals.dr_restore.cases import ON_STACK, CaseResult, Check, Loss
from harness.rehearsals.dr_restore.procedure import Written
from harness.rehearsals.dr_restore.restore import Restored
from harness.rehearsals.dr_restore.sizes import Sizes
from harness.rehearsals.dr_restore.stall import Stalled
from harness.rehearsals.dr_restore.traffic import Calls


class AsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """While the procedure as written was watched, and at its end: ``sessions`` of the pods on the new instance."""

    steps: Written
    watched_s: float
    sessions: int
    seen: Calls


class AsCorrected(msgspec.Struct, frozen=True, kw_only=True):
    """The instance switched in the Deployment. ``first_good_s``: ``None`` when no good answer came in ``waited_s``.

    ``ready_s``: from then until all pods were ready; ``seen``: until that; ``sessions`` as above.
    """

    first_good_s: float | None
    waited_s: float
    ready_s: float
    sessions: int
    seen: Calls

    @property
    def switch_s(self) -> float:
        """Until the first good answer; without one it is longer than this."""
        return self.waited_s if self.first_good_s is None else self.first_good_s


class Restart(msgspec.Struct, frozen=True, kw_only=True):
    """The pods restarted in order, once they could become ready. ``why``: what it said when it was not complete in
    ``took_s``.
    """

    took_s: float
    seen: Calls
    why: str = ""


class OnStack(msgspec.Struct, frozen=True, kw_only=True):
    """What the stack showed. ``restart`` and ``after`` are ``None`` when the correction brought no good answer.

    ``*_archiving`` are the two instances' archive_mode: whether anything backs them up. ``verify_s`` is no part of the
    RTO, ``register_s`` of its switch.
    """

    case: CaseResult
    lost_archiving: str
    restored_archiving: str
    written: AsWritten
    corrected: AsCorrected
    verify_s: float
    register_s: float
    restart: Restart | None
    before: Calls
    after: Calls | None


class RecoveryDetails(msgspec.Struct, kw_only=True):
    """The facts of a run; ``None`` and empty where a part did not run.

    ``database`` names the PostgreSQL that it ran on, of version ``database_major`` (0: not known). ``own_network``: the
    stack's instances have addresses of their own. ``ended`` are the parts that came to their end.
    """

    machine: str = ""
    database: str = ""
    database_major: int = 0
    ended: list[str] = []
    cases: list[CaseResult] = []
    schedule: list[Check] | None = None
    points: list[Check] | None = None
    stalled: Stalled | None = None
    sizes: Sizes | None = None
    stack: OnStack | None = None
    own_network: bool = False


def case_of(  # noqa: PLR0917 - the parts of an RTO, in their order
    restored: Restored, lost: Loss, checks: list[Check], detect_s: float, register_s: float, corrected: AsCorrected
) -> CaseResult:
    """The stack's disaster as a case among the others."""
    title = message("under load: the server dies and its data folder is lost")
    if corrected.first_good_s is None:
        title = message(
            "under load: the server dies and its data folder is lost; no good answer in {seconds} s, so its RTO is "
            "longer than this",
            seconds=f"{corrected.waited_s:.0f}",
        )
    return CaseResult(
        id=ON_STACK,
        title=title,
        with_stack=True,
        point=restored.point.told,
        loss=lost,
        rto_s={
            "detect": detect_s,
            "restore": restored.restore_s,
            "replay": restored.replay_s,
            "switch": register_s + corrected.switch_s,
            "ready": corrected.ready_s,
        },
        checks=tuple(checks),
    )
