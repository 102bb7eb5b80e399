"""What the parts of a recovery rehearsal gave."""

from __future__ import annotations

import msgspec

from harness.rehearsals.dr_restore.facts import CaseResult, Check
from harness.rehearsals.dr_restore.sizes import Sizes
from harness.rehearsals.dr_restore.stack_result import OnStack
from harness.rehearsals.dr_restore.stall import Stalled


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
