"""The seeded schedule of experiments: the same seed draws the same, and prints it first. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.base.seed import stream


def draw(names: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
    """``count`` of ``names``, each drawn independently, so that faults meet each other's traces."""
    chance = stream(seed, "chaos")
    return tuple(names[int(chance.random() * len(names))] for _ in range(count))
