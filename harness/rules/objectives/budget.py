"""The budget of an objective: what an outage costs of it, and how often a month it may happen."""

from __future__ import annotations

import math

import msgspec

from harness.base.units import DAY_S
from harness.model.message import Message, gettext_noop, message

MONTH_DAYS = 30
AVAILABILITY = 0.999


def budget_s(target: float = AVAILABILITY, days: float = MONTH_DAYS) -> float:
    """Seconds of outage that ``target`` allows in so many days: 2592 s, the document's 43 minutes, by default."""
    return days * DAY_S * (1 - target)


def burn_rate(bad_share: float, target: float) -> float:
    """How many times as fast as allowed the budget goes: 1 spends it in exactly the objective's window."""
    return bad_share / (1 - target)


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What something cost of a month's availability, by probes or, where there are none, by users' requests: so many of
    the ``asked`` were ``bad``. ``outage_s`` is their failures' share of the time."""

    bad: int
    asked: int
    outage_s: float

    @property
    def share(self) -> float:
        """Of the month's budget."""
        return self.outage_s / budget_s()

    @property
    def times_a_month(self) -> int | None:
        """How often a month it may happen, and nothing else; ``None``: as often as one likes."""
        return math.floor(budget_s() / self.outage_s) if self.outage_s > 0 else None


def spent(bad: int, asked: int, seconds: float) -> Spent:
    """What ``bad`` of the probes or requests that were due over ``seconds`` cost."""
    return Spent(bad=bad, asked=asked, outage_s=bad / asked * seconds if asked else 0.0)


class AnswerCount(msgspec.Struct, frozen=True):
    """Who was asked: the name of their number's place in the sentences, and these, message ids: of none, of none that
    was bad, of some."""

    place: str
    none: str
    well: str
    bad: str


PROBES = AnswerCount(
    "probes",
    gettext_noop("no probe was made: what it cost of the month's availability is not known"),
    gettext_noop("all of {probes} probes were answered well: nothing of the month's {budget} minutes"),
    gettext_noop("{bad} of {probes} probes failed, as {outage}"),
)
REQUESTS = AnswerCount(
    "requests",
    gettext_noop("no request was made: what it cost of the month's availability is not known"),
    gettext_noop("all of {requests} requests of users were answered well: nothing of the month's {budget} minutes"),
    gettext_noop("{bad} of {requests} requests of users failed, as {outage}"),
)


def line(cost: Spent, by: AnswerCount = PROBES) -> Message:
    """What it cost, for people."""
    asked = {by.place: f"{cost.asked:,}"}
    if not cost.asked:
        return Message(text=by.none)
    if not cost.bad:
        return Message(text=by.well, values={**asked, "budget": _budget()})
    return Message(text=by.bad, values={"bad": f"{cost.bad:,}", **asked, "outage": outage_line(cost.outage_s)})


def outage_line(outage_s: float) -> Message:
    """What an outage costs, for people."""
    cost = Spent(bad=1, asked=1, outage_s=outage_s)
    said = {"seconds": f"{outage_s:,.1f}", "share": f"{cost.share * 100:.2g}", "budget": _budget()}
    if not cost.times_a_month:
        return message(
            "an outage of {seconds} s: {share} % of the month's {budget} minutes, which is more than there is", **said
        )
    return message(
        "an outage of {seconds} s: {share} % of the month's {budget} minutes; it may happen {times} times a month, and "
        "nothing else",
        times=f"{cost.times_a_month:,}",
        **said,
    )


def _budget() -> str:
    return f"{budget_s() / 60:.1f}"
