"""How a claim of the load stages is judged: of the whole run, with its reason. Pure."""

from __future__ import annotations

from typing import Any

from harness.model.judgement import Judgement
from harness.model.message import Message
from harness.model.verdict import Verdict


def none(claim: str, why: Message, *more: Message) -> Judgement:
    """Of a claim that nothing was measured for."""
    return result(claim, Verdict.NOT_EXERCISED, why, *more)


def result(claim: str, verdict: Verdict, *told: Message, **measured: Any) -> Judgement:
    """Of a claim with its reason; ``measured`` are further fields. What was not exercised gates nothing."""
    gates = verdict is not Verdict.NOT_EXERCISED
    return Judgement(id=claim, claim=claim, verdict=verdict, told=told, gates=gates, **measured)
