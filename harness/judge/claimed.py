"""A claim judged in a part of a plan: held or not, shown as its erratum says, or not known. Pure."""

from __future__ import annotations

from typing import Any

from harness.base.units import Unit
from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.model.verdict import Verdict

#: What was measured of something that did not happen.
NEVER = (message("never"),)


def held(part: str, claim: str, kept: bool, *told: Message, **measured: Any) -> Judgement:
    """``claim`` holds or does not; ``measured`` are further fields of the judgement."""
    verdict = Verdict.PASS if kept else Verdict.FAIL
    return Judgement(id=claim, part=part, claim=claim, verdict=verdict, told=told, **measured)


def shown_as(part: str, erratum: str, *told: Message, claim: str = "", **measured: Any) -> Judgement:
    """``claim`` is not kept as written, just as its ``erratum`` says, and is no failure; the erratum itself where no
    claim is named.
    """
    about, verdict = claim or erratum, Verdict.ERRATUM_SHOWN
    return Judgement(id=about, part=part, claim=about, verdict=verdict, erratum=erratum, told=told, **measured)


def shown_or_not(part: str, erratum: str, seen: bool, *told: Message, **measured: Any) -> Judgement:
    """An erratum of which the part was to see something: one that was contradicted fails."""
    if seen:
        return shown_as(part, erratum, *told, **measured)
    return held(part, erratum, False, *told, **measured)


def unknown(part: str, claim: str, *told: Message) -> Judgement:
    """What was seen says nothing of ``claim``."""
    return Judgement(id=claim, part=part, claim=claim, verdict=Verdict.INCONCLUSIVE, told=told)


def seconds(value: float | None, limit: float | None = None) -> dict[str, Any]:
    """The fields of a judgement that say how many seconds something took; ``None`` for what was never seen."""
    amount = {"shown": NEVER} if value is None else {"value": value}
    return {**amount, "limit": limit, "unit": Unit.SECONDS}
