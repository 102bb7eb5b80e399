"""Times and durations as the cluster writes them."""

from __future__ import annotations

import pytest

from harness.base.clock import Anchor
from harness.stack.kubernetes.times import duration_s, monotonic_ns


@pytest.mark.parametrize(
    ("text", "seconds"), [("15.123s", 15.123), ("1m30.098s", 90.098), ("98ms", 0.098), ("1h0m0s", 3600), ("2m0s", 120)]
)
def test_durations_of_go(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "15", "s", "1m 30s", "1x"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration_s(text)


def test_a_time_stamp_on_the_one_clock() -> None:
    anchor = Anchor(monotonic_ns=5 * 10**9, unix_ns=1_700_000_000 * 10**9)
    assert monotonic_ns(anchor, "2023-11-14T22:13:30Z") == 15 * 10**9
