"""Three of the lies of ``tests/sim/test_lies.py`` by real processes: none advances, and a check names each."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from harness.base.data import ROOT
from harness.base.errors import Exit
from harness.model.judgement import Verdict
from harness.report.published import RESULT, RESULT_JSON
from tests.main_job import Job

pytestmark = [pytest.mark.nightly, pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(420)]
SCENARIO = str(Path(__file__).parent / "sim" / "lies.yaml")


@pytest.mark.parametrize(
    ("lie", "check", "ends"),
    [
        ("", "", Exit.OK),
        ("first_only", "rollback.availability.users", Exit.ROLLED_BACK),
        ("slow", "success.latency_p95", Exit.HOLD),
        ("no_mirror", "dual_write.documents", Exit.HOLD),
    ],
)
def test_a_lie_by_real_processes_does_not_advance(lie: str, check: str, ends: Exit, tmp_path: Path) -> None:
    target = tmp_path / "target.yaml"
    program = [str(ROOT / "tests" / "lying_target.py"), str(ROOT / "api")]
    command = [sys.executable, program[0]] if lie else [sys.executable, "-m", "api"]
    target.write_text(
        json.dumps(
            {
                "name": "lying",
                "command": command,
                "folder": str(ROOT),
                "program": program,
                "environment": {"HOST": "127.0.0.1", "TEST_LIE": lie},
                "migrations": "bundled",
            }
        )
    )
    job = Job(tmp_path / "reports", "--target", str(target), "--seed", "5", scenario=SCENARIO)
    assert job.finish() == ends, job.text
    run = RESULT.read(job.folder / RESULT_JSON)
    assert {each.verdict for each in run.judgements if each.id == check} <= {Verdict.FAIL, Verdict.NOT_EXERCISED}
