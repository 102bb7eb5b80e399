"""What a criterion came to, before it is written down as a ``Judgement``."""

from __future__ import annotations

import msgspec

from harness.model.evidence import EventRow, told_of
from harness.model.judgement import Verdict
from harness.model.message import Message, Told, english, joined, message


class CriterionFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with its figures (in the criterion's unit) and the sentence that explains it."""

    verdict: Verdict
    value: float | None = None
    bound: float | None = None
    samples: int = 0
    told: Told
    #: What was measured where the value is not it.
    shown: Told = ()
    fired_at_ns: int | None = None

    @property
    def reason(self) -> str:
        """The sentence in English."""
        return english(self.told)

    def adding(self, more: Message) -> CriterionFinding:
        """The same, with ``more`` said."""
        return msgspec.structs.replace(self, told=(*self.told, more))

    def void(self, why: Message) -> CriterionFinding:
        """The same figures, inconclusive because of ``why``."""
        return msgspec.structs.replace(self.adding(why), verdict=Verdict.INCONCLUSIVE, fired_at_ns=None)


def nothing(why: Message) -> CriterionFinding:
    """No data is inconclusive."""
    return CriterionFinding(verdict=Verdict.INCONCLUSIVE, told=(why,))


def error_words(errors: list[EventRow]) -> Message:
    """Names the first measurement error and counts the others."""
    first = message("{subject}: {said}", subject=errors[0].subject, said=joined(told_of(errors[0])))
    if len(errors) > 1:
        return message("the measurement failed: {error} (and {more} more)", error=first, more=str(len(errors) - 1))
    return message("the measurement failed: {error}", error=first)
