"""Deploys on the real local stack: a good version, one that is never ready, and one that the judge has undone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.model.errors import Exit
from tests.main_job import Job, left_since, machine_state

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(400)]


def test_versions_are_rolled_out_and_undone(tmp_path: Path) -> None:
    before = machine_state()
    only = [word for name in ("good", "never_ready", "errors") for word in ("--only", name)]
    job = Job(tmp_path / "reports", "--on", "local", *only, "--pace", "10s", command=("deploy_rehearsal",))
    assert job.finish() == Exit.OK, job.text
    report = json.loads((job.folder / "deploy.json").read_text())
    good, unready, errors = report["parts"]
    for part in report["parts"]:
        assert {finding["verdict"] for finding in part["findings"]} == {"pass"}
    assert good["failed"] == 0 and good["calls"] > 300
    assert [one["status"] for one in unready["ran"]] == [0, 1, 0, 0]  # set image, status, undo, status
    assert unready["failed"] == 0
    assert errors["failed"] > 0 and errors["bad_s"] is not None
    assert "rollback.error_ratio fired" in errors["findings"][0]["reason"]
    checks = {check["name"]: check["verdict"] for check in report["checks"]}
    assert checks["writes.acknowledged"] == checks["writes.applied_once"] == "pass"
    assert left_since(before, job) == {}
