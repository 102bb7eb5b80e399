"""What a real Prometheus made of a team's own rules over a run's course."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.rules.objectives.firing import Spell

#: How often a run's evidence is told as if it had been scraped (s of the document's time).
SCRAPE_S = 15.0


class BreachStretch(msgspec.Struct, frozen=True, kw_only=True):
    """A breach in the document's time (s from the course's begin)."""

    name: str
    begin_s: float
    end_s: float


class SeriesHeld(msgspec.Struct, frozen=True, kw_only=True):
    """A series of a rule's query: how long it held without a gap at most, and each stretch in which the alert fires
    (ms of the document's time from the course's begin)."""

    labels: dict[str, str]
    longest_s: float
    spells: tuple[Spell, ...]


class QueryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What Prometheus made of a rule's query: its ``tree``, {} where it is none of PromQL; what it ``refused`` it for;
    what ``held``."""

    tree: dict[str, Any] = {}
    refused: str = ""
    held: tuple[SeriesHeld, ...] = ()


class QueriedRules(msgspec.Struct, frozen=True, kw_only=True):
    """The plan's ``theirs`` over a run's evidence, of ``seconds`` in the document's time, of which the run's were
    divided by ``scale``: an answer for each, in order; by metric and label the values that are ``emitted``; the
    ``course`` of its breaches, () of a run that planted none. ``run`` is its id, "" for the drill itself."""

    seconds: float
    scale: float
    answers: tuple[QueryAnswer, ...]
    emitted: dict[str, dict[str, tuple[str, ...]]]
    course: tuple[BreachStretch, ...] = ()
    run: str = ""
