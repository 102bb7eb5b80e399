"""What a week knows of itself beside its evidence."""

from __future__ import annotations

import msgspec

from harness.checks.as_printed import Applied
from harness.model.manifests import PatchNote
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
    applied: Applied | None = None
    cpu_factor: float = 1.0
    planted: tuple[Fault, ...] = ()
    logged: tuple[str, ...] | None = None
    judged_ns: int | None = None
    judged_rows: int = 0
