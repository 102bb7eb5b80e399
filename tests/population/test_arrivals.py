"""When the requests of a step are due."""

from __future__ import annotations

import itertools

import pytest

from harness.base.ticks import NS
from harness.load.population.arrivals import offsets_ns
from harness.model.scenario import Arrivals, Step


def step(arrivals: Arrivals, rate_per_s: float, seconds: float, name: str = "s") -> Step:
    return Step(name=name, arrivals=arrivals, rate_per_s=rate_per_s, seconds=seconds, users=10)


@pytest.mark.parametrize(("rate", "seconds", "count"), [(0.2, 300, 60), (10, 60, 600), (1, 65, 65), (3, 0.5, 2)])
def test_even_arrivals_are_counted_exactly(rate: float, seconds: float, count: int) -> None:
    found = offsets_ns(step(Arrivals.EVEN, rate, seconds), 1)
    assert len(found) == count
    assert found[0] == 0
    assert all(abs(b - a - NS / rate) <= 1 for a, b in itertools.pairwise(found))


def test_poisson_arrivals_have_the_rate_and_the_spread_of_poisson() -> None:
    found = offsets_ns(step(Arrivals.POISSON, 100, 200), 7)
    gaps = [(b - a) / NS for a, b in itertools.pairwise(found)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert found == sorted(found)
    assert found[-1] < 200 * NS
    assert mean == pytest.approx(0.01, rel=0.03)
    assert spread == pytest.approx(mean, rel=0.05)


def test_the_seed_and_the_step_choose_the_arrivals() -> None:
    once = offsets_ns(step(Arrivals.POISSON, 50, 5), 1)
    assert once == offsets_ns(step(Arrivals.POISSON, 50, 5), 1)
    assert once != offsets_ns(step(Arrivals.POISSON, 50, 5), 2)
    assert once != offsets_ns(step(Arrivals.POISSON, 50, 5, name="other"), 1)


def test_a_closed_loop_has_no_due_times() -> None:
    assert offsets_ns(step(Arrivals.CLOSED, 50, 5), 1) == []
