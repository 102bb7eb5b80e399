"""What all judgements of a run come to, and the exit status of it: THE rule, of every rehearsal. Pure.

It is docs/judging.md#exit-status: a rollback limit that fired rolls back; a judgement that gates and is neither a pass
nor an erratum shown holds; and where nothing was exercised, that is no success.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.base.errors import Exit, more_severe
from harness.model.judgement import Decision, Judgement

_EXIT = {Decision.ADVANCE: Exit.OK, Decision.HOLD: Exit.HOLD, Decision.ROLL_BACK: Exit.ROLLED_BACK}


def combine(judgements: Sequence[Judgement]) -> Decision:
    """The decision: roll back, hold, or advance (of a command that is no week: all passed)."""
    if any(each.fired for each in judgements):
        return Decision.ROLL_BACK
    exercised = any(each.exercised for each in judgements)
    if not exercised or any(each.holds for each in judgements):
        return Decision.HOLD
    return Decision.ADVANCE


def exit_status(decision: Decision | None, broke: Iterable[Exit] = (), *, leaks: bool = False) -> Exit:
    """The command's exit status. ``broke`` is what befell the run: then its judgements say nothing of how it ended,
    unless it rolled back first. ``decision`` ``None``: it was never judged."""
    outcomes = list(broke)
    if decision is Decision.ROLL_BACK or not outcomes:
        outcomes.append(Exit.HOLD if decision is None else _EXIT[decision])
    if leaks:
        outcomes.append(Exit.LEAK)
    return more_severe(*outcomes)
