"""Every query that the report prints gives, run on the evidence, the number that the judge gave."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from harness.report.queries import value_query

from harness.evidence.store import read_rows
from harness.model.evidence import Row
from harness.model.run import Run
from harness.model.verdict import CriterionResult, Decision, Verdict
from tests.report.runs import PLAIN, decided, result
from tests.report.synthetic import ALL_CRITERIA, Week, generate, write


def run_query(folder: Path, sql: str) -> tuple[float, ...]:
    connection = sqlite3.connect(folder / "evidence.sqlite")
    try:
        [row] = connection.execute(sql)
        return tuple(row)
    finally:
        connection.close()


@pytest.mark.parametrize("name", ["healthy", "rolled_back"])
def test_the_query_reproduces_the_value(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run, rows = request.getfixturevalue(name)
    folder = write(tmp_path / "run", run, rows)
    for criterion in run.criteria:
        sql = value_query(run, criterion, stretch_s=120)
        assert sql is not None
        value, *samples = run_query(folder, sql)
        if name == "rolled_back" and criterion.metric in {"concurrent_users", "request_rate"}:
            # Judged over the part of the window that had passed, which is the window that is reported.
            assert value == pytest.approx(criterion.value, rel=0.02), criterion.id
            continue
        assert value == pytest.approx(criterion.value, rel=1e-12), criterion.id
        if samples:
            assert samples == [criterion.samples], criterion.id


def test_a_fault_moves_the_query_with_the_judge(tmp_path: Path) -> None:
    run, rows = generate(Week(seed=3, fault_at_s=130, fault_share=0.5, criteria=ALL_CRITERIA[3:5]))
    assert run.decision is not Decision.ROLL_BACK
    folder = write(tmp_path / "run", run, rows)
    [errors] = [criterion for criterion in run.criteria if criterion.metric == "error_ratio"]
    assert errors.value is not None
    assert errors.value > 0.01
    sql = value_query(run, errors, stretch_s=120)
    assert sql is not None
    assert run_query(folder, sql) == pytest.approx((errors.value, errors.samples), rel=1e-12)


def test_what_was_known_only_after_the_decision_does_not_count(
    rolled_back: tuple[Run, list[Row]], tmp_path: Path
) -> None:
    run, rows = rolled_back
    folder = write(tmp_path / "run", run, rows)
    assert list(read_rows(folder / "evidence.sqlite"))
    sql = value_query(run, fired(run), stretch_s=120)
    assert sql is not None
    before = run_query(folder, sql)
    connection = sqlite3.connect(folder / "evidence.sqlite")
    connection.execute(
        "INSERT INTO probes (seq, probe_id, user, method, due_ns, sent_ns, done_ns, status, outcome, pod)"
        " SELECT (SELECT MAX(seq) FROM events) + 1, 9999, user, method, due_ns, sent_ns, done_ns, 0, 'timeout', ''"
        " FROM probes LIMIT 1"
    )
    connection.commit()
    connection.close()
    assert run_query(folder, sql) == before


def fired(run: Run) -> CriterionResult:
    return next(criterion for criterion in run.criteria if criterion.fired_at_ns is not None)


def test_without_a_window_or_a_value_there_is_no_query(healthy: tuple[Run, list[Row]]) -> None:
    assert value_query(decided(None, result(Verdict.INCONCLUSIVE)), result(Verdict.INCONCLUSIVE), stretch_s=120) is None
    assert value_query(healthy[0], result(Verdict.NOT_EXERCISED, value=None), stretch_s=120) is None
    assert value_query(PLAIN, result(Verdict.PASS), stretch_s=120) is None
