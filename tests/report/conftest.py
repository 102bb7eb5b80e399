"""Two synthetic weeks, made once: one that advances, one that is rolled back."""

from __future__ import annotations

import pytest

from harness.model.evidence import Row
from harness.model.run import Run
from harness.model.verdict import Decision
from tests.report.synthetic import ALL_CRITERIA, Week, generate


@pytest.fixture(scope="session")
def healthy() -> tuple[Run, list[Row]]:
    run, rows = generate(Week(criteria=ALL_CRITERIA))
    assert run.decision is Decision.ADVANCE
    return run, rows


@pytest.fixture(scope="session")
def rolled_back() -> tuple[Run, list[Row]]:
    run, rows = generate(Week(fault_at_s=60, criteria=ALL_CRITERIA))
    assert run.decision is Decision.ROLL_BACK
    return run, rows
