"""The whole rehearsal as a person runs it: on a real cluster at night, and where there is no cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.model.errors import Exit
from harness.model.stack import Rung
from harness.stack.kind import at_hand
from tests.main_job import Job, left_since, machine_state

pytestmark = pytest.mark.process

LIMIT_S = 1700  # the first run of a machine builds the driver


def report_of(job: Job) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((job.folder / "secret_rotation.json").read_text())
    return report


def test_without_a_cluster_nothing_is_exercised(tmp_path: Path) -> None:
    before = machine_state()
    job = Job(tmp_path / "reports", command=("secret_rotation",))
    assert job.finish() == Exit.HOLD, job.text
    assert "nothing was exercised" in job.text
    report = report_of(job)
    assert report["combined"] == "nothing_exercised" and report["errata"] == []
    findings = [finding for part in report["parts"] for finding in part["findings"]]
    assert len(findings) == 9
    assert {finding["verdict"] for finding in findings} == {"not_exercised"}
    assert {finding["reason"] for finding in findings} == {"the environment lacks real Kubernetes"}
    assert "stack_up" not in report["timings"] and report["leaks"] == []
    assert left_since(before, job) == {}


@pytest.mark.kind
@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.timeout(1800, func_only=True)
@pytest.mark.skipif(not at_hand.docker_answers(), reason="no Docker engine answers")
@pytest.mark.usefixtures("kind_cluster")
def test_a_rotation_by_two_roles_loses_nothing(tmp_path: Path) -> None:
    before = machine_state()
    job = Job(tmp_path / "reports", command=("secret_rotation",), on=Rung.KIND)
    assert job.finish(LIMIT_S) == Exit.OK, job.text
    report = report_of(job)
    alone, classless, existing = report["trials"]
    assert alone["started"] and not alone["asked"] and not classless["started"]
    assert any("FailedMount" in event for event in classless["events"])
    assert existing["asked"] and not existing["managed"]
    in_place, in_turn = report["rotations"]
    assert sum(phase["failed"] for phase in in_place["phases"]) > 0
    assert sum(phase["failed"] for phase in in_turn["phases"]) == 0
    assert sum(phase["requests"] for phase in in_turn["phases"]) >= 1000
    assert report["leaks"] == [] and left_since(before, job) == {}
