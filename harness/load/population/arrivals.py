"""When the requests of an open-loop step are due. Pure and seeded."""

from __future__ import annotations

import math

from harness.base.seed import stream
from harness.base.ticks import NS
from harness.model.scenario import Arrivals, Step


def offsets_ns(step: Step, seed: int) -> list[int]:
    """Every due time within ``step.seconds`` of its start, ascending; [] for a closed loop.

    ``even``: one each ``1 / rate``. ``poisson``: independent exponential gaps, as of many users who do not know of
    each other.
    """
    if step.arrivals is Arrivals.CLOSED or step.rate_per_s <= 0:
        return []
    if step.arrivals is Arrivals.EVEN:
        # Rounded first: 0.2/s in 300 s is 60 requests, whatever the product of the doubles says.
        return [round(k * NS / step.rate_per_s) for k in range(math.ceil(round(step.rate_per_s * step.seconds, 6)))]
    chance = stream(seed, f"arrivals:{step.name}")
    found: list[int] = []
    at_s = 0.0
    while (at_s := at_s - math.log(1.0 - chance.random()) / step.rate_per_s) < step.seconds:
        found.append(round(at_s * NS))
    return found


def due_of_step(step: Step, seed: int, start_ns: int) -> list[int] | None:
    """When each request is due of the step that began at ``start_ns``; ``None`` of a closed loop: it has no plan."""
    if step.arrivals is Arrivals.CLOSED:
        return None
    return [start_ns + offset_ns for offset_ns in offsets_ns(step, seed)]
