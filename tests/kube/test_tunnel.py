"""When the way into the cluster is itself what is slow: an error of the measurement, told as one."""

from __future__ import annotations

import pytest

from harness.base.errors import Exit, PartDied
from harness.stack.kube.stack import SLOW_MS, Patience, RoundTrip


def heard(*trips: tuple[str, float]) -> None:
    patience = Patience()
    for name, took_ms in trips:
        patience.heard(RoundTrip(name, took_ms))


def test_two_slow_round_trips_in_a_row_end_the_run_without_a_verdict() -> None:
    with pytest.raises(PartDied, match=r"18\.4 s for a round trip, 2 times in a row") as told:
        heard(("service", SLOW_MS + 1), ("service", 18_400))
    assert told.value.exit is Exit.RUN_BROKEN


def test_one_slow_round_trip_is_chance() -> None:
    heard(("service", 9000), ("service", SLOW_MS), ("service", 9000), ("service", 4))


def test_only_the_service_s_way_is_judged() -> None:
    heard(*[("storage", 20_000)] * 5)
