"""The stretch of a run that is judged."""

from __future__ import annotations

import msgspec

from harness.base.ticks import NS
from harness.model.scenario import PopulationPlan


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Half-open: ``start_ns <= t < end_ns`` on the run's monotonic clock."""

    start_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end_ns - self.start_ns) / NS


def of_step(window: Window, plan: PopulationPlan, at_s: float | None) -> Window:
    """The part of ``window``, which begins with the load, in which the step of ``plan`` lasts that begins at ``at_s``;
    all of it for ``None``, nothing of it where it ends before.
    """
    if at_s is None:
        return window
    first_s, last_s = plan.stretch(at_s)
    start_ns = min(window.end_ns, window.start_ns + round(first_s * NS))
    seconds = min(last_s, window.seconds)
    return Window(start_ns=start_ns, end_ns=max(start_ns, min(window.end_ns, window.start_ns + round(seconds * NS))))
