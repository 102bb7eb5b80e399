"""A target that now and then answers as before its user's last write: nothing fails, and the week does not advance."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from harness.base.data import ROOT
from harness.base.errors import Exit
from harness.checks.walk_results import READS
from harness.model.judgement import Decision, Verdict
from harness.report.published import RESULT, RESULT_JSON
from harness.rules.judged import combine
from tests.main_job import Job

pytestmark = [pytest.mark.nightly, pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(420)]


def test_a_week_that_would_advance_without_the_judge_of_reads_holds(tmp_path: Path) -> None:
    target = tmp_path / "target.yaml"
    target.write_text(
        json.dumps(
            {
                "name": "old answers",
                "command": [sys.executable, str(ROOT / "tests" / "old_answers_target.py")],
                "folder": str(ROOT),
                "environment": {"HOST": "127.0.0.1", "TEST_OLD_EVERY": "9"},
                "migrations": "bundled",
            }
        )
    )
    job = Job(tmp_path / "reports", "--target", str(target))
    assert job.finish() == Exit.HOLD, job.text
    run = RESULT.read(job.folder / RESULT_JSON)
    (reads,) = [check for check in run.judgements if check.id == READS]
    assert reads.verdict is Verdict.FAIL
    assert reads.value is not None and reads.value > 10
    assert "as before an acknowledged write" in reads.reason
    others = [check for check in run.judgements if check.id != READS]
    assert combine(others) is Decision.ADVANCE
