"""Verdicts and decisions: what the judge answers, and what ``result.json`` publishes."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """Of a criterion. For a rollback limit ``FAIL`` means it fired, ``PASS`` that it had its sample and did not."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_EXERCISED = "not_exercised"
    ERRATUM_SHOWN = "erratum_shown"  # not kept as written, just as the register of claims says: no failure

    @property
    def good(self) -> bool:
        """Whether it lets a command end in 0: kept, or wrong in the way that the register says."""
        return self in (Verdict.PASS, Verdict.ERRATUM_SHOWN)


class FalseRollBack(msgspec.Struct, frozen=True, kw_only=True):
    """How often a rollback limit fires by chance alone: in ``probability`` (0..1) of windows of ``samples`` answers,
    each of which fails with ``failure_ratio``, the worst that the success criterion of the same metric lets advance.
    """

    id: str  # the criterion's
    failure_ratio: float
    samples: int
    probability: float


class Decision(StrEnum):
    """Of a phase."""

    ADVANCE = "advance"
    HOLD = "hold"
    ROLL_BACK = "roll_back"
