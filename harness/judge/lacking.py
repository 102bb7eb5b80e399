"""A sample beside a plan that says what is due: what is not in evidence, and what a ratio of failures is then. Pure.

One rule for all who judge calls of a schedule that is known beforehand: a pass must clear with everything that is due
and not in evidence counted as failed; a fail is read on what was seen, and void where what is missing could undo it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

import numpy as np

from harness.judge.bounds import ratio_lower, ratio_upper
from harness.judge.ledger import Calls
from harness.model.verdict import Verdict

T = TypeVar("T", bound=Hashable)


def lacking(due: Iterable[T], seen: Iterable[T]) -> list[T]:
    """What of ``due`` (ids, or due times in ns) is not in ``seen``: one that is there twice stands for no other."""
    return [*(Counter(due) - Counter(seen)).elements()]


def of_plan(calls: Calls, due_ns: Iterable[int]) -> tuple[Calls, int]:
    """The ``calls`` (rows of ``CALL``) that are due at ``due_ns``, one for each, and every other that failed; and how
    many more are due. A good call that the plan does not hold proves nothing.
    """
    left = Counter(due_ns)
    counts = np.zeros(len(calls), dtype=bool)
    for number, (at_ns, ok) in enumerate(zip(calls["due_ns"].tolist(), calls["ok"].tolist(), strict=True)):
        counts[number] = left[at_ns] > 0 or not ok
        left[at_ns] -= 1
    return calls[counts], sum(more for more in left.values() if more > 0)


def failures_below(limit: float, failed: int, seen: int, missing: int) -> tuple[Verdict, float | None]:
    """Whether fewer than ``limit`` (0..1) of the calls fail, at 95 %, and the bound that tells; ``None`` without calls.

    ``failed`` of the ``seen`` did, ``missing`` more are due and not in evidence.
    """
    due = seen + missing
    if not due:
        return Verdict.INCONCLUSIVE, None
    upper, lower = ratio_upper(failed + missing, due), ratio_lower(failed, due)
    if lower > limit:
        return Verdict.FAIL, lower
    return (Verdict.PASS if upper < limit else Verdict.INCONCLUSIVE), upper
