"""The failover's counterexample on the real local stack: commits that do not wait lose writes, and the checker finds them.

With commits that wait nothing is lost: test_run.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.model.errors import Exit
from tests.hurried import QUICK_PROBES
from tests.main_job import Job, left_since, machine_state

# The verdict on lost writes is shown failing in tests/checks/test_acknowledged.py; the failover itself is made per push.
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.nightly, pytest.mark.timeout(300)]


def made(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The experiment's result, and the checks by name."""
    before = machine_state()
    job = Job(folder / "reports", "--on", "local", "--only", name, *QUICK_PROBES, command=("chaos",))
    assert job.finish() == Exit.OK, job.text
    assert left_since(before, job) == {}
    report = json.loads((job.folder / "chaos.json").read_text())
    return report["experiments"][0], {check["name"]: check for check in report["checks"]}


def test_the_checker_finds_what_asynchronous_commit_loses(tmp_path: Path) -> None:
    result, checks = made(tmp_path, "database_failover_async")
    assert result["verdict"] == "pass", result["reason"]
    found = checks["writes.acknowledged"]
    assert found["verdict"] == "pass" and "the counterexample's loss was found" in found["detail"]
    assert ": 0 lost" not in found["detail"]
