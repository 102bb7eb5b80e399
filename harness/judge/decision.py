"""From verdicts to the decision of a phase."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model.verdict import CheckResult, CriterionKind, CriterionResult, Decision, Verdict


def decide(results: Sequence[CriterionResult], checks: Sequence[CheckResult] = ()) -> Decision:
    """Roll back when a limit fired; advance when every criterion and every check that holds passed; else hold.

    ``not exercised`` and ``inconclusive`` hold, and so does a phase without a success criterion.
    """
    rollbacks = [result.verdict for result in results if result.kind is CriterionKind.ROLLBACK]
    successes = [result.verdict for result in results if result.kind is CriterionKind.SUCCESS]
    if Verdict.FAIL in rollbacks:
        return Decision.ROLL_BACK
    checked = [check.verdict for check in checks if check.holds]
    if successes and all(verdict is Verdict.PASS for verdict in successes + rollbacks + checked):
        return Decision.ADVANCE
    return Decision.HOLD
