"""What the rules of scaling say of the facts of one part."""

from __future__ import annotations

from collections.abc import Iterable

from harness.model.judgement import Expected, Judgement
from harness.rehearsals.scaling.facts import PHRASES
from harness.rehearsals.scaling.rehearsal import REHEARSAL
from harness.rehearsals.scaling.types import ScalingPart, ScalingPlan
from harness.rules import engine
from harness.rules.rule import Fact, FactsOf

ON_LOAD = ("scaling.time.hpa_up", "scaling.hpa.cpu", "scaling.time.hpa_down", "scaling.hpa.down_to_2")


def of(part: ScalingPart) -> FactsOf:
    """What makes the facts of the part."""
    return FactsOf(PHRASES, part.name)


def ruled(part: ScalingPart, claims: Iterable[str], facts: Iterable[Fact]) -> list[Judgement]:
    """The judgements on ``claims``, in their order."""
    plan = ScalingPlan(name="scaling", title="", parts=(part,))
    return [*engine.judged([Expected(part.name, each, each) for each in claims], REHEARSAL.rules, facts, plan, ())]
