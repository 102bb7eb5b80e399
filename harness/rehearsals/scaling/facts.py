"""The facts of a run of scaling, from what it left and its evidence. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from harness.model.evidence import EventRow, RequestRow, SampleRow
from harness.model.parts import ended
from harness.rehearsals.scaling import facts_autoscaling, facts_commands, facts_latency, facts_sizes, facts_zones
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
from harness.rules.fact import Fact, FactsOf

#: Each fact of scaling, in a sentence.
PHRASES = {
    **facts_sizes.PHRASES,
    **facts_commands.PHRASES,
    **facts_autoscaling.PHRASES,
    **facts_latency.PHRASES,
    **facts_zones.PHRASES,
}


@dataclass(frozen=True)
class Rows:
    """The evidence of a run, and what its environment could."""

    capabilities: Collection[str]
    events: list[EventRow]
    samples: list[SampleRow]
    requests: list[RequestRow]


def facts(plan: ScalingPlan, details: ScalingDetails, rows: Rows) -> Iterator[Fact]:
    """Those of every part that was carried through."""
    for part, _, end_ns in ended(plan.parts, details.runs):
        yield from of_part(part, details, rows, end_ns)


def of_part(part: Part, details: ScalingDetails, rows: Rows, end_ns: int) -> Iterable[Fact]:
    """Those of one part, which ended at ``end_ns``: later rows tell of other parts."""
    fact = FactsOf(PHRASES, part.name)
    events = [row for row in rows.events if row.at_ns <= end_ns]
    samples = [row for row in rows.samples if row.at_ns <= end_ns]
    found: Iterable[Fact] = ()
    match details.did.get(part.name):
        case Manual() as did:
            found = facts_sizes.manual(fact, part, did, events)
        case Applied() as did:
            found = (facts_sizes.applied(fact, part, did, events),)
        case Drained() as did:
            found = (facts_sizes.drained(fact, did, events),)
        case TakenBack() as did:
            found = (facts_sizes.taken_back(fact, part, did, events),)
        case Slowed() as did:
            found = facts_latency.slowed(fact, part, did, events, rows.requests)
        case Loaded() as did:
            found = facts_autoscaling.under_load(
                fact, part, did, events, samples, controlled=details.controlled, capabilities=rows.capabilities
            )
        case ZoneLost() as did:
            loss = facts_zones.seen(part, did, events, rows.requests)
            found = facts_zones.facts(fact, part, loss, spread=did.spread)
        case Commanded() as did:
            found = facts_commands.commands(fact, did)
    return found
