"""What experiments, deploys and recoveries cost of the month's availability: one section for every page of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np

from harness.base.ticks import NS
from harness.evidence.gathered import Gathered
from harness.model.evidence import Side
from harness.model.message import Message, message
from harness.model.section import Lines, Section
from harness.rules.ledger import Calls, Window
from harness.rules.objectives.budget import REQUESTS, Spent, line, outage_line, spent


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What something cost of the budget of 43 minutes, and how often a month it may happen; of a ``part`` of the plan,
    "" of the whole run."""

    title: Message
    said: Message
    part: str = ""


def cost_between(title: Message, evidence: Gathered, start_ns: int, end_ns: int, part: str = "") -> Cost:
    """By the probes due from ``start_ns`` to ``end_ns`` (monotonic)."""
    probes = evidence.ledger.probe_rows_due(Window(start_ns=start_ns, end_ns=end_ns))
    return Cost(title=title, said=line(_spent(probes, (end_ns - start_ns) / NS)), part=part)


def cost_by_requests(title: Message, evidence: Gathered, start_ns: int, end_ns: int, part: str = "") -> Cost:
    """Where there are no probes: by the users' requests to the API due from ``start_ns`` to ``end_ns``, and over the
    time until the last of them: the load may have ended before."""
    requests = evidence.ledger.requests_due(Window(start_ns=start_ns, end_ns=end_ns), Side.API)
    last_ns = int(requests["due_ns"].max()) if len(requests) else start_ns
    return Cost(title=title, said=line(_spent(requests, (last_ns - start_ns) / NS), REQUESTS), part=part)


def _spent(calls: Calls, seconds: float) -> Spent:
    return spent(int(np.count_nonzero(~calls["ok"])), len(calls), seconds)


def cost_of_outage(title: Message, outage_s: float) -> Cost:
    """Of an outage that lasted ``outage_s``."""
    return Cost(title=title, said=outage_line(outage_s))


def cost_sections(costs: Iterable[Cost]) -> Iterator[Section]:
    """A list of them for the whole run and for each part that has any, in their order."""
    by_part: dict[str, list[Cost]] = {}
    for each in costs:
        by_part.setdefault(each.part, []).append(each)
    for part, its in by_part.items():
        lines = tuple(message("{title}: {cost}", title=each.title, cost=each.said) for each in its)
        yield Lines(title=message("What it cost of the month's availability"), lines=lines, part=part)
