"""The errata of the document that a run showed, each with what was seen of it. Pure.

Only what was observed is listed: that a run names a claim says nothing of the claim's errata.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from harness.model.message import Told, message
from harness.model.scenario import Scenario
from harness.model.verdict import CriterionResult, ErratumSeen

_RATE_CLAIM = "rollout.week2.success.request_rate"


class Shows(Protocol):
    """A judged claim; ``erratum`` is the one that its reason shows, "" when none."""

    @property
    def erratum(self) -> str: ...
    @property
    def reason(self) -> str: ...


def errata_seen(judged: Iterable[Shows], observed: Iterable[ErratumSeen] = ()) -> tuple[ErratumSeen, ...]:
    """Each erratum once, by its id, with the first that was seen of it: of what was ``judged``, then ``observed``."""
    found: dict[str, ErratumSeen] = {}
    for each in judged:
        if each.erratum:
            told: Told = getattr(each, "told", ())  # where a finding keeps its reason as messages too
            found.setdefault(each.erratum, ErratumSeen(id=each.erratum, seen=each.reason, told=told))
    for erratum in observed:
        found.setdefault(erratum.id, erratum)
    return tuple(found[name] for name in sorted(found))


def of_week(scenario: Scenario, results: Iterable[CriterionResult]) -> tuple[ErratumSeen, ...]:
    """What a week's window showed: of a rate without a margin, where just as many requests are offered as it asks for
    (``--pace 50s``), so that one late request fails it.
    """
    offered = round(scenario.population.flag_on / scenario.population.pace_s, 9)
    return tuple(
        _without_margin(scenario, each, offered)
        for each in results
        if each.claim == _RATE_CLAIM and each.value is not None and offered == each.threshold
    )


def _without_margin(scenario: Scenario, result: CriterionResult, offered: float) -> ErratumSeen:
    told = message(
        "{users} users at one request in {pace} s offer {offered}/s, which is just what is asked for: {came}/s came",
        users=str(scenario.population.flag_on),
        pace=f"{scenario.population.pace_s:g}",
        offered=f"{offered:g}",
        came=f"{result.value or 0.0:.4g}",
    )
    return ErratumSeen(id="rollout.week2.rate_without_margin", seen=str(told), told=(told,))
