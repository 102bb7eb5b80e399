"""Whether a breach was one: what users saw in its ten seconds, at the limits of its alert and of its objective."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.base.clock import NS
from harness.evidence.store import Gathered
from harness.model.evidence import RequestRow, Side
from harness.rehearsals.alert_drill.facts import shown
from harness.rehearsals.alert_drill.types import AlertDrillDetails, PlantedBreach
from tests.alert_drill.made import PLANNED
from tests.rules.evidence import START_NS, probe, request

_PROBE_MS = 10


def calls(
    count: int, took_ms: int = 20, *, status: int = 200, done_ms: int = 25_000, side: Side = Side.API
) -> list[RequestRow]:
    """So many of users, each done then."""
    due_s = (done_ms - took_ms) / 1000
    return [request(due_s, f"u{n:04}-{status}", latency_ms=took_ms, status=status, side=side) for n in range(count)]


def broke(trial: str, *rows: Sequence[RequestRow], probes_ms: Sequence[int] = (25_000,)) -> bool:
    """Whether a trial that took place from 20 to 30 s did to users what it was to."""
    evidence = Gathered()
    evidence.see(row for each in rows for row in each)
    evidence.see(probe((at_ms - _PROBE_MS) / 1000, latency_ms=_PROBE_MS) for at_ms in probes_ms)
    at = PlantedBreach(trial=trial, begun_ns=START_NS + 20 * NS, ended_ns=START_NS + 30 * NS)
    found = shown(PLANNED, AlertDrillDetails(planted=[at]), evidence)
    assert found <= {trial}
    return trial in found


@pytest.mark.parametrize(
    ("trial", "failed", "is_shown"),
    [
        ("errors", 3, False),
        ("errors", 4, True),
        ("errors", 100, True),
        ("errors_too_short", 3, False),
        ("errors_too_short", 4, True),
        ("outage", 4, True),
        ("errors_below_limit", 1, False),
        ("errors_below_limit", 2, True),
        ("errors_below_limit", 3, True),
        ("errors_below_limit", 4, False),
    ],
)
@pytest.mark.parametrize("status", [503, 429, 0])
def test_a_breach_of_errors_is_above_the_alert_s_3_percent_or_between_1_and_3(
    trial: str, failed: int, status: int, *, is_shown: bool
) -> None:
    """Of a hundred calls."""
    assert broke(trial, calls(failed, status=status), calls(100 - failed)) is is_shown


@pytest.mark.parametrize(
    ("trial", "slow", "is_shown"),
    [
        ("latency", {601: 5}, False),
        ("latency", {601: 6}, True),
        ("latency", {600: 6}, False),
        ("latency_too_short", {601: 6}, True),
        ("latency_below_limit", {501: 5}, False),
        ("latency_below_limit", {501: 6}, True),
        ("latency_below_limit", {500: 6}, False),
        # most of the slow ones have to lie below the alert's limit
        ("latency_below_limit", {501: 20, 601: 20}, False),
        ("latency_below_limit", {501: 21, 601: 20}, True),
        ("latency_below_limit", {501: 21, 600: 20}, True),
        ("latency_below_limit", {601: 6}, False),
    ],
)
def test_a_slow_breach_is_above_the_alert_s_600_ms_or_between_it_and_the_objective_s_500(
    trial: str, slow: dict[int, int], *, is_shown: bool
) -> None:
    """For more than five of a hundred calls."""
    rows = [calls(count, took_ms) for took_ms, count in slow.items()]
    assert broke(trial, *rows, calls(100 - sum(slow.values()))) is is_shown


def test_what_was_never_answered_is_not_slow() -> None:
    """It is an error: neither it nor its time counts."""
    assert broke("latency", calls(6, 601), calls(54), calls(60, status=0))
    assert not broke("latency", calls(5, 601), calls(6, 601, status=0), calls(95))


@pytest.mark.parametrize(("done_ms", "is_shown"), [(19_999, False), (20_000, True), (30_000, True), (30_001, False)])
def test_a_breach_is_seen_by_what_ended_in_it(done_ms: int, *, is_shown: bool) -> None:
    """The calls of users, and a probe beside them."""
    assert broke("errors", calls(4, status=503, done_ms=done_ms), calls(96)) is is_shown
    assert broke("errors", calls(4, status=503), calls(96), probes_ms=[done_ms]) is is_shown


@pytest.mark.parametrize(
    "trial", ["errors", "errors_below_limit", "latency", "latency_below_limit", "latency_too_short", "outage"]
)
def test_without_a_call_no_breach_is_seen(trial: str) -> None:
    assert not broke(trial)


def test_calls_without_a_probe_beside_them_and_those_to_firestore_show_no_breach() -> None:
    assert not broke("errors", calls(4, status=503), calls(96), probes_ms=[])
    assert not broke("errors", calls(4, status=503, side=Side.FIRESTORE), calls(96))
    assert broke("errors", calls(4, status=503), calls(96), calls(100, side=Side.FIRESTORE))
