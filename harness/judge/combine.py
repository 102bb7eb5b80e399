"""What many verdicts come to, and the exit status of it: one rule for every command that has no decision. Pure.

The rule is docs/judging.md#exit-status: a verdict that is neither a pass nor an erratum shown holds; what the
rung or the target cannot show is ``not exercised``, is listed, and does not hold as long as something was judged; and
where nothing was, that is no success.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.model.errors import Exit, more_severe
from harness.model.verdict import Combined, Verdict


def combine(verdicts: Iterable[Verdict], *, beside: Iterable[Verdict] = ()) -> Combined:
    """What ``verdicts`` come to.

    ``beside`` are those of what is looked at whatever was exercised, such as the checkers of a whole run: one that is
    not good holds, and one that is good exercises nothing.
    """
    exercised = [verdict for verdict in verdicts if verdict is not Verdict.NOT_EXERCISED]
    around = [verdict for verdict in beside if verdict is not Verdict.NOT_EXERCISED]
    if not all(verdict.good for verdict in (*exercised, *around)):
        return Combined.NOT_ALL_PASSED
    return Combined.ALL_PASSED if exercised else Combined.NOTHING_EXERCISED


def exit_status(combined: Combined, broke: Iterable[Exit] = (), *, leaks: bool = False) -> Exit:
    """The command's exit status. ``broke`` is what befell the run: then its verdicts say nothing of how it ended."""
    outcomes = list(broke)
    if not outcomes and combined is not Combined.ALL_PASSED:
        outcomes.append(Exit.HOLD)
    if leaks:
        outcomes.append(Exit.LEAK)
    return more_severe(*outcomes)
