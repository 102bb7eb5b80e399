"""What the failures of a series are computed from is the steady state, not what the trials before it broke."""

from __future__ import annotations

import pytest

from harness.base.clock import NS
from harness.base.data import OVERLAYS
from harness.model.evidence import Row
from harness.rehearsals.chaos.flow import expect
from harness.rehearsals.chaos.kill_series import Detection, expected
from harness.rehearsals.chaos.types import Repeated
from harness.run.scenarios.load import load
from harness.stack.manifests import load as load_manifests
from tests.deploys.made import gathered, probe


def test_probes_that_a_trial_broke_are_no_latency_of_the_steady_state() -> None:
    """Of the last 200 ten were given up after 2 s when the last trial killed a pod: the others took 10 ms."""
    rows: list[Row] = [
        probe(number, number * NS // 10, good=not broke, took_ns=2 * NS if broke else NS // 100)
        for number in range(250)
        for broke in [100 <= number < 110]
    ]
    series = expect(
        Repeated(every_s=20, times=15),
        gathered(*rows),
        load_manifests(OVERLAYS / "kind"),
        load("rollout_week4"),
        Detection(),
    )
    assert series.latency_s == pytest.approx(0.01)
    assert expected(series).most == 2  # 15 kills, 10.5 requests a second that can break, of 10 ms
