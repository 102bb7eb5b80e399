"""Time stamps as the cluster writes them."""

from __future__ import annotations

from harness.base.clock import Anchor
from harness.stack.kubernetes.watching import monotonic_ns


def test_a_time_stamp_on_the_one_clock() -> None:
    anchor = Anchor(monotonic_ns=5 * 10**9, unix_ns=1_700_000_000 * 10**9)
    assert monotonic_ns(anchor, "2023-11-14T22:13:30Z") == 15 * 10**9
