"""Rows of a table of verdicts, for the pages that have no criteria: load stages, chaos."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from harness.model.verdict import Verdict
from harness.report import words
from harness.report.language import Language


class VerdictRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was judged, in words of the page's language; ``reason`` and ``examples`` are as the evidence says them."""

    sign: str
    verdict: str
    css: str
    subject: str
    value: str
    reason: str
    examples: tuple[str, ...]


def verdict_row(
    verdict: Verdict, say: Language, *, subject: str, value: str = "", reason: str, examples: tuple[str, ...] = ()
) -> VerdictRow:
    """One row."""
    return VerdictRow(
        sign=words.VERDICT_SIGN[verdict],
        verdict=say(words.VERDICT[verdict]),
        css=str(verdict),
        subject=subject,
        value=value or "–",
        reason=reason,
        examples=examples,
    )


def counted(verdicts: Iterable[Verdict], say: Language) -> str:
    """How many of each verdict, for example "3 pass, 1 not exercised"; "" of none."""
    seen = list(verdicts)
    return say.listed(
        say("{count} {verdict}", count=seen.count(each), verdict=say(words.VERDICT[each]))
        for each in Verdict
        if each in seen
    )
