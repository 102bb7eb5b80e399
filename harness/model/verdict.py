"""Verdicts and decisions: what the judge answers, and what ``run.json`` publishes."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.base.units import Unit
from harness.model.message import Told


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


class Combined(StrEnum):
    """What all verdicts of a command without a decision come to (``harness.judge.combine``)."""

    ALL_PASSED = "all_passed"
    NOT_ALL_PASSED = "not_all_passed"
    NOTHING_EXERCISED = "nothing_exercised"


class ErratumSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An erratum of the document, and what this run saw of it; ``told`` is the same as messages."""

    id: str
    seen: str
    told: Told = ()


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


class CriterionKind(StrEnum):
    """A success criterion advances the week; a rollback limit ends it at once."""

    SUCCESS = "success"
    ROLLBACK = "rollback"


class CriterionResult(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion judged. ``value`` and ``bound`` are in ``unit``; ``None`` when there was nothing to measure."""

    id: str
    claim: str
    kind: CriterionKind
    metric: str
    comparison: str
    threshold: float
    unit: Unit
    verdict: Verdict
    value: float | None
    bound: float | None
    samples: int
    reason: str
    told: Told = ()  # the reason as messages, for the reports' languages; () in runs that were stored without it
    fired_at_ns: int | None = None


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """An invariant looked at from outside what it checks: exact, without a bound.

    One that ``holds`` and does not pass holds the week; any other is told beside the decision. ``value`` and
    ``planned`` are in ``unit``; ``None`` when there was nothing to look at, or nothing planned.
    """

    id: str
    claim: str
    verdict: Verdict
    value: float | None
    planned: float | None
    unit: Unit
    samples: int
    reason: str
    told: Told = ()  # the reason as messages; () where it was not kept as such
    holds: bool = True
    also: tuple[str, ...] = ()  # further claims that it is the verdict on

    @property
    def claims(self) -> tuple[str, ...]:
        """All claims that it is the verdict on."""
        return (self.claim, *self.also)
