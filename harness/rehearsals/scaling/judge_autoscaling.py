"""A real controller's decisions against the rule, and its percentages against the summed requests.

Pure. ``harness.rehearsals.scaling.rule`` computes what the rule allows; this compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.model.evidence import EventRow
from harness.model.verdict import Verdict
from harness.rehearsals.scaling.types import Decision

#: Of a utilization below this, the whole percent is too coarse to tell one sum of requests from another.
LEAST_PERCENT = 10


class Utilization(msgspec.Struct, frozen=True, kw_only=True):
    """What an HPA's status says of a metric: percent of the requests, and the mean a pod in milli-units."""

    at_ns: int
    percent: int
    average_m: int


class Ruled(msgspec.Struct, frozen=True, kw_only=True):
    """What the rule is held against. ``request_m`` is asked for by a pod's containers together, ``alone_m`` by the
    first one, in milli-units of the resource that ``utilizations`` are of."""

    decisions: Sequence[Decision]
    utilizations: Sequence[Utilization]
    request_m: int
    alone_m: int


def utilizations(rows: Iterable[EventRow], resource: str, since_ns: int, until_ns: int) -> list[Utilization]:
    """Those of ``resource`` in the statuses of HPAs that were seen in the time."""
    return [
        Utilization(at_ns=row.at_ns, percent=metric["utilization"], average_m=metric["average_m"])
        for row in rows
        if row.kind == "component" and row.subject.startswith("hpa/") and since_ns <= row.at_ns < until_ns
        for metric in row.data.get("metrics", ())
        if metric["name"] == resource
    ]


def is_of(each: Utilization, request_m: int) -> bool:
    """Whether the percent is the mean's of so large a request: both are cut to whole numbers (``GetResourceReplicas``
    divides the sums, the mean is cut by itself)."""
    return (
        each.average_m * 100 < (each.percent + 1) * request_m and (each.average_m + 1) * 100 >= each.percent * request_m
    )


def by_rule(ruled: Ruled) -> tuple[Verdict, str]:
    """Fails when a decision is none that the rule allows, or a percentage is not of the summed requests."""
    telling = [each for each in ruled.utilizations if each.percent >= LEAST_PERCENT]
    odd = [each for each in telling if not is_of(each, ruled.request_m)]
    alone = sum(is_of(each, ruled.alone_m) for each in telling)
    against = [each for each in ruled.decisions if each.allowed and each.size not in each.allowed]
    unread = [each for each in ruled.decisions if not each.allowed]
    agree = len(ruled.decisions) - len(against) - len(unread)
    told = f"{agree} of {len(ruled.decisions)} decisions as the rule has them over the summed requests; "
    told += f"{len(telling) - len(odd)} of {len(telling)} percentages are of both containers' requests, "
    told += f"{alone} of the first one's alone"
    if against:
        words = ", ".join(f"{each.before} -> {each.size}, the rule: {_sizes(each.allowed)}" for each in against)
        return Verdict.FAIL, f"{told}; {words}"
    if odd:
        words = ", ".join(f"{each.percent} % of a mean of {each.average_m}" for each in odd[:3])
        return Verdict.FAIL, f"{told}; {words}"
    if unread or not telling or not ruled.decisions:
        return Verdict.INCONCLUSIVE, f"{told}; {len(unread)} decisions without figures"
    return Verdict.PASS, told


def _sizes(allowed: Iterable[int]) -> str:
    return " or ".join(map(str, allowed))
