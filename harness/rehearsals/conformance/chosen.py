"""Which checks ``--only`` chooses. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from harness.base.errors import BadInput
from harness.contract.check import Check
from harness.rehearsals.conformance.checks import ALL


def chosen(only: Sequence[str]) -> tuple[Check, ...]:
    """The checks whose ids match a pattern of ``only``; all when there is none. Raises ``BadInput``."""
    if not only:
        return ALL
    for pattern in only:
        if not any(fnmatchcase(check.id, pattern) for check in ALL):
            raise BadInput(
                f"no check matches {pattern!r}",
                where="--only",
                remedy=f"for example --only 'dual_write.*'; the checks begin with: {', '.join(_groups())}",
            )
    return tuple(check for check in ALL if any(fnmatchcase(check.id, pattern) for pattern in only))


def _groups() -> list[str]:
    return list(dict.fromkeys(check.id.partition(".")[0] for check in ALL))
