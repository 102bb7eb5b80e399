"""When the faults of a series are due."""

from __future__ import annotations

from harness.rehearsals.chaos.bridge import due_s


def test_a_series_does_not_fall_in_step_with_evenly_spaced_arrivals() -> None:
    dues = [due_s(number, 20.0) for number in range(15)]
    assert dues[0] == 0.0
    for number, due in enumerate(dues):
        assert 0 <= due - number * 20.0 < 1
    for rate_per_s in (1, 3, 5, 10):  # of arrivals: each fifth of the time between two of them is met
        phases = {int(due * rate_per_s % 1 * 5) for due in dues}
        assert phases == {0, 1, 2, 3, 4}, rate_per_s
