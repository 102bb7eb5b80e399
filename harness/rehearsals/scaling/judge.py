"""What a run of scaling says of the document's claims, from the facts that it left and its evidence. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from harness.model.evidence import EventRow, RequestRow, SampleRow
from harness.model.judgement import Judgement
from harness.model.parts import ended
from harness.rehearsals.scaling import judge_zones
from harness.rehearsals.scaling.judge_autoscaling import under_load
from harness.rehearsals.scaling.judge_commands import commands
from harness.rehearsals.scaling.judge_latency import slowed
from harness.rehearsals.scaling.judge_sizes import applied, drained, manual, taken_back
from harness.rehearsals.scaling.types import (
    Applied,
    Commanded,
    Drained,
    Loaded,
    Manual,
    Part,
    ScalingDetails,
    ScalingPlan,
    Slowed,
    TakenBack,
    ZoneLost,
)


@dataclass(frozen=True)
class Rows:
    """The evidence of a run, and what its environment could."""

    capabilities: Collection[str]
    events: list[EventRow]
    samples: list[SampleRow]
    requests: list[RequestRow]


def judged(plan: ScalingPlan, details: ScalingDetails, rows: Rows) -> Iterator[Judgement]:
    """The claims of every part that was carried through, and the errata that were seen beside them."""
    for part, _, end_ns in ended(plan.parts, details.runs):
        yield from of_part(part, details, rows, end_ns)


def of_part(part: Part, details: ScalingDetails, rows: Rows, end_ns: int) -> list[Judgement]:
    """Those of one part, which ended at ``end_ns``: later rows tell of other parts."""
    events = [row for row in rows.events if row.at_ns <= end_ns]
    samples = [row for row in rows.samples if row.at_ns <= end_ns]
    match details.did.get(part.name):
        case Manual() as did:
            found = manual(part, did, events)
        case Applied() as did:
            found = applied(part, did, events)
        case Drained() as did:
            found = drained(part, did, events)
        case TakenBack() as did:
            found = taken_back(part, did, events)
        case Slowed() as did:
            found = slowed(part, did, events, rows.requests)
        case Loaded() as did:
            found = under_load(
                part, did, events, samples, controlled=details.controlled, capabilities=rows.capabilities
            )
        case ZoneLost() as did:
            found = judge_zones.judged(part, judge_zones.seen(part, did, events, rows.requests), spread=did.spread)
        case Commanded() as did:
            found = commands(part, did, events)
        case None:
            found = []
    return [each for each in found if not each.claim or each.claim in part.claims]
