"""The ledger of a month: what rehearsed events take of the API's time, against what the document allows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import msgspec
import numpy as np

from harness.base.seed import stream
from harness.base.units import Seconds, Unit
from harness.model.claim import Dependency
from harness.model.message import Message, Told, enumerated, message, quantity
from harness.model.result import MeasuredFact, Result
from harness.report.signoff.counting import left_out, unproven
from harness.report.signoff.types import PROVING, RUNGS, EvidenceWanted, StoredResult
from harness.rules.bounds import ratio_lower, ratio_upper

_DRAWN, _SEED = 100_000, 1
_s = partial(quantity, unit=Unit.SECONDS)

#: What the events of a run depend on.
_ON = (Dependency.PROGRAM, Dependency.MANIFESTS, Dependency.CLUSTER)


class MonthEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that comes ``a_month`` times on average, as ``source`` says. The newest run of ``rehearsal`` in the most
    real environment has its ``fact``, in the part or case ``of``: seconds, or how many of its calls failed."""

    title: str
    a_month: Annotated[float, msgspec.Meta(gt=0, le=1000, examples=[4])]
    source: str
    rehearsal: str
    fact: str
    of: str = ""


class MonthCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """A month's events, and the ``budget_s`` that they may take together."""

    budget_s: Seconds
    events: Annotated[tuple[MonthEvent, ...], msgspec.Meta(min_length=1)]


def ledger(calendar: MonthCalendar, stored: Sequence[StoredResult], asked: EvidenceWanted) -> Told:
    """The forecast, the mean month, and each event; () where no run that counts shows any."""
    runs = [each for each in stored if not left_out(each, asked, _ON) and not unproven(each)]
    runs.sort(key=lambda each: (PROVING.index(RUNGS[each.result.facts.rung]), each.result.facts.started_utc))
    taken = {event: found for event in calendar.events for found in _taken(event, runs)}  # the last holds
    if not taken:
        return ()
    each_s, a_month = np.array([ends for ends, _ in taken.values()]), np.array([each.a_month for each in taken])
    dice = np.random.default_rng(stream(_SEED, "ledger").getrandbits(64))
    months = dice.poisson(a_month, (_DRAWN, len(taken))) @ each_s
    high, share, low = (quantity(each, Unit.RATIO) for each in (months <= calendar.budget_s).mean(axis=0).tolist())
    forecast = message(
        "{share} of {drawn} drawn months keep {minutes} minutes of outage, {low} to {high} by what was measured",
        share=share, low=low, high=high, drawn=f"{_DRAWN:,}", minutes=f"{calendar.budget_s / 60:g}",
    )  # fmt: skip
    if unseen := [Message(text=event.title) for event in calendar.events if event not in taken]:
        forecast = message("{forecast}; not counted, for no run: {names}", forecast=forecast, names=enumerated(unseen))
    least, mean, most = map(_s, (a_month @ each_s).tolist())
    total = message("a mean month takes {mean}, {low} to {high}", mean=mean, low=least, high=most)
    return (forecast, total, *(_line(event, *found) for event, found in taken.items()))


def _line(event: MonthEvent, ends: Sequence[float], run: StoredResult) -> Message:
    low, seen, high = map(_s, ends)
    return message(
        "{name}: {rate} a month ({source}) x {seen}, {low} to {high} ({where}, {run})", name=Message(text=event.title),
        rate=f"{event.a_month:g}", source=Message(text=event.source), seen=seen, low=low, high=high,
        where=str(run.result.facts.rung), run=run.folder,
    )  # fmt: skip


def _taken(event: MonthEvent, runs: Sequence[StoredResult]) -> list[tuple[Sequence[float], StoredResult]]:
    return [
        (_seconds(one, run.result), run)
        for run in runs if run.result.rehearsal == event.rehearsal
        for one in run.result.measured if one.name == event.fact and event.of in (one.part, one.case)
        if one.seen is not None and (one.of or one.unit is Unit.SECONDS) and (one.low is None) is (one.high is None)
    ]  # fmt: skip


def _seconds(fact: MeasuredFact, result: Result) -> Sequence[float]:
    """Of failed calls their share, with its bounds at 95 %, of the seconds of their part."""
    low, seen, high = (fact.seen or 0.0 if end is None else end for end in (fact.low, fact.seen, fact.high))
    if fact.unit is Unit.SECONDS:
        return low, seen, high
    took_s = next((part.seconds for part in result.parts if part.name == fact.part), 0.0)
    ends = ratio_lower(round(low), fact.of), seen / fact.of, ratio_upper(round(high), fact.of)
    return [end * took_s for end in ends]
