"""From verdicts to the decision of a phase."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model.verdict import CriterionKind, CriterionResult, Decision, Verdict


def decide(results: Sequence[CriterionResult]) -> Decision:
    """Roll back when a limit fired; advance when every criterion of both kinds passed; else hold.

    ``not exercised`` and ``inconclusive`` hold, and so does a phase without a success criterion.
    """
    rollbacks = [result.verdict for result in results if result.kind is CriterionKind.ROLLBACK]
    successes = [result.verdict for result in results if result.kind is CriterionKind.SUCCESS]
    if Verdict.FAIL in rollbacks:
        return Decision.ROLL_BACK
    if successes and all(verdict is Verdict.PASS for verdict in successes + rollbacks):
        return Decision.ADVANCE
    return Decision.HOLD
