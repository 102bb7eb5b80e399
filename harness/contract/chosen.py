"""Which checks a plan is about. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from harness.contract.check import Check


def chosen(known: Sequence[Check], only: Sequence[str]) -> tuple[Check, ...]:
    """Those of ``known`` whose ids match a pattern of ``only``; all when there is none."""
    return tuple(check for check in known if not only or any(fnmatchcase(check.id, pattern) for pattern in only))
