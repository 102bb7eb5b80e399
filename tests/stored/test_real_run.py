"""A real run that was rolled back, on the real local stack: judged again and set against itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.model.errors import Exit
from tests.main_job import Job, closing_connect

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(420)]


def test_a_real_run_judged_again_gives_the_very_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = ("--window", "40s", "--pace", "20s", "--fetch-interval", "5s", "--fault", "errors=30%")
    job = Job(tmp_path / "reports", *quick, scenario="rollout_week2")  # its rates depend on the moment of the judgement
    assert job.finish() == Exit.ROLLED_BACK, job.text
    assert main(["judge", "latest", "--reports", str(job.reports), "--json"]) == Exit.ROLLED_BACK
    again = json.loads(capsys.readouterr().out)
    assert [pair["now"] for pair in again["criteria"]] == job.document()["criteria"]
    assert again["same"] is True
    assert main(["compare", "latest", str(job.folder), "--reports", str(job.reports)]) == Exit.OK
    assert "B is no worse" in capsys.readouterr().out
    with closing_connect(job.folder / "evidence.sqlite") as evidence:
        (data,) = evidence.execute("SELECT data FROM events WHERE kind = 'decision'").fetchone()
    assert json.loads(data)["judged_ns"] > 0
