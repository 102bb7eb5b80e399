"""Deploys on the real local stack: a good version, one that is never ready, and one that the judge has undone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.model.errors import Exit
from tests.main_job import Job, closing_connect, left_since, machine_state

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]


def made(reports: Path, *names: str) -> Job:
    """The parts of these names, to their end."""
    only = [word for name in names for word in ("--only", name)]
    job = Job(reports, "--on", "local", *only, "--pace", "10s", command=("deploy_rehearsal",))
    assert job.finish() in {Exit.OK, Exit.HOLD}, job.text
    return job


def parts(job: Job) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((job.folder / "deploy.json").read_text())["parts"]
    return found


def held(part: dict[str, Any]) -> set[str]:
    return {finding["claim"] for finding in part["findings"] if finding["verdict"] not in {"pass", "erratum_shown"}}


def lone_creates(job: Job, part: dict[str, Any]) -> bool:
    """Whether ``part`` is held for one or two CREATEs alone whose kept connection ended before the answer.

    They were sent in the milliseconds in which the ending pod closed it (RFC 9112, 9.5): HTTP lets no client send one
    again by itself. The API answers all that came before its end; of what was on its way then, at 75 requests a second,
    the ends of 12 pods broke 3. Three rollouts in a row are no chance.
    """
    if part["failed"] not in {1, 2} or held(part) != {"deploy.rolling.no_downtime"}:
        return False
    with closing_connect(job.folder / "evidence.sqlite") as evidence:
        lost = evidence.execute(
            "SELECT operation, outcome FROM requests WHERE side = 'api' AND outcome != 'ok' AND due_ns BETWEEN ? AND ?",
            (part["start_ns"], part["end_ns"]),
        ).fetchall()
    return lost == [("create_walk", "broken")] * part["failed"]


def test_versions_are_rolled_out_and_undone(tmp_path: Path) -> None:
    before = machine_state()
    job = made(tmp_path / "reports", "good", "never_ready", "errors")
    good, unready, errors = parts(job)
    last, lone = job, lone_creates(job, good)
    for number in range(2):
        if not lone_creates(last, good):
            break
        print(f"a CREATE was lost, a good version is rolled out once more: {last.text}")
        last = made(tmp_path / f"again{number}", "good")
        (good,) = parts(last)
    assert last is job or last.process.returncode == Exit.OK, last.text
    assert job.process.returncode == (Exit.HOLD if lone else Exit.OK), job.text
    for part in (good, unready, errors):
        assert held(part) == set(), job.text
    assert good["failed"] == 0 and good["calls"] > 300
    assert [one["status"] for one in unready["ran"]] == [0, 1, 0, 0]  # set image, status, undo, status
    assert unready["failed"] == 0
    assert errors["failed"] > 0 and errors["bad_s"] is not None
    assert "rollback.error_ratio fired" in errors["findings"][0]["reason"]
    checks = {
        check["name"]: check["verdict"] for check in json.loads((job.folder / "deploy.json").read_text())["checks"]
    }
    assert checks["writes.acknowledged"] == checks["writes.applied_once"] == "pass"
    assert left_since(before, job) == {}
