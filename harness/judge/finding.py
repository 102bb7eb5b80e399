"""What a criterion came to, before it is written down as a ``CriterionResult``."""

from __future__ import annotations

import msgspec

from harness.model.evidence import EventRow
from harness.model.verdict import Verdict


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with its figures (in the criterion's unit) and the sentence that explains it."""

    verdict: Verdict
    value: float | None = None
    bound: float | None = None
    samples: int = 0
    reason: str
    fired_at_ns: int | None = None

    def void(self, why: str) -> Finding:
        """The same figures, inconclusive because of ``why``."""
        return msgspec.structs.replace(
            self, verdict=Verdict.INCONCLUSIVE, reason=f"{self.reason}; {why}", fired_at_ns=None
        )


def nothing(reason: str) -> Finding:
    """No data is inconclusive."""
    return Finding(verdict=Verdict.INCONCLUSIVE, reason=reason)


def error_words(errors: list[EventRow]) -> str:
    """Names the first measurement error and counts the others."""
    first = errors[0]
    others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"the measurement failed: {first.subject}: {first.message}{others}"
