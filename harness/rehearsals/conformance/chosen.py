"""Which checks ``--only`` chooses. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.rehearsal import only
from harness.rehearsals.conformance.check import Check
from harness.rehearsals.conformance.checks import ALL


def chosen(asked: Sequence[str]) -> tuple[Check, ...]:
    """The checks that are asked for; all when nothing is. Raises ``BadInput``."""
    ids = only.chosen(asked, [check.id for check in ALL])
    return tuple(check for check in ALL if check.id in ids)
