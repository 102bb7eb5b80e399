"""The series of the timeline are what the rows say, to the bucket."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.ticks import NS
from harness.evidence.store import Gathered
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
from harness.report.series import MeasuredSeries, TimeAxis, _percentiles, series_of

START = 1_000 * NS


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
        probe_id=round(due_s * 10), user="c", method="GET", due_ns=due_ns, sent_ns=due_ns, done_ns=due_ns + 1, status=200,
        outcome=outcome,
    )  # fmt: skip


def timeline(rows: list[Row]) -> MeasuredSeries:
    gathered = Gathered()
    gathered.see(rows)
    found = series_of(gathered)
    assert found is not None
    return found


def test_offered_counts_by_due_time_and_completed_by_answer() -> None:
    found = timeline([request(0, 0.1), request(0.5, 2.0), request(1.2, 3.3)])
    assert found.axis.fine_s == 1
    api = found.sides[Side.API]
    assert api.offered.tolist() == [2, 1, 0, 0, 0]
    assert api.completed.tolist() == [1, 0, 1, 0, 1]
    assert Side.FIRESTORE not in found.sides


def test_errors_fall_into_their_groups() -> None:
    rows: list[Row] = [request(number / 10, 0.01, outcome=outcome) for number, outcome in enumerate(Outcome)]
    errors = timeline(rows).sides[Side.API].errors
    assert [group.sum() for group in errors] == [1, 2, 3, 2]


def test_probes_good_and_bad() -> None:
    found = timeline([probe(0, Outcome.OK), probe(0.1, Outcome.TIMEOUT), probe(1.5, Outcome.OK)])
    assert found.probes_good is not None
    assert found.probes_bad is not None
    assert found.probes_good.tolist() == [1, 1]
    assert found.probes_bad.tolist() == [1, 0]


def test_users_follow_session_and_flag() -> None:
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
    users = timeline(rows).users
    assert users[Side.API].tolist()[:6] == [1, 1, 1, 0, 0, 0]
    assert users[Side.FIRESTORE].tolist()[:6] == [0, 1, 1, 2, 1, 1]


def test_pods_are_summed_and_one_that_is_gone_leaves_the_sum() -> None:
    rows: list[Row] = []
    for second in range(60):
        at_ns = START + second * NS
        rows.append(SampleRow(at_ns=at_ns, metric="cpu_cores", subject="pod/a", value=1.0))
        rows.append(SampleRow(at_ns=at_ns, metric="cpu_cores", subject="component/postgres", value=50.0))
        if second < 20:
            rows.append(SampleRow(at_ns=at_ns, metric="cpu_cores", subject="pod/b", value=2.0))
    cpu = timeline(rows).gauges["cpu_cores"]
    assert cpu[10] == 3
    assert cpu[-1] == 1


def test_pods_are_known_by_their_events_too() -> None:
    rows: list[Row] = [EventRow(at_ns=START, kind="pod", subject="api-1", message="Ready")]
    for second in range(5):
        for subject in ("api-1", "postgres"):
            rows.append(SampleRow(at_ns=START + second * NS, metric="cpu_cores", subject=subject, value=1.0))
    assert timeline(rows).gauges["cpu_cores"].tolist() == [1.0] * 4


def test_a_slow_start_does_not_squeeze_the_judged_part() -> None:
    rows: list[Row] = [SampleRow(at_ns=START, metric="replicas", subject="d", value=2)]
    rows += [request(1000 + number, 0.01) for number in range(100)]
    assert timeline(rows).axis.seconds < 130


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 29), st.integers(1, 10_000)), min_size=1, max_size=200))
def test_percentiles_are_the_values_of_nearest_rank(samples: list[tuple[int, int]]) -> None:
    axis = TimeAxis(0, 30 * NS, 1, 10, 0)
    index = axis.index(np.array([second * NS for second, _ in samples], dtype=np.int64), 10)
    latency = np.array([float(value) for _, value in samples])
    for quantile, series in zip((0.5, 0.95, 0.99), _percentiles(axis, index, latency), strict=True):
        for bucket, value in enumerate(series):
            inside = sorted(latency[index == bucket])
            if not inside:
                assert np.isnan(value)
            else:
                assert value == np.quantile(inside, quantile, method="inverted_cdf")
