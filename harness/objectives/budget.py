"""The budget of an objective: what an outage costs of it, and how often a month it may happen."""

from __future__ import annotations

import math

import msgspec

from harness.base.units import Unit
from harness.model.message import Message, message, quantity

MONTH_DAYS = 30
AVAILABILITY = 0.999
_DAY_S = 86_400.0


def budget_s(target: float = AVAILABILITY, days: float = MONTH_DAYS) -> float:
    """Seconds of outage that ``target`` allows in so many days: 2592 s, the document's 43 minutes, by default."""
    return days * _DAY_S * (1 - target)


def consumed(bad: float, of: float, target: float) -> float:
    """The share of the budget that is spent when ``bad`` of ``of`` were bad; above 1 it is overspent."""
    return bad / of / (1 - target) if of else 0.0


def burn_rate(bad_share: float, target: float) -> float:
    """How many times as fast as allowed the budget goes: 1 spends it in exactly the objective's window."""
    return bad_share / (1 - target)


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What something cost of a month's availability, by probes. ``outage_s`` is their failures' share of the time."""

    bad: int
    probes: int
    outage_s: float

    @property
    def share(self) -> float:
        """Of the month's budget."""
        return self.outage_s / budget_s()

    @property
    def times_a_month(self) -> int | None:
        """How often a month it may happen, and nothing else; ``None``: as often as one likes."""
        return math.floor(budget_s() / self.outage_s) if self.outage_s > 0 else None


def spent(bad: int, probes: int, seconds: float) -> Spent:
    """What ``bad`` of the probes that were made over ``seconds`` cost."""
    return Spent(bad=bad, probes=probes, outage_s=bad / probes * seconds if probes else 0.0)


def line(cost: Spent) -> Message:
    """What it cost, for people."""
    if not cost.probes:
        return message("no probe was made: what it cost of the month's availability is not known")
    if not cost.bad:
        return message(
            "all of {probes} probes were answered well: nothing of the month's {budget} minutes",
            probes=f"{cost.probes:,}",
            budget=f"{budget_s() / 60:.1f}",
        )
    return message(
        "{bad} of {probes} probes failed, as an outage of {outage}: {share} of the month's {budget} minutes; it may "
        "happen {times} times a month, and nothing else",
        bad=f"{cost.bad:,}",
        probes=f"{cost.probes:,}",
        outage=quantity(cost.outage_s, Unit.SECONDS),
        share=quantity(cost.share, Unit.RATIO),
        budget=f"{budget_s() / 60:.1f}",
        times=f"{cost.times_a_month:,}",
    )
