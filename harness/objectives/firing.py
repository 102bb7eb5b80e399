"""When an alert must fire: by evaluation, as Prometheus does it, and in closed form for a planted breach."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec


class State(StrEnum):
    """Of an alert at an evaluation."""

    QUIET = "quiet"
    PENDING = "pending"
    FIRING = "firing"


def states(exceeds: Iterable[tuple[int, bool]], for_ms: int) -> list[tuple[int, State]]:
    """Of each evaluation, as (ms, whether the expression held): pending from the first that held, firing from the first
    that is ``for_ms`` behind it, quiet at once when one does not hold."""
    found: list[tuple[int, State]] = []
    since: int | None = None
    for at_ms, held in exceeds:
        since = (at_ms if since is None else since) if held else None
        lasted_ms = -1 if since is None else at_ms - since
        found.append((at_ms, State.FIRING if lasted_ms >= for_ms else State.QUIET if lasted_ms < 0 else State.PENDING))
    return found


class Spell(msgspec.Struct, frozen=True):
    """A stretch of firing: the first evaluation in it, and the first behind it (``None``: it went on)."""

    fired_ms: int
    resolved_ms: int | None


def spells(seen: Sequence[tuple[int, State]]) -> list[Spell]:
    """Every stretch of firing, oldest first."""
    found: list[Spell] = []
    begun: int | None = None
    for at_ms, state in seen:
        if state is State.FIRING and begun is None:
            begun = at_ms
        elif state is not State.FIRING and begun is not None:
            found.append(Spell(begun, at_ms))
            begun = None
    if begun is not None:
        found.append(Spell(begun, None))
    return found


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """A breach as it is planted: at a steady rate of requests the bad share is ``before`` all along, and ``planted``
    for ``lasts_s``; it is watched over ``window_s``, every ``every_s``, against ``limit``, held for ``for_s``."""

    planted: float
    limit: float
    window_s: float
    for_s: float
    every_s: float
    lasts_s: float
    before: float = 0.0

    @property
    def crosses_after_s(self) -> float | None:
        """When the share over the window exceeds the limit: ``before + (planted - before) * t / window > limit``.
        ``None``: never."""
        if self.before > self.limit:
            return 0.0
        if self.planted <= self.limit:
            return None
        crossing_s = self.window_s * (self.limit - self.before) / (self.planted - self.before)
        return crossing_s if crossing_s < self.lasts_s else None

    @property
    def held_s(self) -> float:
        """How long it exceeds the limit: until the window has forgotten so much of the breach that what it still covers
        is what the crossing took."""
        crossing_s = self.crosses_after_s
        return 0.0 if crossing_s is None else self.lasts_s + self.window_s - 2 * crossing_s

    @property
    def must_fire(self) -> bool:
        """Whether it is held for long enough wherever the evaluations fall."""
        return self.held_s >= self.for_s + 2 * self.every_s

    @property
    def may_fire(self) -> bool:
        """Whether there are places of the evaluations at which it fires."""
        return self.held_s > self.for_s

    @property
    def fires_after_s(self) -> tuple[float, float] | None:
        """The first and the last moment, after the breach began, of the evaluation that fires; ``None``: never."""
        crossing_s = self.crosses_after_s
        if crossing_s is None or not self.may_fire:
            return None
        held_s = math.ceil(self.for_s / self.every_s - 1e-9) * self.every_s
        return crossing_s + held_s, crossing_s + self.every_s + held_s

    @property
    def resolves_after_s(self) -> tuple[float, float] | None:
        """The same of the evaluation that resolves it."""
        crossing_s = self.crosses_after_s
        if crossing_s is None:
            return None
        forgotten_s = crossing_s + self.held_s
        return forgotten_s, forgotten_s + self.every_s
