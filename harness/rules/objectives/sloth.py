"""The objectives as they are defined: Sloth's form (``prometheus/v1``), read into types, and Sloth's burn-rate windows.

The files are ``deploy/monitoring/slo/<days>d/*.yaml``; the windows are those of Google's SRE workbook ("Alerting on
SLOs", multiwindow, multi-burn-rate), for 30 days as Sloth has them, for 7 days as ``slo/windows/7d.yaml`` says.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WINDOW = "{{.window}}"  # what Sloth puts the range in for


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """Queries of the rate of bad events and of all."""

    error_query: str
    total_query: str


class Sli(msgspec.Struct, frozen=True, kw_only=True):
    """How it is measured."""

    events: Events


class Slo(msgspec.Struct, frozen=True, kw_only=True):
    """One objective; ``objective`` is a percentage of good events."""

    name: str
    objective: float
    description: str
    sli: Sli
    alerting: dict[str, Any]


class SlothFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of Sloth's."""

    version: str
    service: str
    labels: dict[str, str]
    slos: tuple[Slo, ...]


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """An objective over ``days``: at least ``target`` of the events are good. ``alert`` names its burn-rate alerts."""

    service: str
    name: str
    description: str
    days: int
    target: float
    bad: str
    total: str
    alert: str = ""

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return round(1 - self.target, 12)

    @property
    def id(self) -> str:
        """As Sloth's label ``sloth_id`` says it."""
        return f"{self.service}-{self.name}"

    def bad_over(self, window: str) -> str:
        """PromQL: the share of bad events over ``window``."""
        return f"({self.bad.replace(WINDOW, window)})\n/\n({self.total.replace(WINDOW, window)})"

    def burns(self, shares: Callable[[int], NDArray[np.float64]], *, pages: bool) -> NDArray[np.bool_]:
        """At which evaluations its burn-rate alert holds, where ``shares`` of a window (s) are the bad shares over it:
        it is above the rate's over both windows of a pair; NaN, of which nothing is known, is not."""
        return reduce(operator.or_, (
            (shares(burn.short_s) > limit) & (shares(burn.long_s) > limit)
            for burn in BURNS[self.days]
            if burn.pages is pages
            for limit in (burn.rate(self.days) * self.budget,)
        ))  # fmt: skip


def objectives(data: Any, days: int) -> tuple[Objective, ...]:
    """Those of a file's plain data. Raises ``msgspec.ValidationError``."""
    file = msgspec.convert(data, SlothFile)
    return tuple(
        Objective(
            service=file.service,
            name=slo.name,
            description=slo.description,
            days=days,
            target=round(slo.objective / 100, 12),
            bad=slo.sli.events.error_query.strip(),
            total=slo.sli.events.total_query.strip(),
            alert=str(slo.alerting["name"]),
        )
        for slo in file.slos
    )


class Burn(msgspec.Struct, frozen=True, kw_only=True):
    """A burn-rate alert's window: it fires while ``budget_share`` of the budget goes within ``long_s``, and within
    ``short_s`` still does."""

    pages: bool
    short_s: int
    long_s: int
    budget_share: float

    def rate(self, days: int) -> float:
        """Of the budget of so many days: 14.4 for 2 % of 30 days' within one hour."""
        return self.budget_share * days * 86_400 / self.long_s


_MINUTE, _HOUR = 60, 3600


def _burns(*shares: float) -> tuple[Burn, ...]:
    page_quick, page_slow, ticket_quick, ticket_slow = shares
    return (
        Burn(pages=True, short_s=5 * _MINUTE, long_s=_HOUR, budget_share=page_quick),
        Burn(pages=True, short_s=30 * _MINUTE, long_s=6 * _HOUR, budget_share=page_slow),
        Burn(pages=False, short_s=2 * _HOUR, long_s=24 * _HOUR, budget_share=ticket_quick),
        Burn(pages=False, short_s=6 * _HOUR, long_s=72 * _HOUR, budget_share=ticket_slow),
    )


#: By the days of the objective's window.
BURNS = {30: _burns(0.02, 0.05, 0.10, 0.10), 7: _burns(0.08, 0.125, 0.20, 0.42)}
