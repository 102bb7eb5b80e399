"""A failover on the real local stack: with synchronous commit nothing is lost; without, the checker finds what is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.model.errors import Exit
from tests.main_job import Job, left_since, machine_state

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]


def made(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The experiment's result, and the checks by name."""
    before = machine_state()
    job = Job(folder / "reports", "--on", "local", "--only", name, command=("chaos",))
    assert job.finish() == Exit.OK, job.text
    assert left_since(before, job) == {}
    report = json.loads((job.folder / "chaos.json").read_text())
    return report["experiments"][0], {check["name"]: check for check in report["checks"]}


def test_no_acknowledged_write_is_lost_when_commits_wait_for_the_standby(tmp_path: Path) -> None:
    result, checks = made(tmp_path, "database_failover")
    assert result["verdict"] == "pass", result["reason"]
    failover = result["failover"]
    assert 2.5 < failover["detect_s"] < 6 and failover["promote_s"] < 10 and failover["failed_writes"] > 5
    assert failover["detect_s"] <= failover["outage_s"] + 1 < 40
    assert checks["writes.acknowledged"]["verdict"] == "pass"
    assert ": 0 lost" in checks["writes.acknowledged"]["detail"]


def test_the_checker_finds_what_asynchronous_commit_loses(tmp_path: Path) -> None:
    result, checks = made(tmp_path, "database_failover_async")
    assert result["verdict"] == "pass", result["reason"]
    found = checks["writes.acknowledged"]
    assert found["verdict"] == "pass" and "the counterexample's loss was found" in found["detail"]
    assert ": 0 lost" not in found["detail"]
