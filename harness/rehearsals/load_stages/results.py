"""How a claim's result is made: its reason in messages, and the same in English."""

from __future__ import annotations

from harness.model.message import Message, Told, english, verbatim
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.types import ClaimResult, Knee


def of_knee(knee: Knee) -> Told:
    """The knee's reason as messages."""
    return knee.told or (verbatim(knee.reason),)


def none(claim: str, why: Message, *more: Message) -> ClaimResult:
    """Of a claim that nothing was measured for."""
    return result(claim, Verdict.NOT_EXERCISED, "", why, *more)


def result(claim: str, verdict: Verdict, value: str, *told: Message) -> ClaimResult:
    """Of a claim with its reason."""
    return ClaimResult(claim=claim, verdict=verdict, value=value, reason=english(told), told=told)
