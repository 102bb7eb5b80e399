"""Deploys on the real local stack: one that the judge has undone, a good version, and one that is never ready."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.model.errors import Exit
from tests.main_job import Job, left_since, machine_state

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]


def made(reports: Path, *names: str, words: tuple[str, ...] = ()) -> dict[str, Any]:
    """The report on the parts of these names, all of which the judge let pass; nothing is left."""
    before = machine_state()
    only = [word for name in names for word in ("--only", name)]
    job = Job(reports, *only, "--pace", "10s", *words, command=("deploy_rehearsal",))
    assert job.finish() == Exit.OK, job.text
    assert left_since(before, job) == {}
    report: dict[str, Any] = json.loads((job.folder / "deploy.json").read_text())
    checks = {check["name"]: check["verdict"] for check in report["checks"]}
    assert checks["writes.acknowledged"] == checks["writes.applied_once"] == "pass"
    return report


def verdicts(part: dict[str, Any]) -> dict[str, str]:
    return {finding["claim"]: finding["verdict"] for finding in part["findings"]}


@pytest.mark.alone  # 50 requests/s beside other stacks leave an ending pod's mirror too little of two cores
def test_a_bad_version_is_undone_by_the_judge(tmp_path: Path) -> None:
    (errors,) = made(tmp_path, "errors")["parts"]
    assert set(verdicts(errors).values()) == {"pass"}
    assert errors["failed"] > 0 and errors["bad_s"] is not None
    assert "rollback.error_ratio fired" in errors["findings"][0]["reason"]


@pytest.mark.nightly  # per push a stack is rolled out under requests (test_local_held_to, the contract), and judged pure
def test_a_good_version_is_rolled_out_and_one_that_is_never_ready_is_undone(tmp_path: Path) -> None:
    good, unready = made(tmp_path, "good", "never_ready")["parts"]
    lost = verdicts(good)["deploy.create_lost_at_close"]
    assert lost in {"erratum_shown", "not_exercised"}, (
        "a CREATE on its way when a pod ended may be lost, and is a finding apart"
    )
    assert (lost == "erratum_shown") == (good["failed"] > 0)
    assert {verdict for claim, verdict in verdicts(good).items() if claim != "deploy.create_lost_at_close"} == {"pass"}
    assert good["calls"] > 300
    assert verdicts(unready)["cicd.no_undo"] == "erratum_shown"
    assert {verdict for claim, verdict in verdicts(unready).items() if claim != "cicd.no_undo"} == {"pass"}
    assert [one["status"] for one in unready["ran"]] == [0, 1, 0, 0]  # set image, status, undo, status
    assert unready["failed"] == 0


@pytest.mark.nightly  # the race itself is made per push (stack/test_local_race.py); here the document's claim is shown false
def test_the_document_s_downtime_without_a_pre_stop_is_shown_where_signals_come_at_once(tmp_path: Path) -> None:
    report = made(tmp_path, "as_written", words=("--signals-at-once",))
    (written,) = report["parts"]
    assert "endpoints_before_signals" not in report["capabilities"]
    assert verdicts(written)["deploy.downtime_without_prestop"] == "erratum_shown" and written["failed"] > 0
