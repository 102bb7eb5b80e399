"""What one request came to, on either side."""

from __future__ import annotations

import msgspec

from harness.model.evidence import Outcome


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """``walk_id`` is the walk's id on that side: the server's own for a created one.

    ``retried``: it was sent twice, so a write may be carried out twice. ``shown`` is ``harness.model.shown``.
    """

    status: int
    outcome: Outcome
    acknowledged: bool
    walk_id: str
    pod: str = ""
    retried: bool = False
    shown: str = ""
