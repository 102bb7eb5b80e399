"""A claim judged in a part of a plan ("" of the whole run): held or not, shown as its erratum says, not known, or not
exercised. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.base.units import Unit
from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.model.verdict import Verdict

#: What was measured of something that did not happen.
NEVER = (message("never"),)


def claimed(part: str, claim: str, verdict: Verdict, *told: Message, **measured: Any) -> Judgement:
    """``claim`` with its verdict; ``measured`` are further fields of the judgement. What was not exercised gates
    nothing."""
    gates = verdict is not Verdict.NOT_EXERCISED
    return Judgement(id=claim, part=part, claim=claim, verdict=verdict, told=told, gates=gates, **measured)


def held(part: str, claim: str, kept: bool, *told: Message, **measured: Any) -> Judgement:
    """``claim`` holds or does not."""
    return claimed(part, claim, Verdict.PASS if kept else Verdict.FAIL, *told, **measured)


def shown_as(part: str, erratum: str, *told: Message, claim: str = "", **measured: Any) -> Judgement:
    """``claim`` is not kept as written, just as its ``erratum`` says, and is no failure; the erratum itself where no
    claim is named.
    """
    return claimed(part, claim or erratum, Verdict.ERRATUM_SHOWN, *told, erratum=erratum, **measured)


def shown_or_not(part: str, erratum: str, seen: bool, *told: Message, **measured: Any) -> Judgement:
    """An erratum of which the part was to see something: one that was contradicted fails."""
    if seen:
        return shown_as(part, erratum, *told, **measured)
    return held(part, erratum, False, *told, **measured)


def unknown(part: str, claim: str, *told: Message, **measured: Any) -> Judgement:
    """What was seen says nothing of ``claim``."""
    return claimed(part, claim, Verdict.INCONCLUSIVE, *told, **measured)


def left_open(found: Judgement, *why: Message) -> Judgement:
    """``found``, and behind its reason ``why`` nobody knows: what it measured stays."""
    return msgspec.structs.replace(found, verdict=Verdict.INCONCLUSIVE, told=(*found.told, *why))


def not_exercised(part: str, claim: str, *told: Message, **measured: Any) -> Judgement:
    """Nothing was there to show ``claim``: it gates nothing."""
    return claimed(part, claim, Verdict.NOT_EXERCISED, *told, **measured)


def seconds(value: float | None, limit: float | None = None) -> dict[str, Any]:
    """The fields of a judgement that say how many seconds something took; ``None`` for what was never seen."""
    amount = {"shown": NEVER} if value is None else {"value": value}
    return {**amount, "limit": limit, "unit": Unit.SECONDS}
