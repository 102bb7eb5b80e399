"""The kubelet's crash-loop back-off."""

from __future__ import annotations

import pytest

from harness.control.backoff import restart_delay_s, restarts_after_run


def test_the_delays_are_kubernetes_own() -> None:
    assert [restart_delay_s(n) for n in range(9)] == [0, 10, 20, 40, 80, 160, 300, 300, 300]
    assert restart_delay_s(10**9) == 300


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        restart_delay_s(-1)


def test_ten_minutes_without_a_problem_reset_the_count() -> None:
    assert restarts_after_run(5, 599) == 5
    assert restarts_after_run(5, 600) == 5  # client-go: "more than" twice the maximum
    assert restarts_after_run(5, 600.001) == 0
