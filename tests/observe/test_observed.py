"""Real weeks judged from recorded telemetry: counters and histograms, lines, exports; gaps, resets, and what is not carried."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.base.clock import NS
from harness.base.errors import Exit
from harness.cli.main import main
from harness.model.evidence import Window
from harness.model.judgement import Decision, Judgement, Verdict
from harness.model.result import Result
from harness.model.section import Table
from harness.report.published import RESULT, RESULT_JSON
from harness.rules.observed import CounterSamples, Gap, Observed, counted, judge_observed
from harness.run.scenarios.load import load

BEGAN = datetime(2026, 12, 2, 10, tzinfo=UTC)
WEEK1, WEEK3 = load("rollout_week1"), load("rollout_week3")
PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
WINDOW = Window(start_ns=0, end_ns=600 * NS)
AT = [15 * number for number in range(41)]
EDGES = (0.1, 0.4, 0.5, 0.6, float("inf"))


def counter(values: list[float], at_s: list[int] = AT, **more: Any) -> CounterSamples:
    given: dict[str, Any] = {"instance": "a", "path": "/v1/walks", "status": 200, **more}
    return CounterSamples(times_ns=[at * NS for at in at_s], values=values, **given)


def growing(by: float, at_s: list[int] = AT, start: float = 500) -> list[float]:
    return [start + by * number for number in range(len(at_s))]


def histogram(*shares: float, by: int = 100) -> list[CounterSamples]:
    """So many of each ``by`` answers in each bucket."""
    upto = [sum(shares[: number + 1]) for number in range(len(shares))]
    return [counter(growing(by * share), upper_s=edge) for share, edge in zip(upto, EDGES, strict=True)]


def judged(seen: Observed, scenario: Any = WEEK3) -> dict[str, Judgement]:
    return {each.id: each for each in judge_observed(scenario, seen)}


# -- counters -----------------------------------------------------------------------------------------------------------


def test_ratios_are_those_of_the_counters() -> None:
    seen = counted([counter(growing(50)), counter(growing(1), ok=False, status=503)], WINDOW)
    found = judged(seen)["success.error_ratio"]
    assert (found.samples, found.value, found.verdict) == (51 * 40, pytest.approx(1 / 51), FAIL)  # type: ignore[comparison-overlap]
    assert judged(seen)["rollback.availability.users"].fired


def test_a_reset_is_told_and_counted_from_zero() -> None:
    values = growing(50)[:20] + growing(50, start=10)[:21]
    seen = counted([counter(values)], WINDOW)
    assert seen.gaps == (Gap(begin_ns=285 * NS, end_ns=300 * NS, reset="a"),)
    assert len(seen.requests) == 19 * 50 + 10 + 20 * 50


@pytest.mark.parametrize(("again", "lost"), [(False, False), (True, True)])
def test_a_gap_of_two_minutes_is_told_and_what_nobody_counted_counts_as_failed(again: bool, lost: bool) -> None:
    at_s = [at for at in AT if not 300 < at < 420]
    values = [500 + 50 * at / 15 - (500 + 50 * 28 if again and at >= 420 else 0) for at in at_s]
    seen = counted([counter(values, at_s)], WINDOW)
    assert seen.gaps[0] == Gap(begin_ns=300 * NS, end_ns=420 * NS, lost=lost)
    found = judged(seen)["success.error_ratio"]
    assert found.verdict is (UNKNOWN if lost else PASS) and found.holds == lost
    assert ("are not in evidence" in found.reason) == lost


def test_a_series_that_comes_later_began_at_zero_and_so_did_a_new_pod() -> None:
    late = counter([3, 3, 4], AT[-3:], ok=False, status=500)
    pod = counter([30, 60], AT[-2:], instance="b")
    seen = counted([counter(growing(50)), late, pod], WINDOW)
    assert int((~seen.requests["ok"]).sum()) == 4 and len(seen.requests) == 2000 + 4 + 60
    first = counted([counter(growing(50)), counter(growing(9), instance="b")], WINDOW)
    assert len(first.requests) == 59 * 40, "what counters had before the first sample is nobody's of the stretch"


def test_samples_of_before_are_what_a_stretch_begins_with() -> None:
    assert len(counted([counter(growing(50))], Window(start_ns=300 * NS, end_ns=600 * NS)).requests) == 50 * 20


@pytest.mark.parametrize(
    ("shares", "verdict", "told"),
    [
        ((0.96, 0.04, 0, 0, 0), PASS, "p95 lies between 0 ms and 100 ms"),
        ((0.5, 0.4, 0.1, 0, 0), PASS, "p95 lies between 400 ms and 500 ms"),
        ((0.5, 0.4, 0, 0.1, 0), FAIL, "p95 lies between 500 ms and 600 ms"),
        ((0.5, 0.4, 0, 0, 0.1), FAIL, "p95 lies above 600 ms, beyond the last edge"),
    ],
)
def test_p95_is_the_interval_of_its_bucket(shares: tuple[float, ...], verdict: Verdict, told: str) -> None:
    found = judged(counted([counter(growing(100)), *histogram(*shares)], WINDOW))["success.latency_p95"]
    assert found.verdict is verdict and found.reason.startswith(told)


def test_a_limit_within_the_bucket_is_inconclusive_and_holds() -> None:
    edges = [counter(growing(share), upper_s=edge) for share, edge in ((90, 0.4), (100, 0.6))]
    found = judged(counted([counter(growing(100)), *edges], WINDOW))["success.latency_p95"]
    assert found.verdict is UNKNOWN and found.holds and "what the buckets leave open" in found.reason
    slow = judged(counted([counter(growing(100)), *edges], WINDOW), WEEK1)
    assert [each for each in slow.values() if each.fired] == []


def test_what_counters_cannot_carry_gates_nothing_and_probes_are_a_counter_of_their_own() -> None:
    requests, fast = counter(growing(100)), histogram(1, 0, 0, 0, 0)
    seen = counted([requests, *fast], WINDOW)
    found = judged(seen)
    for name in ("success.concurrent_users", "success.availability", "rollback.availability"):
        assert found[name].verdict is UNKNOWN and not found[name].gates and "this telemetry" in found[name].reason
    probes = [counter(growing(150), probe=True), counter(growing(15), probe=True, ok=False)]
    asked = judged(counted([requests, *fast, *probes], WINDOW))
    assert asked["rollback.availability"].fired and asked["rollback.availability"].value == pytest.approx(10 / 11)
    assert asked["success.error_ratio"].value == 0.0
    alone = judged(counted([requests], WINDOW))["success.latency_p95"]
    assert (alone.verdict, alone.gates) == (UNKNOWN, False)


# -- files --------------------------------------------------------------------------------------------------------------


def at(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def line(seconds: float, user: int, status: int = 200, **more: Any) -> dict[str, Any]:
    return {"message": "Request", "timestamp": at(seconds), "method": "GET", "route": "/v1/walks/{id}", "status": status,
            "duration_ms": 40.0, "user_id": f"user{user}", **more}  # fmt: skip


def log(folder: Path, *found: dict[str, Any]) -> str:
    path = folder / "pod.log"
    path.write_text("".join(json.dumps(each) + "\n" for each in found) + "not JSON\n" + '{"message": "Requ')
    return str(path)


def observe(folder: Path, *words: str) -> tuple[int, Result]:
    status = main(["observe", *words, "--reports", str(folder / "reports"), "-q"])
    (path,) = (folder / "reports").glob(f"*observe*/{RESULT_JSON}")
    assert (path.parent / "report.html").is_file()
    return status, RESULT.read(path)


def table(result: Result, title: str) -> list[tuple[str, ...]]:
    (found,) = [each for each in result.sections if isinstance(each, Table) and str(each.title) == title]
    return [tuple(map(str, row.cells)) for row in found.rows]


def by_id(result: Result) -> dict[str, Judgement]:
    return {each.id: each for each in result.judgements}


USUAL = [line(0.1 * number, number % 250) for number in range(1200)]


def test_a_log_carries_users_and_a_stretch_of_it_is_judged(tmp_path: Path) -> None:
    bad = [line(130 + number, 1, 500) for number in range(9)]
    path = log(tmp_path, *USUAL, *bad, {"message": "Walk created", "timestamp": at(3), "status": 500})
    status, result = observe(tmp_path, "rollout_week3", path, "--from", "log", "--begin", at(-1), "--end", at(120))
    assert (status, result.decision) == (Exit.OK, Decision.ADVANCE)
    found = by_id(result)
    assert (found["success.concurrent_users"].value, found["success.error_ratio"].samples) == (250, 1200)
    assert found["success.latency_p95"].value == 40.0
    assert "no rehearsal has judged it" in str(found["success.error_ratio"].notes[0])
    assert table(result, "Gaps and resets") == []


def test_a_whole_log_with_errors_is_rolled_back_and_a_status_may_be_expected(tmp_path: Path) -> None:
    path = log(tmp_path, *USUAL, *(line(120 + number / 10, 1, 404) for number in range(40)))
    status, result = observe(tmp_path / "one", "rollout_week3", path, "--from", "log")
    assert (status, result.decision) == (Exit.ROLLED_BACK, Decision.ROLL_BACK)
    assert table(result, "Answers by status") == [("200", "1,200", "good"), ("404", "40", "failed")]
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("expected: [404]\n")
    status, _ = observe(tmp_path / "two", "rollout_week3", path, "--from", "log", "--mapping", str(mapping))
    assert status == Exit.OK


def test_a_log_s_gap_of_two_minutes_is_told_and_holds(tmp_path: Path) -> None:
    path = log(tmp_path, *USUAL[:700], *(line(190 + 0.1 * number, number % 250) for number in range(700)))
    status, result = observe(tmp_path, "rollout_week3", path, "--from", "log", "--lang", "ja")
    assert status == Exit.HOLD
    assert table(result, "Gaps and resets")[0][2] == "a gap of 120 s: what came in it was not counted"


def test_a_log_without_lines_of_requests_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = log(tmp_path, {"message": "Walk API started", "timestamp": at(0)})
    assert main(["observe", "rollout_week3", path, "--from", "log", "--reports", str(tmp_path)]) == Exit.USAGE
    said = capsys.readouterr().err
    assert "none of 1 lines is of a request" in said and "LOG_LEVEL=debug" in said and path in said


def test_a_mapping_is_refused_by_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("log:\n  statu: code\n")
    words = ["rollout_week3", log(tmp_path, *USUAL), "--from", "log", "--mapping", str(mapping)]
    assert main(["observe", *words, "--reports", str(tmp_path)]) == Exit.USAGE
    said = capsys.readouterr().err
    assert "mapping.yaml:2" in said and "statu" in said and "to do" in said


def test_an_export_of_cloud_logging_names_no_user(tmp_path: Path) -> None:
    entries = [{"timestamp": at(number / 10), "httpRequest": {
        "requestMethod": "GET", "requestUrl": "https://api.example/v1/walks?page=1", "status": 500 if number % 25 == 3 else 200,
        "latency": "0.25s"}} for number in range(1000)]  # fmt: skip
    path = tmp_path / "export.json"
    path.write_text(json.dumps(entries))
    status, result = observe(tmp_path, "rollout_week3", str(path), "--from", "cloud_logging")
    found = by_id(result)
    assert status == Exit.ROLLED_BACK and found["success.error_ratio"].value == pytest.approx(0.04)
    assert found["success.latency_p95"].value == pytest.approx(250.0)
    assert found["success.concurrent_users"].reason == "this telemetry names no user"


def series(kind: str, value: str, points: list[Any], **labels: str) -> dict[str, Any]:
    told = [
        {"interval": {"startTime": at(0), "endTime": at(60 * number)}, "value": {value: point}}
        for number, point in enumerate(points)
    ]
    types = {"int64Value": "INT64", "distributionValue": "DISTRIBUTION"}
    return {"metric": {"type": kind, "labels": labels}, "resource": {"labels": {"instance": "pod-a:9090"}},
            "metricKind": "CUMULATIVE", "valueType": types[value], "points": told[::-1]}  # fmt: skip


def test_an_export_of_cloud_monitoring_is_counters_and_distributions(tmp_path: Path) -> None:
    kind = "prometheus.googleapis.com/http_requests_total/counter"
    good = series(kind, "int64Value", [str(300 * number) for number in range(11)], route="/v1/walks", status="200")
    bounds = {"explicitBuckets": {"bounds": [0.1, 0.5]}}
    took = [{"bucketOptions": bounds, "bucketCounts": [str(270 * n), str(30 * n)]} for n in range(11)]
    seconds = series("prometheus.googleapis.com/http_request_duration_seconds/histogram", "distributionValue", took,
                     route="/v1/walks")  # fmt: skip
    path = tmp_path / "export.json"
    path.write_text(json.dumps({"timeSeries": [good, seconds]}))
    status, result = observe(tmp_path, "rollout_week3", str(path), "--from", "cloud_monitoring")
    found = by_id(result)
    assert status == Exit.OK and found["success.error_ratio"].samples == 3000
    assert found["success.latency_p95"].reason.startswith("p95 lies between 100 ms and 500 ms")


def test_a_load_balancer_s_deltas_are_added_up_by_names_of_its_own(tmp_path: Path) -> None:
    kind = "loadbalancing.googleapis.com/https/request_count"
    made = [
        series(kind, "int64Value", ["0", *[count] * 10], response_code=code)
        for code, count in (("200", "190"), ("502", "10"))
    ]
    path, mapping = tmp_path / "export.json", tmp_path / "mapping.yaml"
    path.write_text(json.dumps([each | {"metricKind": "DELTA"} for each in made]))
    mapping.write_text(f"metrics:\n  requests: {kind}\n  status: response_code\n")
    words = ("rollout_week3", str(path), "--from", "cloud_monitoring", "--mapping", str(mapping))
    status, result = observe(tmp_path, *words)
    found = by_id(result)["success.error_ratio"]
    assert (status, found.samples, found.value) == (Exit.ROLLED_BACK, 2000, pytest.approx(0.05))  # type: ignore[comparison-overlap]


def test_an_answer_of_a_prometheus_is_read_from_a_file(tmp_path: Path) -> None:
    values = [[BEGAN.timestamp() + 15 * number, str(100 * number)] for number in range(41)]
    labels = {"__name__": "http_requests_total", "instance": "a", "route": "/v1/walks", "status": "200"}
    other = labels | {"route": "/health"}
    found = {"data": {"result": [{"metric": each, "values": values} for each in (labels, other)]}}
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(found))
    status, result = observe(tmp_path, "rollout_week3", str(path), "--from", "prometheus")
    assert status == Exit.OK and by_id(result)["success.error_ratio"].samples == 4000


def test_what_the_rehearsal_said_stands_beside_each_criterion(tmp_path: Path) -> None:
    path = log(tmp_path, *USUAL)
    _, first = observe(tmp_path, "rollout_week3", path, "--from", "log")
    stored = RESULT.read(next((tmp_path / "reports").glob(f"*/{RESULT_JSON}")))
    rehearsed = tmp_path / "again" / "reports" / "week"
    rehearsed.mkdir(parents=True)
    RESULT.write(rehearsed, type(stored)(**{**{f: getattr(stored, f) for f in stored.__struct_fields__},
                                            "rehearsal": "rollout_week", "run_id": "the-week"}))  # fmt: skip
    _, result = observe(tmp_path / "again", "rollout_week3", path, "--from", "log")
    noted = str(by_id(result)["success.error_ratio"].notes[0])
    assert noted == "rehearsed: pass: " + by_id(first)["success.error_ratio"].reason
    assert "the-week: Advance" in (rehearsed.parent / result.run_id / "summary.md").read_text()
