"""Which checks ``--only`` chooses. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from harness.base.errors import BadInput
from harness.contract.check import Check


def chosen(known: Sequence[Check], only: Sequence[str]) -> tuple[Check, ...]:
    """Those of ``known`` whose ids match a pattern of ``only``; all when there is none. Raises ``BadInput``."""
    for pattern in only:
        if not any(fnmatchcase(check.id, pattern) for check in known):
            groups = list(dict.fromkeys(check.id.partition(".")[0] for check in known))
            raise BadInput(
                f"no check matches {pattern!r}",
                where="--only",
                remedy=f"for example --only '{groups[-1]}.*'; the checks begin with: {', '.join(groups)}",
            )
    return tuple(check for check in known if not only or any(fnmatchcase(check.id, pattern) for pattern in only))
