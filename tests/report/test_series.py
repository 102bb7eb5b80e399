"""The series of the timeline are what the rows say, to the bucket."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness.report.series import Axis, Timeline, _percentiles, load_timeline, width_for
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.evidence import (
    EventRow,
    FlagRow,
    Operation,
    Outcome,
    ProbeRow,
    RequestRow,
    Row,
    SampleRow,
    SessionRow,
    Side,
)
from harness.report.panels import bar_path, step_path
from harness.report.scale import clock, linear, milliseconds, time_ticks
from tests.report.runs import PLAIN
from tests.report.synthetic import ANCHOR, write

NS = 1_000_000_000
START = ANCHOR.monotonic_ns


def request(due_s: float, latency_s: float, side: Side = Side.API, outcome: Outcome = Outcome.OK) -> RequestRow:
    due_ns = START + int(due_s * NS)
    return RequestRow(
        operation_id=f"o{due_s}", user="u1", audience="general", side=side, operation=Operation.LIST_WALKS,
        due_ns=due_ns, sent_ns=due_ns, done_ns=due_ns + int(latency_s * NS), status=200, outcome=outcome,
        acknowledged=False, payload_digest="", flag=True,
    )  # fmt: skip


def probe(due_s: float, outcome: Outcome) -> ProbeRow:
    due_ns = START + int(due_s * NS)
    return ProbeRow(
        probe_id=0, user="c", method="GET", due_ns=due_ns, sent_ns=due_ns, done_ns=due_ns + 1, status=200, outcome=outcome
    )  # fmt: skip


def timeline(tmp_path: Path, rows: list[Row]) -> Timeline:
    folder = write(tmp_path / "run", PLAIN, rows)
    found = load_timeline(folder / "evidence.sqlite")
    assert found is not None
    return found


def test_offered_counts_by_due_time_and_completed_by_answer(tmp_path: Path) -> None:
    found = timeline(tmp_path, [request(0, 0.1), request(0.5, 2.0), request(1.2, 3.3)])
    assert found.axis.fine_s == 1
    api = found.sides[Side.API]
    assert api.offered.tolist() == [2, 1, 0, 0, 0]
    assert api.completed.tolist() == [1, 0, 1, 0, 1]
    assert Side.FIRESTORE not in found.sides


def test_errors_fall_into_their_groups(tmp_path: Path) -> None:
    rows: list[Row] = [request(number / 10, 0.01, outcome=outcome) for number, outcome in enumerate(Outcome)]
    errors = timeline(tmp_path, rows).sides[Side.API].errors
    assert [group.sum() for group in errors] == [1, 2, 3, 2]


def test_probes_good_and_bad(tmp_path: Path) -> None:
    found = timeline(tmp_path, [probe(0, Outcome.OK), probe(0.1, Outcome.TIMEOUT), probe(1.5, Outcome.OK)])
    assert found.probes_good is not None
    assert found.probes_bad is not None
    assert found.probes_good.tolist() == [1, 1]
    assert found.probes_bad.tolist() == [1, 0]


def test_users_follow_session_and_flag(tmp_path: Path) -> None:
    def at(seconds: float) -> int:
        return START + int(seconds * NS)

    def flag(seconds: float, user: str, value: bool) -> FlagRow:
        return FlagRow(at_ns=at(seconds), user=user, value=value, template_version=1, fetched=True)

    rows: list[Row] = [
        flag(0, "a", True),  # before its session: counts for nothing yet
        SessionRow(at_ns=at(0.5), user="a", audience="general", live=True),
        SessionRow(at_ns=at(1.5), user="b", audience="general", live=True),
        flag(1.6, "b", False),
        flag(2.1, "a", True),  # fetched again, unchanged
        flag(3.5, "a", False),
        SessionRow(at_ns=at(4.5), user="b", audience="general", live=False),
        SampleRow(at_ns=at(6), metric="replicas", subject="d", value=2),
    ]
    users = timeline(tmp_path, rows).users
    assert users[Side.API].tolist()[:6] == [1, 1, 1, 0, 0, 0]
    assert users[Side.FIRESTORE].tolist()[:6] == [0, 1, 1, 2, 1, 1]


def test_pods_are_summed_and_one_that_is_gone_leaves_the_sum(tmp_path: Path) -> None:
    rows: list[Row] = []
    for second in range(60):
        at_ns = START + second * NS
        rows.append(SampleRow(at_ns=at_ns, metric="cpu_cores", subject="pod/a", value=1.0))
        rows.append(SampleRow(at_ns=at_ns, metric="cpu_cores", subject="component/postgres", value=50.0))
        if second < 20:
            rows.append(SampleRow(at_ns=at_ns, metric="cpu_cores", subject="pod/b", value=2.0))
    cpu = timeline(tmp_path, rows).gauges["cpu_cores"]
    assert cpu[10] == 3
    assert cpu[-1] == 1


def test_pods_are_known_by_their_events_too(tmp_path: Path) -> None:
    rows: list[Row] = [EventRow(at_ns=START, kind="pod", subject="api-1", message="Ready")]
    for second in range(5):
        for subject in ("api-1", "postgres"):
            rows.append(SampleRow(at_ns=START + second * NS, metric="cpu_cores", subject=subject, value=1.0))
    assert timeline(tmp_path, rows).gauges["cpu_cores"].tolist() == [1.0] * 4


def test_a_slow_start_does_not_squeeze_the_judged_part(tmp_path: Path) -> None:
    rows: list[Row] = [SampleRow(at_ns=START, metric="replicas", subject="d", value=2)]
    rows += [request(1000 + number, 0.01) for number in range(100)]
    assert timeline(tmp_path, rows).axis.seconds < 130


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 29), st.integers(1, 10_000)), min_size=1, max_size=200))
def test_percentiles_are_the_values_of_nearest_rank(samples: list[tuple[int, int]]) -> None:
    axis = Axis(0, 30 * NS, 1, 10)
    index = axis.index(np.array([second * NS for second, _ in samples], dtype=np.int64), 10)
    latency = np.array([float(value) for _, value in samples])
    for quantile, series in zip((0.5, 0.95, 0.99), _percentiles(axis, index, latency), strict=True):
        for bucket, value in enumerate(series):
            inside = sorted(latency[index == bucket])
            if not inside:
                assert np.isnan(value)
            else:
                assert value == np.quantile(inside, quantile, method="inverted_cdf")


@pytest.mark.parametrize("seconds", [0.5, 1, 59, 200, 3600, 86_400, 28 * 86_400, 10 * 365 * 86_400])
def test_axes_stay_readable_at_any_length(seconds: float) -> None:
    axis = Axis(0, int(seconds * NS), width_for(seconds, 120), width_for(seconds, 20))
    assert axis.buckets(axis.fine_s) <= 600
    if seconds <= 28 * 86_400:
        assert axis.buckets(axis.fine_s) <= 120
        assert len(time_ticks(axis)) <= 10


def test_paths_leave_gaps_and_join_equal_steps() -> None:
    edges = np.array([0, 100, 200, 300, 400.0])
    assert step_path(edges, np.array([5, 5, np.nan, 7.0])) == "M0 5H200M300 7H400"
    assert step_path(edges, np.array([5, 6, 6, 7.0])) == "M0 5H100V6H300V7H400"
    assert step_path(edges, np.full(4, np.nan)) == ""
    assert (
        bar_path(edges, np.full(4, 100.0), np.array([100, 40, 100, 0.0])) == "M100 100V40H200V100ZM300 100V0H400V100Z"
    )


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=20))
def test_linear_scales_hold_every_value(values: list[float]) -> None:
    scale = linear([np.array(values)])
    assert scale.high >= max(values)
    assert 2 <= len(scale.ticks) <= 6
    assert scale.ticks[0].label == "0"
    assert ((scale.y(np.array(values)) >= 0) & (scale.y(np.array(values)) <= 100)).all()


@given(st.lists(st.floats(0, 1e7), max_size=20))
def test_the_latency_scale_holds_every_value_and_the_limit(values: list[float]) -> None:
    scale = milliseconds([np.array(values)], [500.0])
    assert scale.low <= 500 <= scale.high
    assert scale.high >= max(values, default=0)
    assert len(scale.ticks) >= 2


def test_times_read_as_people_write_them() -> None:
    assert [clock(s) for s in (0, 65, 3_661, 90_061)] == ["0:00", "1:05", "1:01:01", "1 d 01:01"]
