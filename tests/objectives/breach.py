"""When an alert must fire in a planted breach, in closed form: what rules and our own evaluation are held to."""

from __future__ import annotations

import math

import msgspec


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """A breach as it is planted: at a steady rate of requests the bad share is ``planted`` for ``lasts_s``,
    and else none; it is watched over ``window_s``, every ``every_s``, against ``limit``, held for ``for_s``."""

    planted: float
    limit: float
    window_s: float
    for_s: float
    every_s: float
    lasts_s: float

    @property
    def crosses_after_s(self) -> float | None:
        """When the share over the window exceeds the limit: ``planted * t / window > limit``. ``None``: never."""
        if self.planted <= self.limit:
            return None
        crossing_s = self.window_s * self.limit / self.planted
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
