"""A sample beside a plan that says what is due: what is not in evidence, and what a ratio of failures is then. Pure.

One rule for all who judge calls of a schedule that is known beforehand: a pass must clear with everything that is due
and not in evidence counted as failed; a fail is read on what was seen, and void where what is missing could undo it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

import numpy as np

from harness.rules.ledger import Calls

T = TypeVar("T", bound=Hashable)


def missing_samples(due: Iterable[T], seen: Iterable[T]) -> list[T]:
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
